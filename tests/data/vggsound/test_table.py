import csv
import gzip
import random
import string
from pathlib import Path

import pytest

from drawn_clips import write_pairs, write_picture, write_sound
from sound2scene.data.vggsound.jobs import vggsound_jobs
from sound2scene.data.vggsound.names import ClipName
from sound2scene.data.vggsound.table import Row, read_classes, read_table
from sound2scene.types import InputError

ALPHABET = string.ascii_letters + string.digits + "_-"


def spellings(name: ClipName) -> list[str]:
    return [name.in_ms(), name.in_s(), f"{name.video}_{name.start_ms / 1000:.3f}"]


def generated(count: int) -> list[ClipName]:
    """Ids thick with `_` and `-`, and digits where a start might be looked for."""
    rng = random.Random(0)
    ids = ["-" * 11, "_" * 11, "0123456_000", "_000030_000", "-1_2_3-4_5_", "12345678901", "_10000_2000"]
    ids += ["".join(rng.choice(ALPHABET + "__--") for _ in range(11)) for _ in range(count)]
    return [ClipName(video, 1000 * rng.choice((0, 1, 30, 999, 12_345))) for video in ids]


def test_every_spelling_of_a_generated_name_comes_back() -> None:
    for name in generated(2000):
        assert [ClipName.parse(spelling) for spelling in spellings(name)] == [name] * 3


@pytest.fixture(scope="module")
def table(real_data: Path) -> dict[ClipName, Row]:
    return read_table(real_data / "metadata" / "vggsound.csv.gz")


def test_every_name_of_the_table_comes_back_from_every_spelling(
    real_data: Path, table: dict[ClipName, Row]
) -> None:
    assert len(table) == 199_176
    for name in table:
        assert ClipName.parse(name.in_ms()) == name
        assert ClipName.parse(name.in_s()) == name
    with gzip.open(real_data / "metadata" / "vggsound.csv.gz", "rt", newline="") as file:
        lines = list(csv.reader(file))
    assert [(line[0], int(line[1]) * 1000) for line in lines] == [tuple(name) for name in table]
    assert [(line[2], line[3]) for line in lines] == [tuple(row) for row in table.values()]
    both = {name.in_ms() for name in table} | {name.in_s() for name in table}
    assert len(both) == 2 * len(table)


def test_known_names_mean_what_their_sources_say() -> None:
    assert ClipName.parse("-1pRmoJIGQc_10000_20000") == ("-1pRmoJIGQc", 10_000)
    assert ClipName.parse("0B4dYTMsgHA_000130") == ("0B4dYTMsgHA", 130_000)
    assert ClipName.parse("00W1lcxW-WU_40.000") == ("00W1lcxW-WU", 40_000)
    assert ClipName.parse("-21-GT2EIM_174000_184000") == (
        "-21-GT2EIM",
        174_000,
    )  # one of the table has 10 characters
    assert ClipName.parse("-21-GT2EIM_000224") == ("-21-GT2EIM", 224_000)
    assert ClipName("0B4dYTMsgHA", 130_000).in_ms() == "0B4dYTMsgHA_130000_140000"
    assert ClipName("0B4dYTMsgHA", 130_000).in_s() == "0B4dYTMsgHA_000130"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "dog",
        "0B4dYTMsgHA",
        "0B4dYTMsgHA_30",
        "0B4dYTMsgHA_30_",
        "0B4dYTMsgH_000030",
        "0B4dYTMsgHAA_000030",
        "0B4dYTMsgHA_20000_10000",
        "0B4dYTMsgHA_10000_10000",
        "0B4dYTMsgHA_-10_10000",
        "0B4dYTMsgHA_000030.mp4",
        "../0B4dYTMsgHA_000030",
        "0B4dYTMsg A_000030",
        "0B4dYTMsgHA_000030\n",
        "0B4dYTMsgHA_٠٠٠٠٣٠",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="not a VGGSound name") as caught:
        ClipName.parse(name)
    assert "\n" not in str(caught.value)


def test_a_start_within_a_second_has_no_name_in_seconds() -> None:
    assert ClipName.parse("0B4dYTMsgHA_1500_11500").start_ms == 1500
    with pytest.raises(InputError, match="does not start at a whole second"):
        ClipName("0B4dYTMsgHA", 1500).in_s()


LINES = '0B4dYTMsgHA,130,dog barking,train\n-26aVYRtEAc,30,"playing, loudly",test\n'


def test_a_table_is_read_plain_and_gzipped(tmp_path: Path) -> None:
    plain, packed = tmp_path / "v.csv", tmp_path / "v.csv.gz"
    plain.write_text(LINES)
    packed.write_bytes(gzip.compress(LINES.encode()))
    expected = {
        ClipName("0B4dYTMsgHA", 130_000): Row("dog barking", "train"),
        ClipName("-26aVYRtEAc", 30_000): Row("playing, loudly", "test"),
    }
    assert read_table(plain) == read_table(packed) == expected


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a,b,c\n", r"v\.csv:3: expected id"),
        ("a,x,c,train\n", r"v\.csv:3: expected id"),
        ("a,²,c,train\n", r"v\.csv:3: expected id"),
        ("a,1,c,val\n", r"v\.csv:3: expected id"),
        (
            "0B4dYTMsgHA,130,cat,test\n-26aVYRtEAc,30,cat,test\n",
            r"v\.csv: 2 clips stand twice: 0B4dYTMsgHA_000130 \(train; line 3: test\), "
            r"-26aVYRtEAc_000030 \(test; line 4: test\); keep",
        ),
    ],
)
def test_a_wrong_line_of_a_table_is_named(line: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(LINES + line)
    with pytest.raises(InputError, match=complaint):
        read_table(tmp_path / "v.csv")


def test_a_table_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    cut, text = tmp_path / "cut.csv.gz", tmp_path / "bytes.csv"
    cut.write_bytes(gzip.compress(LINES.encode() * 100)[:-20])
    text.write_bytes(b"\xff\xfe")
    for path in (cut, text, tmp_path / "none.csv", tmp_path / "none.csv.gz"):
        with pytest.raises(InputError, match=f"{path.name}: cannot be read") as caught:
            read_table(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_classes(tmp_path / "none.txt")


def videos(count: int) -> list[str]:
    return [f"video-{number:05d}" for number in range(count)]


def table_of(count: int, clips: int = 2) -> dict[ClipName, Row]:
    """`clips` clips of each video; every fifth video in the test, every third a dog."""
    return {
        ClipName(video, 10_000 * clip): Row(
            "cat" if number % 3 else "dog", "test" if number % 5 == 0 else "train"
        )
        for number, video in enumerate(videos(count))
        for clip in range(clips)
    }


def test_clips_keep_the_official_split_and_validation_takes_whole_videos(tmp_path: Path) -> None:
    table = table_of(20)
    for seed, name in enumerate(table):
        spelling = spellings(name)[seed % 3]
        write_picture(tmp_path / "images" / f"{spelling}.jpg", seed)
        write_sound(tmp_path / "audios" / f"{spelling}.wav", seed)
    splits, notes, *_ = vggsound_jobs(tmp_path, table, val_share=0.25)
    assert {split: len(jobs) for split, jobs in splits.items()} == {"train": 24, "val": 8, "test": 8}
    of = {split: {job["key"][:11] for job in jobs} for split, jobs in splits.items()}
    assert not of["train"] & of["val"]
    assert not (of["train"] | of["val"]) & of["test"]
    for split, jobs in splits.items():
        for job in jobs:
            row = table[ClipName.parse(job["key"])]
            assert (job["label"], row.split) == (row.label, "test" if split == "test" else "train")
    assert notes["coverage"] == {"train": {"found": 32, "expected": 32}, "test": {"found": 8, "expected": 8}}


def test_picture_and_sound_meet_in_different_spellings(tmp_path: Path) -> None:
    name = ClipName("-_000030_-_", 30_000)
    write_picture(tmp_path / "images" / f"{name.in_ms()}.jpg")
    write_sound(tmp_path / "audios" / f"{name.in_s()}.wav")
    splits, *_ = vggsound_jobs(tmp_path, {name: Row("dog", "test")})
    (job,) = splits["test"]
    assert job["key"] == name.in_ms()
    assert job["image"] is not None
    assert job["sound"] is not None


def test_coverage_counts_whole_pairs_of_the_classes_taken(tmp_path: Path) -> None:
    table = table_of(20, clips=1)
    dogs = [name for name, row in table.items() if row.label == "dog"]
    cats = [name for name, row in table.items() if row.label == "cat"]
    write_pairs(tmp_path, [name.in_s() for name in [*dogs[:4], *cats[:3]]])
    write_sound(tmp_path / "audios" / f"{dogs[5].in_s()}.wav")
    splits, notes, missing, _ = vggsound_jobs(tmp_path, table, ["dog"])
    assert {job["label"] for jobs in splits.values() for job in jobs} == {"dog"}
    assert sum(map(len, splits.values())) == 5  # the half is there, to be reported as rejected
    found = {split: sum(table[name].split == split for name in dogs[:4]) for split in ("train", "test")}
    expected = {split: sum(table[name].split == split for name in dogs) for split in ("train", "test")}
    assert notes["coverage"] == {
        split: {"found": found[split], "expected": expected[split]} for split in ("train", "test")
    }
    assert notes["outside_classes"] == 3
    there = {job["key"] for jobs in splits.values() for job in jobs}
    assert {key for keys in missing.values() for key in keys} == {name.in_ms() for name in dogs} - there


def test_names_classes_and_clips_that_are_not_of_the_table_are_refused(tmp_path: Path) -> None:
    table = table_of(3)
    write_pairs(tmp_path / "good", ["video-00001_000000"])
    with pytest.raises(InputError, match="classes not in the table: bark, dogs; check their spelling"):
        vggsound_jobs(tmp_path / "good", table, ["dogs", "dog", "bark"])
    write_pairs(tmp_path / "bad", ["holiday"])
    with pytest.raises(InputError, match="'holiday': not a VGGSound name"):
        vggsound_jobs(tmp_path / "bad", table)
    write_pairs(tmp_path / "other", ["video-00001_000777"])
    with pytest.raises(InputError, match="not in the table; remove it"):
        vggsound_jobs(tmp_path / "other", table)


def test_classes_are_read_one_per_line(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("# chosen\ndog barking \n\n cat meowing\n")
    assert read_classes(tmp_path / "c.txt") == ["dog barking", "cat meowing"]


def test_the_50_classes_of_the_paper_have_the_published_counts(
    real_data: Path, table: dict[ClipName, Row]
) -> None:
    classes = read_classes("50")
    assert classes == read_classes(real_data / "metadata" / "sound2scene_categories_50.txt")
    assert len(set(classes)) == 50
    splits, notes, *_ = vggsound_jobs(
        real_data / "vggsound_samples" / "training", table, classes, val_share=0.0
    )
    assert {split: found["expected"] for split, found in notes["coverage"].items()} == {
        "train": 35_101,
        "test": 2498,
    }
    found = sum(part["found"] for part in notes["coverage"].values())
    assert found + notes["outside_classes"] == 4
    assert sum(map(len, splits.values())) == found
