import json
import pickle
import re
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import drawn_clips
from folder_server import folder_server
from sound2scene import audio
from sound2scene.data.shards.read import Folder, ShardDataset, UnreadableError
from sound2scene.data.shards.verify import verify
from sound2scene.protocols import Pictures, Sounds
from sound2scene.types import Clip, InputError


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


def equal(one: Clip, other: Clip) -> bool:
    rest = [(clip.key, clip.jpeg, clip.moment_s, clip.label, clip.metadata) for clip in (one, other)]
    return rest[0] == rest[1] and np.array_equal(one.waveform_T, other.waveform_T)


def written(job: dict[str, object]) -> Clip:
    clip = drawn_clips.draw(job)
    pcm16_T = audio.to_pcm16(clip.waveform_T).astype(np.float32) / 32_768
    return Clip(clip.key, clip.jpeg, pcm16_T, clip.moment_s, clip.label, clip.metadata)


def as_is(clips: list[Clip]) -> list[Clip]:
    return clips


@pytest.mark.parametrize("split", drawn_clips.COUNTS)
def test_clips_come_back_in_order_pictures_bit_for_bit_and_sounds_to_16_bits(
    dataset: Path, split: str
) -> None:
    jobs = drawn_clips.jobs()[split]
    shards = ShardDataset(dataset, split)
    assert len(shards) == len(jobs)
    for position, job in enumerate(jobs):
        assert equal(shards[position], written(job))
        assert shards.key(position) == job["key"]
        label = drawn_clips.draw(job).label
        assert int(shards.label_N[position]) == (-1 if label is None else shards.classes.index(label))


def test_a_shard_is_a_plain_webdataset_tar(dataset: Path) -> None:
    keys = [job["key"] for job in drawn_clips.jobs()["train"]]
    found: list[str] = []
    for path in sorted((dataset / "train").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                assert member.isreg()
                found.append(member.name)
                if member.name.endswith("json"):
                    payload = tar.extractfile(member)
                    assert payload is not None
                    assert set(json.load(payload)) == {"label", "moment_s", "metadata"}
    assert found == [f"{key}.{kind}" for key in keys for kind in ("jpg", "flac", "json")]


@pytest.mark.costly
def test_an_address_reads_the_same_clips_also_in_forked_workers(dataset: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(dataset), "/drawn", recursive=True)
    jobs = drawn_clips.jobs()["val"]
    for address in ("memory://drawn", f"file://{dataset}"):
        shards = ShardDataset(address, "val")
        for workers in (0, 2):
            loader = DataLoader(
                shards, 2, num_workers=workers, collate_fn=as_is, multiprocessing_context=fork(workers)
            )
            clips = [clip for batch in loader for clip in batch]
            assert all(equal(clip, written(job)) for clip, job in zip(clips, jobs, strict=True))
    memory.rm("/drawn", recursive=True)


def fork(workers: int) -> str | None:
    return "fork" if workers else None


def test_a_copy_for_another_process_takes_no_open_file_along_and_asks_for_nothing(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = ShardDataset(dataset, "val")
    asked: list[str] = []

    def read(folder: Folder, name: str, start: int | None = None, end: int | None = None) -> bytes:
        asked.append(name)
        return (dataset / name).read_bytes()[start:end]

    data = pickle.dumps(shards)
    assert b"fsspec" not in data
    monkeypatch.setattr(Folder, "read", read)
    monkeypatch.setattr(Folder, "size", read)
    again = pickle.loads(data)
    assert len(again) == len(shards)
    assert torch.equal(again.label_N, shards.label_N)
    assert asked == []
    assert equal(again[3], written(drawn_clips.jobs()["val"][3]))
    assert set(asked) == {"val/000000.tar"}


def test_a_copy_in_another_process_reads_the_same_clips(dataset: Path) -> None:
    shards = ShardDataset(f"file://{dataset}", "val")
    loader = DataLoader(shards, 2, num_workers=1, collate_fn=as_is, multiprocessing_context="forkserver")
    clips = [clip for batch in loader for clip in batch]
    jobs = drawn_clips.jobs()["val"]
    assert all(equal(clip, written(job)) for clip, job in zip(clips, jobs, strict=True))


def test_a_folder_tells_classes_fingerprints_coverage_and_notes_and_opens_splits(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(dataset)
    monkeypatch.setattr(Folder, "__init__", None)  # nobody reads the card again
    splits = {split: ShardDataset(folder, split) for split in drawn_clips.COUNTS}
    assert folder.classes == ["bell", "drum"]
    assert folder.fingerprints() == {split: shards.fingerprint for split, shards in splits.items()}
    assert len(set(folder.fingerprints().values())) == 3
    assert folder.coverage() == {}
    assert folder.notes == {"why": "tests"}
    assert {split: len(shards) for split, shards in splits.items()} == drawn_clips.COUNTS


def test_a_folder_tells_the_coverage_that_was_counted(copy: Path) -> None:
    card(copy, lambda c: c.update(notes={"coverage": {"train": {"found": 31, "expected": 40}}}))
    assert Folder(copy).coverage() == {"train": {"found": 31, "expected": 40, "clips": 30}}


def test_a_split_is_pictures_with_sounds(dataset: Path) -> None:
    shards = ShardDataset(dataset, "val")
    assert isinstance(shards, Pictures)
    assert isinstance(shards, Sounds)


def test_memory_of_an_index_is_arrays_alone(dataset: Path) -> None:
    shards = ShardDataset(dataset, "train")
    for array in vars(shards.index).values():
        assert isinstance(array, np.ndarray)
        assert array.dtype != object
    assert not [
        name for name, value in vars(shards).items() if isinstance(value, list) and len(value) >= len(shards)
    ]


def test_a_fingerprint_is_of_the_clips_alone(dataset: Path, tmp_path: Path) -> None:
    from sound2scene.data.shards.write import Plan, write_dataset

    def fingerprint(seed: int, name: str) -> str:
        jobs = {"val": [{"key": "a", "seed": 1}, {"key": "b", "seed": seed}]}
        folder = write_dataset(
            tmp_path / f"{name}-{seed}", jobs, drawn_clips.draw, Plan(name, ["bell", "drum"])
        )
        return ShardDataset(folder, "val").fingerprint

    assert fingerprint(2, "one") == fingerprint(2, "other")
    assert fingerprint(2, "one") != fingerprint(3, "one")


def card(folder: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    values = json.loads((folder / "dataset.json").read_text())
    change(values)
    (folder / "dataset.json").write_text(json.dumps(values))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_index(folder: Path, **columns: object) -> None:
    file = folder / "val" / "index.npz"
    with np.load(file) as found:
        arrays = dict(found)
    for name, value in columns.items():
        arrays[name][-1] = value
    np.savez(file, **arrays)


def pickled(folder: Path) -> None:
    file = folder / "val" / "index.npz"
    with np.load(file) as found:
        arrays = dict(found)
    np.savez(file, **arrays | {"key": arrays["key"].astype(object)})


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut shard": (
        lambda f: cut(f / "val/000001.tar"),
        r"val/000001\.tar: shard has \d+ bytes instead of \d+",
    ),
    "missing shard": (lambda f: (f / "val/000001.tar").unlink(), r"val/000001\.tar: shard is missing"),
    "pickled index": (pickled, r"val/index\.npz: damaged index"),
    "cut index": (lambda f: cut(f / "val/index.npz"), r"val/index\.npz: damaged index"),
    "missing index": (lambda f: (f / "val/index.npz").unlink(), r"val/index\.npz: missing"),
    "short index": (
        lambda f: shutil.copy(f / "test/index.npz", f / "val"),
        r"val/index\.npz: lists 5 clips, not 7",
    ),
    "negative offset": (lambda f: change_index(f, offset=-1), r"val/index\.npz: points outside"),
    "offset behind the end": (lambda f: change_index(f, size=10**9), r"val/index\.npz: points outside"),
    "shard out of range": (lambda f: change_index(f, shard=2), r"val/index\.npz: points outside"),
    "label out of range": (lambda f: change_index(f, label=2), r"val/index\.npz: points outside"),
    "card is no JSON": (lambda f: cut(f / "dataset.json"), r"dataset\.json: not valid JSON"),
    "card is no text": (
        lambda f: (f / "dataset.json").write_bytes(b"\xff\xfe\xfa"),
        r"dataset\.json: not valid JSON",
    ),
    "card is a list": (lambda f: (f / "dataset.json").write_text("[]"), r"dataset\.json: format None"),
    "other format": (
        lambda f: card(f, lambda c: c.update(format=2)),
        r"dataset\.json: format 2, this version reads 1",
    ),
    "no splits": (
        lambda f: card(f, lambda c: c.pop("splits")),
        r"json: .*missing required field `splits`",
    ),
    "no bytes": (
        lambda f: card(f, lambda c: c["splits"]["val"]["shards"][0].pop("bytes")),
        r"json: .*missing required field `bytes`",
    ),
    "shard elsewhere": (
        lambda f: card(f, lambda c: c["splits"]["val"]["shards"][0].update(name="../train/000000.tar")),
        r"dataset\.json: Expected `str` matching regex",
    ),
    "split elsewhere": (
        lambda f: card(f, lambda c: c["splits"].update({"../val": c["splits"]["val"]})),
        r"dataset\.json: Expected `str` matching regex",
    ),
    "no card": (lambda f: (f / "dataset.json").unlink(), r"no dataset\.json there"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_dataset_is_refused_in_one_line_that_names_the_file(copy: Path, name: str) -> None:
    damage, complaint = HOSTILE[name]
    ShardDataset(copy, "val")
    damage(copy)
    with pytest.raises(InputError, match=complaint) as caught:
        ShardDataset(copy, "val")
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_dataset_split_or_protocol_is_refused(dataset: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for address, complaint in (
        (str(dataset), "no split 'dev'; it has train, val, test"),
        (str(tmp_path / "nothing"), "no dataset.json there"),
        (str(file), "no dataset.json there"),
        ("nonsense://bucket/x", "cannot be opened"),
    ):
        with pytest.raises(InputError, match=complaint):
            ShardDataset(address, "dev")


def test_a_damaged_clip_is_named_when_it_is_read(copy: Path) -> None:
    shards = ShardDataset(copy, "val")
    path = copy / shards.shards[0]
    data = bytearray(path.read_bytes())
    start = int(shards.index.offset_NM[1, 1])
    data[start : start + 100] = bytes(100)
    path.write_bytes(data)
    assert equal(shards[0], written(drawn_clips.jobs()["val"][0]))
    with pytest.raises(InputError, match=r"val/000000\.tar:val-01: sound in memory"):
        shards.waveform(1)


BAD_SERVERS = {
    "no_ranges": r"gave \d+ bytes where \d+ were asked for; .*no parts of files \(ranges\)",
    "wrong_ranges": r"gave \d+ bytes where \d+ were asked for",
    "short": r"cannot be read \(",
    "forbidden": r"cannot be read \(403",
}


@pytest.mark.parametrize("behaviour", BAD_SERVERS)
def test_a_bad_server_is_accused_in_one_line_by_reading_and_by_verify(dataset: Path, behaviour: str) -> None:
    with folder_server(dataset) as web:
        shards = ShardDataset(web.address, "val")
        assert shards[1].key == "val-01"
        web.behaviour = behaviour
        with pytest.raises(UnreadableError, match=BAD_SERVERS[behaviour]) as caught:
            shards[1]
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{web.address}/val/000000.tar: ")
        if behaviour == "forbidden":
            with pytest.raises(UnreadableError, match=r"dataset\.json: cannot be read \(403"):
                verify(web.address)
            return
        problems = verify(web.address)
    assert len(problems) == 3  # one for each split
    for problem in problems:
        assert re.fullmatch(rf"{web.address}/\w+/00000\d\.tar: {BAD_SERVERS[behaviour]}.*", problem)


def test_expected_members_of_a_far_split_are_the_same_bytes_by_fewer_requests(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, asked = ShardDataset(dataset, "train"), []
    with folder_server(dataset) as web:
        far = ShardDataset(web.address, "train")
        whole = Folder.read
        monkeypatch.setattr(Folder, "read", lambda *range_: asked.append(range_[1:]) or whole(*range_))
        wanted = [(position, kind) for position in (3, 1, 2) for kind in ("flac", "jpg")]
        far.expect(wanted)
        found = [far.member(*one) for one in wanted]
        assert len(asked) == 1  # three clips that lie side by side
        assert found == [near.member(*one) for one in wanted]
        near.expect(wanted)
        assert near._ahead._expected == {}


def test_a_far_split_asks_for_the_sizes_of_several_shards_at_once(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = len(Folder(dataset).split("train")["shards"])
    assert shards > 1
    together, whole = threading.Barrier(shards, timeout=20), Folder.size

    def size(folder: Folder, name: str) -> int | None:
        together.wait()
        return whole(folder, name)

    monkeypatch.setattr(Folder, "size", size)
    with folder_server(dataset) as web:
        assert len(ShardDataset(web.address, "train")) == drawn_clips.COUNTS["train"]


def test_a_server_that_is_gone_is_one_line_and_no_missing_shard(dataset: Path) -> None:
    with folder_server(dataset) as web:
        folder = Folder(web.address)
    for act in (lambda: ShardDataset(folder, "val"), lambda: Folder(web.address)):
        with pytest.raises(
            UnreadableError, match=r"cannot be read \(Cannot connect.*; check address"
        ) as caught:
            act()
        assert "\n" not in str(caught.value)


@pytest.mark.costly
def test_a_good_server_has_no_problems_and_a_missing_shard_is_missing(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    with folder_server(copy) as web:
        assert verify(web.address) == []
        (copy / "val" / "000001.tar").unlink()
        assert "val/000001.tar: missing" in verify(web.address)
        with pytest.raises(InputError, match=r"000001\.tar: shard is missing"):
            ShardDataset(web.address, "val")
