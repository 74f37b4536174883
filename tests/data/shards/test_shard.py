import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

import drawn_clips
from sound2scene.data.shards.shard import SIDECAR, is_key, safe_key, write_shard
from sound2scene.types import InputError


def jobs(*seeds: int) -> list[dict[str, Any]]:
    return [{"key": f"c{seed}", "seed": seed} for seed in seeds]


def test_safe_keys_are_taken_and_keep_what_is_safe() -> None:
    assert safe_key("-a_B9") == "-a_B9"
    assert safe_key("a.b/c é\n=") == "a=2Eb=2Fc=20=C3=A9=0A=3D"
    assert safe_key("n" * 250) == "n" * 250


NAMES = (
    "a b",
    "a_b",
    "a.b",
    "a/b",
    "a=20b",
    "犬",
    "猫",
    "犬 ",
    "собака",
    "кошка",
    "caf\udce9",
    "café",
    "a\n",
    "a\0",
)


def test_names_in_any_script_have_keys_of_their_own(tmp_path: Path) -> None:
    long = ["n" * 251, "n" * 252, "犬" * 100, "犬" * 99 + "猫", "n" * 249 + ".", "n" * 249 + ","]
    keys = [safe_key(name) for name in (*NAMES, *long)]
    assert len(set(keys)) == len(keys)
    assert all(key.isascii() and len(key) <= 250 and is_key(key) for key in keys)
    made = [{"key": key, "seed": seed} for seed, key in enumerate(keys)]
    found = write_shard(tmp_path / "000000.tar", made, drawn_clips.draw, "digest")
    assert [row["key"] for row in found["rows"]] == keys


def test_a_shard_says_where_its_clips_lie_and_which_could_not_be_made(tmp_path: Path) -> None:
    found = write_shard(tmp_path / "000000.tar", jobs(0, 1, 2, 3), drawn_clips.draw_some, "digest")
    data = (tmp_path / "000000.tar").read_bytes()
    assert (found["name"], found["bytes"], found["jobs"]) == ("000000.tar", len(data), "digest")
    assert [(row["key"], row["label"]) for row in found["rows"]] == [("c0", "bell"), ("c2", None)]
    assert [entry[0::2] for entry in found["rejected"]] == [("c1", "no_sound"), ("c3", "unreadable")]
    for row in found["rows"]:
        first, size = row["offset"][0], row["size"][0]
        assert data[first : first + size].startswith(b"\xff\xd8\xff")
    assert SIDECAR.read(tmp_path / "000000.part.json") == found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.part.json", "000000.tar"]


def test_a_shard_that_stands_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"
    before = write_shard(path, jobs(0, 2), drawn_clips.draw, "digest")
    stamp = path.stat().st_mtime_ns
    assert write_shard(path, jobs(0, 2), drawn_clips.fail, "digest") == before
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("lost", ["000000.tar", "000000.part.json"])
def test_a_shard_without_its_sidecar_and_a_sidecar_without_its_shard_are_made_again(
    lost: str, tmp_path: Path
) -> None:
    path = tmp_path / "000000.tar"
    before = write_shard(path, jobs(0, 2), drawn_clips.draw, "digest")
    data = path.read_bytes()
    (tmp_path / lost).unlink()
    assert write_shard(path, jobs(0, 2), drawn_clips.draw, "digest") == before
    assert path.read_bytes() == data


def test_a_shard_of_rejected_clips_alone_is_no_file_and_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"
    before = write_shard(path, jobs(1, 6), drawn_clips.draw_some, "digest")
    assert (before["clips"], len(before["rejected"])) == (0, 2)
    assert not path.exists()
    assert write_shard(path, jobs(3), drawn_clips.fail, "digest") == before


@pytest.mark.parametrize("name", ["a.b", "a/b", "../a", "", "é", "a b", "n" * 251])
def test_a_key_that_a_tar_would_misread_is_refused_alone(name: str, tmp_path: Path) -> None:
    made = [{"key": "c0", "seed": 0, "name": name}, {"key": "c2", "seed": 2, "name": "good"}]
    found = write_shard(tmp_path / "000000.tar", made, drawn_clips.draw_under_one_name, "digest")
    assert [row["key"] for row in found["rows"]] == ["good"]
    ((key, reason, kind),) = found["rejected"]
    assert (key, kind) == ("c0", "unusable_name")
    assert reason.startswith(f"clip name {name!r}: use letters, digits")


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"jobs": 1}', b"\xff", b"[" * 10**5])
def test_a_damaged_sidecar_is_refused_in_one_line_that_names_it(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"
    write_shard(path, jobs(0), drawn_clips.draw, "digest")
    (tmp_path / "000000.part.json").write_bytes(damage)
    with pytest.raises(InputError, match=r"000000\.part\.json: .*; remove this file") as caught:
        write_shard(path, jobs(0), drawn_clips.draw, "digest")
    assert "\n" not in str(caught.value)


def test_the_same_clips_are_the_same_bytes_and_tell_no_time_and_no_owner(tmp_path: Path) -> None:
    one, other = (tmp_path / name for name in ("a.tar", "b.tar"))
    for path in (one, other):
        write_shard(path, jobs(0, 2), drawn_clips.draw, "digest")
    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(one.read_bytes())) as tar:
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
