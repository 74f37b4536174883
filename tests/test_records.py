import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pytest

from sound2scene.records import Count, FileName, Record
from sound2scene.types import InputError


class Shard(TypedDict):
    name: FileName
    clips: Count
    score: NotRequired[float]


@dataclass(frozen=True)
class Pair:
    box: tuple[float, float]
    label: str | None = None


SHARD = Record(Shard, "make it again")
DAMAGES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not valid JSON"),
    "not JSON": (b"{name: 1}", "not valid JSON"),
    "cut": (b'{"name": "a", "cli', "not valid JSON"),
    "more behind it": (b'{"name": "a", "clips": 1}}', "not valid JSON"),
    "not UTF-8": (b'{"name": "\xff", "clips": 1}', "no UTF-8 at byte 10"),
    "UTF-16": ('{"name": "a", "clips": 1}'.encode("utf-16"), "no UTF-8 at byte 0"),
    "NUL": (b"\0" * 100, "not valid JSON"),
    "a list": (b"[]", "expected `object`, got `array`"),
    "null": (b"null", "expected `object`, got `null`"),
    "a wrong type": (b'{"name": "a", "clips": "1"}', "expected `int`, got `str` - at `\\$.clips`"),
    "true": (b'{"name": "a", "clips": true}', "expected `int`, got `bool` - at `\\$.clips`"),
    "a missing key": (b'{"name": "a"}', "missing required field `clips`"),
    "a number below 0": (b'{"name": "a", "clips": -1}', "expected `int` >= 0 - at `\\$.clips`"),
    "beyond 63 bits": (b'{"name": "a", "clips": 9223372036854775808}', "\\$.clips"),
    "5,000 digits": (b'{"name": "a", "clips": 1' + b"0" * 5000 + b"}", "a whole number of 5001 digits"),
    "infinity": (b'{"name": "a", "clips": 1, "score": 1e999}', "1e999 is out of range"),
    "NaN": (b'{"name": "a", "clips": 1, "score": NaN}', "NaN is no number"),
    "a place elsewhere": (b'{"name": "../a", "clips": 1}', "\\$.name"),
    "half a character": (b'{"\\ud800": 1, "name": "a", "clips": 1}', "half a character"),
    "deep nesting": (b"[" * 100_000, "nested too deep"),
    "deep nesting in what is not read": (b'{"x":' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 64"),
}


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_one_line_with_file_key_and_remedy(damage: str, tmp_path: Path) -> None:
    data, message = DAMAGES[damage]
    path = tmp_path / "record.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"(?i)record.json: .*{message}.*; make it again$") as caught:
        SHARD.read(path)
    one_line(caught)


def test_a_good_record_is_read_and_what_is_not_named_is_left_out() -> None:
    assert SHARD.parse(b'{"name": "0.tar", "clips": 3, "else": {}}'.replace(b"0.", b"000."), "x") == {
        "name": "000.tar",
        "clips": 3,
    }
    assert Record(Pair, "mend").parse('{"box": [1, 0.25]}', "x") == Pair((1.0, 0.25))


def test_names_that_are_no_utf_8_come_back() -> None:
    assert Record(Pair, "mend").parse(b'{"box": [0, 1], "label": "caf\\udce9"}', "x").label == "caf\udce9"


@pytest.mark.parametrize("place", ["missing", "folder", "pipe", "nul", "below a file", "long"])
def test_what_is_no_file_is_refused_in_one_line(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("{}")
    os.mkfifo(tmp_path / "pipe")
    path = {"nul": "a\0b", "below a file": str(tmp_path / "file" / "x"), "long": "n" * 300}.get(
        place, str(tmp_path / place)
    )
    with pytest.raises(InputError, match=r"; make it again$") as caught:
        SHARD.read(path)
    assert place == "nul" or path in one_line(caught)


def test_a_file_that_may_not_be_read_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "record.json").write_text("{}")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"record.json: cannot be read \(Permission denied\); make it again"):
        SHARD.read(tmp_path / "record.json")


def test_lines_are_read_one_by_one_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"name": "a", "clips": 1}\n{"name": "b", "clips": 2}\n')
    assert [one["name"] for one in SHARD.read_lines(path)] == ["a", "b"]
    path.write_bytes(path.read_bytes() + b'{"name": "c", "clips": "3"}\n')
    with pytest.raises(InputError, match=r"lines\.jsonl:3: Expected `int`"):
        list(SHARD.read_lines(path))
    path.write_bytes(b"")
    assert list(SHARD.read_lines(path)) == []


@pytest.mark.parametrize("found", [{}, {"format": 2}, {"format": "1"}, {"format": None}, [], 1])
def test_another_format_is_refused_by_its_number(found: Any) -> None:
    record = Record(dict[str, Any], "make it again", version=1)
    with pytest.raises(InputError, match=r"x: format .*, this version reads 1; make it again"):
        record.parse(str(found).replace("'", '"').replace("None", "null"), "x")
    assert record.parse('{"format": 1}', "x") == {"format": 1}


def test_a_key_that_stands_twice_is_refused_where_it_matters() -> None:
    text = '{"a": 1, "a": 2}'
    assert Record(dict[str, int], "mend").parse(text, "x") == {"a": 2}
    with pytest.raises(InputError, match="'a' more than once"):
        Record(dict[str, int], "mend", unique=True).parse(text, "x")


def test_a_record_larger_than_its_bound_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(InputError, match=r"huge\.json: .* bytes, more than .*; make it again"):
        SHARD.read(path)
