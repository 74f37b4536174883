import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drawn_clips
from selected import first
from sound2scene import audio, cli
from sound2scene.data.shards.verify import verify
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.types import InputError


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


def test_a_whole_dataset_has_no_problems(dataset: Path, tmp_path: Path) -> None:
    assert verify(dataset) == []
    jobs = drawn_clips.jobs(counts={"train": 9, "val": 0})
    assert verify(write_dataset(tmp_path, jobs, drawn_clips.draw_some, Plan("some", workers=1))) == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_one_flipped_bit_is_found(copy: Path, share: float) -> None:
    path = copy / "val" / "000001.tar"
    data = bytearray(path.read_bytes())
    data[int(share * len(data))] ^= 1
    path.write_bytes(data)
    assert any("val/000001.tar" in problem for problem in verify(copy))


def flip_in_index(folder: Path) -> None:
    file = folder / "val" / "index.npz"
    with np.load(file) as found:
        arrays = dict(found)
    arrays["label"][0] = 1 - arrays["label"][0]
    np.savez(file, **arrays)


def drop_a_line(folder: Path) -> None:
    (folder / "val" / "rejected.jsonl").write_text('{"key": "x", "reason": "y"}\n')


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing shard": (lambda f: (f / "val/000000.tar").unlink(), "val/000000.tar: missing"),
    "cut shard": (
        lambda f: (f / "val/000000.tar").write_bytes(b"x" * 100),
        "val/000000.tar: 100 bytes of another checksum than the",
    ),
    "missing index": (lambda f: (f / "val/index.npz").unlink(), "val/index.npz: missing"),
    "damaged index": (lambda f: (f / "val/index.npz").write_bytes(b"x"), "val/index.npz: damaged index"),
    "wrong index": (flip_in_index, "val/index.npz: does not say what the shards hold"),
    "missing rejected list": (lambda f: (f / "val/rejected.jsonl").unlink(), "val/rejected.jsonl: missing"),
    "other rejected list": (drop_a_line, "val/rejected.jsonl: lists 1 clips, not 0"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_named_and_nothing_else_is(copy: Path, name: str) -> None:
    damage, complaint = DAMAGE[name]
    damage(copy)
    problems = verify(copy)
    assert any(problem.startswith(complaint) for problem in problems)
    assert all(problem.startswith("val/") for problem in problems)
    assert all("\n" not in problem for problem in problems)


def test_a_name_that_stands_in_two_splits_is_found(copy: Path) -> None:
    shutil.rmtree(copy / "test")
    shutil.copytree(copy / "val", copy / "test")
    card = json.loads((copy / "dataset.json").read_text())
    card["splits"]["test"] = card["splits"]["val"]
    (copy / "dataset.json").write_text(json.dumps(card))
    assert verify(copy) == [f"{job['key']}: stands 2 times" for job in drawn_clips.jobs()["val"]]


def test_a_shard_that_is_named_twice_is_refused(copy: Path) -> None:
    change(copy, lambda card: card["splits"]["val"]["shards"].append(card["splits"]["val"]["shards"][0]))
    with pytest.raises(InputError, match=r"dataset\.json: split val names a shard twice"):
        verify(copy)


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    card = json.loads((folder / "dataset.json").read_text())
    edit(card)
    (folder / "dataset.json").write_text(json.dumps(card))


def forget(folder: Path) -> None:
    change(folder, lambda card: card["splits"].pop("test"))


LIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "fingerprint": (
        lambda f: change(f, lambda c: c["splits"]["val"].update(fingerprint="0" * 64)),
        "val: its shards have another fingerprint than dataset.json says",
    ),
    "clips of a split": (
        lambda f: change(f, lambda c: c["splits"]["val"].update(clips=8)),
        "val: its shards hold 7 clips, dataset.json says 8",
    ),
    "clips of a shard": (
        lambda f: change(f, lambda c: c["splits"]["val"]["shards"][0].update(clips=3)),
        "val/000000.tar: holds 4 clips, dataset.json says 3",
    ),
    "bytes of a shard": (
        lambda f: change(f, lambda c: c["splits"]["val"]["shards"][0].update(bytes=10)),
        "val/000000.tar: .* bytes, dataset.json says 10",
    ),
    "checksum": (
        lambda f: change(f, lambda c: c["splits"]["val"]["shards"][0].update(sha256="0" * 64)),
        "val/000000.tar: .* bytes of another checksum than the .* written",
    ),
    "rejected": (
        lambda f: change(f, lambda c: c["splits"]["val"].update(rejected=2)),
        "val/rejected.jsonl: lists 0 clips, not 2",
    ),
    "kinds": (
        lambda f: change(f, lambda c: c["splits"]["val"].update(kinds={"silent": 1})),
        "val/rejected.jsonl: lists clips of kinds {}, dataset.json says {'silent': 1}",
    ),
    "a split that is not named": (forget, "test: a folder that dataset.json does not name"),
    "a split that is gone": (lambda f: shutil.rmtree(f / "test"), "test/000000.tar: missing"),
    "a shard that is not named": (
        lambda f: shutil.copy(f / "val" / "000000.tar", f / "val" / "000009.tar"),
        "val/000009.tar: a file that dataset.json does not name",
    ),
    "no report": (lambda f: (f / "report.json").unlink(), "report.json: missing"),
}


@pytest.mark.parametrize("name", first(LIES, 4))
def test_what_dataset_json_says_is_counted_again(copy: Path, name: str) -> None:
    lie, complaint = LIES[name]
    lie(copy)
    problems = verify(copy)
    assert any(re.fullmatch(complaint.replace("{", r"\{"), problem) for problem in problems), problems
    assert cli.main(["verify", str(copy)]) == 1


def test_clips_of_a_split_with_another_problem_are_read_all_the_same(tmp_path: Path) -> None:
    jobs = {"val": [{"key": "a", "seed": 0}, {"key": "b", "seed": 1}]}
    folder = write_dataset(tmp_path, jobs, draw_damaged, Plan("damaged", workers=1))
    change(folder, lambda card: card["splits"]["val"].update(fingerprint="0"))
    fingerprint, clip = verify(folder)
    assert "fingerprint" in fingerprint
    assert clip.startswith(f"{folder}/val/000000.tar:b: not a readable picture")


def test_a_sound_that_does_not_decode_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = {"val": [{"key": "a", "seed": 0}]}
    monkeypatch.setattr(audio, "encode_flac", lambda _: b"fLaC" + bytes(60))
    folder = write_dataset(tmp_path, jobs, drawn_clips.draw, Plan("damaged", workers=1))
    (problem,) = verify(folder)
    assert problem.startswith(f"{folder}/val/000000.tar:a: ")


def test_a_picture_that_does_not_decode_is_found(tmp_path: Path) -> None:
    jobs = {"val": [{"key": "a", "seed": 0}, {"key": "b", "seed": 1}]}
    folder = write_dataset(tmp_path, jobs, draw_damaged, Plan("damaged", workers=1))
    (problem,) = verify(folder)
    assert problem.startswith(f"{folder}/val/000000.tar:b: not a readable picture")


def draw_damaged(job: dict[str, object]) -> object:
    clip = drawn_clips.draw(job)
    return clip if job["key"] == "a" else type(clip)(clip.key, clip.jpeg[:50], clip.waveform_T, None)


def test_the_command_reports_counts_and_problems_and_ends_with_0_1_or_2(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", str(copy)]) == 0
    counts = "train 23 clips (0 rejected), val 7 clips (0 rejected), test 5 clips (0 rejected)"
    assert capsys.readouterr().out == f"{copy}: {counts}; 0 problems\n"
    (copy / "val" / "000001.tar").unlink()
    assert cli.main(["verify", str(copy)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith(f"; {len(out) - 1} problems")
    assert "- val/000001.tar: missing" in out
    (copy / "dataset.json").unlink()
    assert cli.main(["verify", str(copy)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sound2scene: {copy}: no dataset.json there")
    assert error.count("\n") == 1


def test_a_missing_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset\.json there"):
        verify(tmp_path)
