import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drawn_clips import write_pairs, write_picture, write_sound
from sound2scene import audio, images
from sound2scene.data.batches.reader import open_picture
from sound2scene.data.corpora.pairs import folder_jobs, holds_pairs, make_pair, paired
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.types import Clip, InputError, Rejected

NAMES = [f"clip {number}" for number in range(20)]


def names(splits: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    return {split: [job["name"] for job in jobs] for split, jobs in splits.items()}


def test_a_folder_of_pairs_gives_every_pair_once(tmp_path: Path) -> None:
    write_pairs(tmp_path, NAMES)
    splits = folder_jobs(tmp_path, 0.2, 0.3)
    assert {split: len(jobs) for split, jobs in splits.items()} == {"train": 11, "val": 3, "test": 6}
    assert sorted(name for found in names(splits).values() for name in found) == sorted(NAMES)
    for job in splits["train"]:
        assert Path(job["image"]).stem == Path(job["sound"]).stem == job["name"]
        assert job["key"] == job["name"].replace(" ", "=20")
    assert names(folder_jobs(tmp_path, 0.2, 0.3)) == names(splits)
    assert list(folder_jobs(tmp_path, 0.2, 0.0)) == ["train", "val"]


def test_a_folder_per_class_gives_labels_and_keys_of_their_own(tmp_path: Path) -> None:
    for label in ("dog", "water flowing"):
        write_pairs(tmp_path / label, ["a", "b"])
    jobs = [job for found in folder_jobs(tmp_path, 0.5, 0.0).values() for job in found]
    assert sorted((job["key"], job["label"]) for job in jobs) == [
        ("dog-a", "dog"),
        ("dog-b", "dog"),
        ("water=20flowing-a", "water flowing"),
        ("water=20flowing-b", "water flowing"),
    ]


def test_halves_without_partner_and_unreadable_files_are_reported_and_not_lost(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "source", ["a", "b", "c", "d", "e"])
    (source / "audios" / "a.wav").unlink()
    (source / "images" / "b.jpg").unlink()
    (source / "images" / "c.jpg").write_bytes(b"no picture")
    (source / "audios" / "d.wav").write_bytes(b"")
    (source / "audios" / ".hidden").write_bytes(b"left by a file manager")
    folder = write_dataset(
        tmp_path / "shards", folder_jobs(source, 0.0, 0.0), make_pair, Plan("p", workers=1)
    )
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
        folder_jobs(tmp_path, 0.1, 0.0)
    other.unlink()
    write_sound(tmp_path / "audios" / "a.flac")
    with pytest.raises(InputError, match=r"audios/a\.wav: has the name of a\.flac"):
        folder_jobs(tmp_path, 0.1, 0.0)


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match="neither images/ and audios/ nor class folders"):
            folder_jobs(folder, 0.1, 0.0)


def test_a_folder_with_pictures_and_sounds_holds_pairs_and_one_of_videos_does_not(tmp_path: Path) -> None:
    for names in (["plain/images", "plain/audios"], ["classes/dog/images", "classes/dog/audios"]):
        for name in names:
            (tmp_path / name).mkdir(parents=True)
    for name in ("videos/dog", "half/images", "apart/a/images", "apart/b/audios", "deep/a/b/images"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "videos" / "dog" / "a.mp4").touch()
    assert [path.name for path in sorted(tmp_path.iterdir()) if holds_pairs(path)] == ["classes", "plain"]


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


def test_a_picture_that_is_to_be_turned_is_upright_in_its_shard_too(tmp_path: Path) -> None:
    stored = Image.new("RGB", (60, 40), (0, 0, 255))
    stored.paste((255, 0, 0), (0, 0, 30, 40))  # red on the left, and on top once it is turned clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    jobs = []
    for form in ("JPEG", "PNG"):
        picture = tmp_path / f"{form}.any"
        stored.save(picture, form, exif=exif.tobytes())
        jobs.append(job(picture, write_sound(tmp_path / "a.wav")) | {"key": form})
    folder = write_dataset(tmp_path / "shards", {"train": jobs}, make_pair, Plan("p", workers=1))
    shards = ShardDataset(folder, "train")
    for position in range(2):
        image = open_picture(shards, position)
        assert image.size == (40, 60)
        assert image.getpixel((20, 10))[0] > 200
        assert image.getpixel((20, 50))[2] > 200


def test_a_named_pipe_as_picture_or_sound_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    sound, picture = write_sound(tmp_path / "a.wav"), write_picture(tmp_path / "a.png", form="PNG")
    with pytest.raises(InputError, match=r"pipe: cannot be read \(is a named pipe and no regular file\)"):
        make_pair(job(tmp_path / "pipe", sound))
    with pytest.raises(InputError, match=r"pipe: cannot be opened \(is a named pipe and no regular file\)"):
        make_pair(job(picture, tmp_path / "pipe"))


def test_a_missing_half_is_rejected_and_a_missing_file_is_one_line(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "a.wav")
    assert make_pair(job(None, sound)) == Rejected("k", "no image of that name", "no_image")
    assert make_pair(job(sound, None)) == Rejected("k", "no sound of that name", "no_sound")
    with pytest.raises(InputError, match=r"gone\.jpg: cannot be read \(No such file"):
        make_pair(job(tmp_path / "gone.jpg", sound))


def test_the_published_pairs_become_four_clips(real_data: Path, tmp_path: Path) -> None:
    splits = folder_jobs(real_data / "vggsound_samples" / "training", 0.25, 0.0)
    folder = write_dataset(tmp_path, splits, make_pair, Plan("samples", workers=1))
    found = [ShardDataset(folder, split) for split in ("train", "val")]
    assert [len(shards) for shards in found] == [3, 1]
    for shards in found:
        for position in range(len(shards)):
            source = real_data / "vggsound_samples" / "training" / "images" / f"{shards.key(position)}.jpg"
            assert shards.member(position, "jpg") == source.read_bytes()


def test_leftovers_of_systems_are_no_pairs_and_no_classes(tmp_path: Path) -> None:
    for label in ("dog", "__MACOSX", ".ipynb_checkpoints"):
        for half, suffix in (("images", "jpg"), ("audios", "wav")):
            (tmp_path / label / half).mkdir(parents=True)
            for name in (f"1.{suffix}", f"._1.{suffix}", "Thumbs.db", ".DS_Store"):
                (tmp_path / label / half / name).touch()
    assert [job["key"] for job in paired(tmp_path)] == ["dog-1"]


def test_two_pairs_of_one_key_are_refused_by_the_names_of_both_files(tmp_path: Path) -> None:
    for name in ("a/images/b-c.jpg", "a-b/images/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"b-c\.jpg and .*c\.jpg: both become the clip a-b-c; rename one"):
        paired(tmp_path)
