import json
from pathlib import Path

import pytest

from sound2scene.data.selection.file import Choice, Selection
from sound2scene.data.selection.parts import Parts, Refused
from sound2scene.types import InputError

SCORER = {"name": "x.Y", "fingerprint": None, "settings": {"top_k": 2}}
CHOICE = Choice((1.5, 0.1), (0.25, 0.125), 10.0)
BAD = Refused("silent", "b.mp4: silent; leave it out")


def written(target: Path, rank: int, **found: Choice | Refused) -> None:
    parts = Parts(target, SCORER)
    for key, one in found.items():
        parts.add(rank, key, one)
    parts.close()


def test_what_every_rank_added_is_found_again_and_becomes_one_file(tmp_path: Path) -> None:
    target = tmp_path / "new" / "s.json"
    written(target, 0, a=CHOICE)
    written(target, 3, b=BAD, c=CHOICE)
    written(target, 0, d=CHOICE)
    assert len(target.with_name("s.json.part-0.jsonl").read_text().splitlines()) == 3
    expected = Selection(SCORER, {"a": CHOICE, "c": CHOICE, "d": CHOICE}, {"b": tuple(BAD)})
    parts = Parts(target, SCORER)
    assert parts.selection() == expected
    assert not target.exists()
    assert parts.finish() == expected
    assert [path.name for path in target.parent.iterdir()] == ["s.json"]
    assert Parts(target, SCORER).selection() == expected == Selection.load(target)


def test_a_video_is_on_disk_as_soon_as_it_is_added(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "s.json", SCORER)
    parts.add(0, "a", CHOICE)
    assert Parts(tmp_path / "s.json", SCORER).selection().videos == {"a": CHOICE}
    parts.close()


def test_a_part_torn_at_any_byte_loses_at_most_its_last_video(tmp_path: Path) -> None:
    written(tmp_path / "s.json", 0, a=CHOICE, b=BAD, c=CHOICE)
    whole = (tmp_path / "s.json.part-0.jsonl").read_bytes()
    for length in range(len(whole) + 1):
        target = tmp_path / str(length) / "s.json"
        part = target.with_name("s.json.part-0.jsonl")
        part.parent.mkdir()
        part.write_bytes(whole[:length])
        found = Parts(target, SCORER).selection()
        assert len(found.videos) + len(found.rejected) == max(0, whole[:length].count(b"\n") - 1)
        missing = {
            key: one
            for key, one in {"a": CHOICE, "b": BAD, "c": CHOICE}.items()
            if key not in found.videos and key not in found.rejected
        }
        written(target, 0, **missing)
        if missing:
            assert part.read_bytes() == whole


def test_a_kill_between_the_finished_file_and_the_removal_of_parts_is_mended(tmp_path: Path) -> None:
    target = tmp_path / "s.json"
    written(target, 0, a=CHOICE)
    part = target.with_name("s.json.part-0.jsonl").read_bytes()
    Parts(target, SCORER).finish()
    finished = target.read_bytes()
    target.with_name("s.json.part-0.jsonl").write_bytes(part)
    Parts(target, SCORER).finish()
    assert target.read_bytes() == finished
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_the_parts_of_another_selection_in_the_same_folder_are_left_alone(tmp_path: Path) -> None:
    written(tmp_path / "s.json", 0, a=CHOICE)
    Parts(tmp_path / "other.json", {"name": "other"}).finish()
    assert {path.name for path in tmp_path.iterdir()} == {"s.json.part-0.jsonl", "other.json"}


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "nonsense",
        '{"key": "b", "rejected": ["x"]}',
        '{"key": "b"}',
        "\0\0",
        "[" * 10**5,
        '{"key": "b", "moments_s": [1e999], "scores": [], "duration_s": 1}',
    ],
)
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    part = tmp_path / "s.json.part-0.jsonl"
    part.write_text(json.dumps({"format": 1, "scorer": SCORER}) + f"\n{line}\n")
    with pytest.raises(InputError, match=r"part-0\.jsonl:2: ") as caught:
        Parts(tmp_path / "s.json", SCORER)
    assert "\n" not in str(caught.value)


def test_the_part_of_another_scorer_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "s.json", 0, a=CHOICE)
    with pytest.raises(InputError, match=r"part-0\.jsonl: was scored by .*x\.Y.* delete this file"):
        Parts(tmp_path / "s.json", {**SCORER, "fingerprint": "abc"})


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"s\.json: cannot be written"):
        Parts(tmp_path / "file" / "s.json", SCORER).add(0, "a", CHOICE)


@pytest.mark.parametrize("ranks", [(0, 1), (1, 0), (0, 0)])
def test_a_video_that_was_rejected_and_then_chosen_is_chosen_whoever_did_it(
    tmp_path: Path, ranks: tuple[int, int]
) -> None:
    written(tmp_path / "s.json", ranks[0], b=BAD)
    written(tmp_path / "s.json", ranks[1], b=CHOICE)
    assert Parts(tmp_path / "s.json", SCORER).finish() == Selection(SCORER, {"b": CHOICE}, {})


def test_lines_are_read_once_and_those_of_other_processes_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, read = tmp_path / "s.json", list[str]()
    from_json = Choice.from_json.__func__  # type: ignore[attr-defined]

    def reading(cls: type[Choice], value: object, name: str) -> Choice:
        read.append(Path(name).name)
        choice: Choice = from_json(cls, value, name)
        return choice

    written(target, 0, a=CHOICE)
    other = Parts(target, SCORER)
    monkeypatch.setattr(Choice, "from_json", classmethod(reading))
    parts = Parts(target, SCORER)
    for number, key in enumerate("bcd", 1):
        other.add(1, key, CHOICE)
        assert parts.selection().videos.keys() == set("abcd"[: number + 1])
    other.close()
    assert parts.finish() == parts.selection()
    assert read == ["s.json.part-0.jsonl:2", *(f"s.json.part-1.jsonl:{line}" for line in (2, 3, 4))]


def test_a_finished_selection_goes_on_with_new_parts(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "s.json", SCORER)
    for number, key in enumerate("abc"):
        parts.add(0, key, CHOICE)
        parts.close()
        assert parts.finish().videos.keys() == set("abc"[: number + 1])
        assert Selection.load(tmp_path / "s.json") == parts.selection()


def test_a_damaged_line_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "s.json", SCORER)
    parts.add(0, "a", CHOICE)
    assert list(parts.selection().videos) == ["a"]
    parts.add(0, "b", CHOICE)
    parts.close()
    with (tmp_path / "s.json.part-0.jsonl").open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(InputError, match=r"part-0\.jsonl:4: .*; delete this file"):
        parts.selection()


def test_a_full_disk_is_one_line_and_what_was_done_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "s.json"
    written(target, 0, a=CHOICE)
    parts = Parts(target, SCORER)

    class Full:
        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts, "_open", lambda _: Full())
    with pytest.raises(InputError, match=r"s\.json: cannot be written \(No space left on device\)") as caught:
        parts.add(0, "b", CHOICE)
    assert "\n" not in str(caught.value)
    assert Parts(target, SCORER).selection().videos == {"a": CHOICE}
