import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_clips import write_pairs, write_picture, write_sound
from sound2scene import audio, images
from sound2scene.data.corpora.pairs import folder_jobs, held_out, make_pair, manifest_jobs
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.types import Clip, InputError, Rejected

NAMES = [f"clip {number}" for number in range(20)]


def names(splits: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    return {split: [job["name"] for job in jobs] for split, jobs in splits.items()}


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(10, 0.2, 2), (10, 0.0, 0), (2, 0.01, 1), (1, 0.5, 0), (0, 0.5, 0), (1, 1.0, 1)],
)
def test_the_held_out_share_is_kept_and_never_all_or_nothing_by_accident(
    count: int, share: float, expected: int
) -> None:
    assert len(held_out(map(str, range(count)), share)) == expected


def test_what_is_held_out_does_not_depend_on_order_or_doubles() -> None:
    assert held_out(NAMES, 0.3) == held_out([*reversed(NAMES), *NAMES], 0.3)
    # A larger share holds out what a smaller one does, and more.
    assert held_out(NAMES, 0.3) < held_out(NAMES, 0.6)


def test_a_folder_of_pairs_gives_every_pair_once(tmp_path: Path) -> None:
    write_pairs(tmp_path, NAMES)
    splits = folder_jobs(tmp_path, 0.2, 0.3)
    assert {split: len(jobs) for split, jobs in splits.items()} == {"train": 11, "val": 3, "test": 6}
    assert sorted(name for found in names(splits).values() for name in found) == sorted(NAMES)
    for job in splits["train"]:
        assert Path(job["image"]).stem == Path(job["sound"]).stem == job["name"]
        assert job["key"] == job["name"].replace(" ", "_")
    assert names(folder_jobs(tmp_path, 0.2, 0.3)) == names(splits)
    assert list(folder_jobs(tmp_path, 0.2)) == ["train", "val"]


def test_a_folder_per_class_gives_labels_and_keys_of_their_own(tmp_path: Path) -> None:
    for label in ("dog", "water flowing"):
        write_pairs(tmp_path / label, ["a", "b"])
    jobs = [job for found in folder_jobs(tmp_path, 0.5).values() for job in found]
    assert sorted((job["key"], job["label"]) for job in jobs) == [
        ("dog-a", "dog"),
        ("dog-b", "dog"),
        ("water_flowing-a", "water flowing"),
        ("water_flowing-b", "water flowing"),
    ]


def test_halves_without_partner_and_unreadable_files_are_reported_and_not_lost(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "source", ["a", "b", "c", "d", "e"])
    (source / "audios" / "a.wav").unlink()
    (source / "images" / "b.jpg").unlink()
    (source / "images" / "c.jpg").write_bytes(b"no picture")
    (source / "audios" / "d.wav").write_bytes(b"")
    (source / "audios" / ".hidden").write_bytes(b"left by a file manager")
    folder = write_dataset(tmp_path / "shards", folder_jobs(source, 0.0), make_pair, Plan("p", workers=1))
    assert [ShardDataset(folder, "train").key(n) for n in range(1)] == ["e"]
    lines = [json.loads(line) for line in (folder / "train" / "rejected.jsonl").read_text().splitlines()]
    reasons = {line["key"]: line["reason"] for line in lines}
    assert reasons["a"] == "no sound of that name"
    assert reasons["b"] == "no image of that name"
    assert "c.jpg: not a picture" in reasons["c"]
    assert "d.wav: is empty" in reasons["d"]
    assert len(reasons) == len(lines) == 4


def test_two_pictures_or_two_sounds_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    write_pairs(tmp_path, ["a", "b"])
    other = write_picture(tmp_path / "images" / "b.png")
    with pytest.raises(InputError, match=r"images/b\.png: has the name of b\.jpg; keep one of the two"):
        folder_jobs(tmp_path)
    other.unlink()
    write_sound(tmp_path / "audios" / "a.flac")
    with pytest.raises(InputError, match=r"audios/a\.wav: has the name of a\.flac"):
        folder_jobs(tmp_path)


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match="neither images/ and audios/ nor class folders"):
            folder_jobs(folder)


def job(image: Path | None, sound: Path | None) -> dict[str, Any]:
    return {
        "key": "k",
        "image": None if image is None else str(image),
        "sound": None if sound is None else str(sound),
        "label": "dog",
    }


def test_a_pair_keeps_its_jpeg_bit_for_bit_and_tiles_its_sound(tmp_path: Path) -> None:
    picture, sound = (
        write_picture(tmp_path / "a.JPG", form="JPEG"),
        write_sound(tmp_path / "a.wav", seconds=0.5),
    )
    clip = make_pair(job(picture, sound))
    assert isinstance(clip, Clip)
    assert clip.jpeg == picture.read_bytes()
    assert np.array_equal(clip.waveform_T, audio.load(sound))
    assert clip.waveform_T.shape == (160_000,)
    assert (clip.key, clip.moment_s, clip.label) == ("k", None, "dog")
    assert clip.metadata == {"image": "a.JPG", "sound": "a.wav"}


@pytest.mark.parametrize(("name", "form"), [("a.png", "PNG"), ("a.jpg", "PNG"), ("a.webp", "WEBP")])
def test_any_other_picture_becomes_a_jpeg_whatever_its_suffix_says(
    name: str, form: str, tmp_path: Path
) -> None:
    clip = make_pair(job(write_picture(tmp_path / name, form=form), write_sound(tmp_path / "a.wav")))
    assert isinstance(clip, Clip)
    assert clip.jpeg.startswith(b"\xff\xd8\xff")
    before, after = (images.decode_jpeg(data, "") for data in ((tmp_path / name).read_bytes(), clip.jpeg))
    assert np.abs(np.asarray(before, float) - np.asarray(after, float)).mean() < 12


def test_a_missing_half_is_rejected_and_a_missing_file_is_one_line(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "a.wav")
    assert make_pair(job(None, sound)) == Rejected("k", "no image of that name", "no_image")
    assert make_pair(job(sound, None)) == Rejected("k", "no sound of that name", "no_sound")
    with pytest.raises(InputError, match=r"gone\.jpg: cannot be read \(No such file"):
        make_pair(job(tmp_path / "gone.jpg", sound))


COLUMNS = ("file", "modality", "class", "split", "group")


def manifest(folder: Path, rows: list[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def rows(sounds: int = 8, pictures: int = 20) -> list[tuple[str, ...]]:
    """Two classes; two sounds of each group, every fourth file in the test."""
    found = []
    for label in ("cat", "dog"):
        for modality, count in (("audio", sounds), ("image", pictures)):
            for number in range(count):
                group = f"{label}-{modality}-{number // 2}"
                split = "test" if number % 8 >= 6 else "train"
                found.append((f"{modality}/{label}/{number}.x", modality, label, split, group))
    return found


def test_a_manifest_holds_out_whole_groups_and_draws_within_class_and_split(tmp_path: Path) -> None:
    table = {row[0]: row for row in rows()}
    splits = manifest_jobs(manifest(tmp_path, rows()), 0.3)
    groups: dict[str, set[str]] = {}
    for split, jobs in splits.items():
        assert len(jobs) > 0
        for pair in jobs:
            halves = [table[str(Path(pair[half]).relative_to(tmp_path))] for half in ("sound", "image")]
            assert [half[1] for half in halves] == ["audio", "image"]
            assert {half[2] for half in halves} == {pair["label"]}
            assert {half[3] for half in halves} == {"test" if split == "test" else "train"}
            groups.setdefault(split, set()).update(half[4] for half in halves)
    assert not groups["train"] & groups["val"]
    assert not (groups["train"] | groups["val"]) & groups["test"]
    keys = [pair["key"] for jobs in splits.values() for pair in jobs]
    assert len(set(keys)) == len(keys)


def test_training_uses_every_file_and_the_test_every_sound_once(tmp_path: Path) -> None:
    splits = manifest_jobs(manifest(tmp_path, rows()), 0.3)
    used = {
        split: Counter(pair[half] for pair in splits[split] for half in ("sound", "image"))
        for split in splits
    }
    files = {str(tmp_path / row[0]) for row in rows() if row[3] == "train"}
    assert used["train"].keys() | used["val"].keys() == files
    sounds = sorted(str(tmp_path / row[0]) for row in rows() if row[3] == "test" and row[1] == "audio")
    assert sorted(pair["sound"] for pair in splits["test"]) == sounds


def test_the_draw_depends_on_its_seed(tmp_path: Path) -> None:
    path = manifest(tmp_path, rows())
    assert manifest_jobs(path, seed=1) == manifest_jobs(path, seed=1)
    assert manifest_jobs(path, seed=1) != manifest_jobs(path, seed=2)


@pytest.mark.parametrize(
    ("changed", "columns", "complaint"),
    [
        (rows(), ("file", "kind", "class", "split", "group"), r"missing: \['modality'\]"),
        ([], COLUMNS, r"missing: \['rows'\]"),
        (
            [*rows(), ("x", "audio", "cat", "dev", "g")],
            COLUMNS,
            "x: modality must be audio or image, split train or",
        ),
        ([*rows(), ("x", "video", "cat", "test", "g")], COLUMNS, "x: modality must be audio or image"),
        (
            [*rows(), ("x", "audio", "cow", "test", "g")],
            COLUMNS,
            "class 'cow' has no pictures or no sounds in test",
        ),
    ],
    ids=["column", "empty", "split", "modality", "half a class"],
)
def test_a_manifest_that_cannot_be_is_refused_in_one_line(
    changed: list[tuple[str, ...]], columns: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        manifest_jobs(manifest(tmp_path, changed, columns))
    assert str(tmp_path / "manifest.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such manifest"):
        manifest_jobs(tmp_path / "none.csv")


def test_the_published_pairs_become_four_clips(real_data: Path, tmp_path: Path) -> None:
    splits = folder_jobs(real_data / "vggsound_samples" / "training", 0.25)
    folder = write_dataset(tmp_path, splits, make_pair, Plan("samples", workers=1))
    found = [ShardDataset(folder, split) for split in ("train", "val")]
    assert [len(shards) for shards in found] == [3, 1]
    for shards in found:
        for position in range(len(shards)):
            source = real_data / "vggsound_samples" / "training" / "images" / f"{shards.key(position)}.jpg"
            assert shards.member(position, "jpg") == source.read_bytes()


def test_the_real_manifest_holds_out_whole_groups_and_keeps_every_test_sound(real_data: Path) -> None:
    path = real_data / "pairs" / "manifest.csv"
    with path.open(newline="") as file:
        table = {str(path.parent / row["file"]): row for row in csv.DictReader(file)}
    splits = manifest_jobs(path)
    groups = {
        split: {table[pair[half]]["group"] for pair in jobs for half in ("sound", "image")}
        for split, jobs in splits.items()
    }
    assert any(group.startswith("esc_") for group in groups["val"])
    assert not groups["train"] & groups["val"]
    assert not (groups["train"] | groups["val"]) & groups["test"]
    sounds = sorted(
        name for name, row in table.items() if row["modality"] == "audio" and row["split"] == "test"
    )
    assert sorted(pair["sound"] for pair in splits["test"]) == sounds
    assert len(sounds) == 117
    for jobs in splits.values():
        assert len({pair["label"] for pair in jobs}) == 13
        assert all(
            table[pair["sound"]]["class"] == table[pair["image"]]["class"] == pair["label"] for pair in jobs
        )
    assert {name for jobs in splits.values() for pair in jobs for name in (pair["sound"], pair["image"])} >= {
        name for name, row in table.items() if row["split"] == "train"
    }
