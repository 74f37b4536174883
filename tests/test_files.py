import os
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from sound2scene import files


def write_many(path: Path, letter: str) -> None:
    for _ in range(200):
        files.write(path, letter * 10_000)


def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    files.write(path, "old")
    with pytest.raises(OSError, match="no space"), files.replacing(path) as partial:  # noqa: PT012
        partial.write_text("ne")
        raise OSError("no space")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.md"]


def test_text_is_utf_8_and_bytes_are_as_given(tmp_path: Path) -> None:
    files.write(tmp_path / "a", "ä")
    files.write(tmp_path / "b", b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == "ä".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"


def test_two_processes_that_write_one_file_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    files.write(path, "x" * 10_000)
    writers = [get_context("fork").Process(target=write_many, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text())
    assert {text for text in seen if len(set(text)) != 1 or len(text) != 10_000} == set()
    assert os.listdir(tmp_path) == ["shared"]


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    files.write(tmp_path / ("n" * 255), "whole")
    assert (tmp_path / ("n" * 255)).read_text() == "whole"


def test_synced_files_are_synced_before_they_get_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("sync"), sync(file)))
    monkeypatch.setattr(os, "replace", lambda one, other: (steps.append("replace"), replace(one, other)))
    files.write(tmp_path / "plain", "x")
    assert steps == ["replace"]
    files.write(tmp_path / "synced", "x", sync=True)
    assert steps == ["replace", "sync", "replace"]


def test_the_sweep_takes_old_leftovers_and_leaves_young_ones_and_files(tmp_path: Path) -> None:
    old, young, file = (tmp_path / name for name in (".1.partial", ".2.partial", "kept"))
    for path in (old, young, file):
        path.write_text("x")
    for path in (old, file):
        os.utime(path, (time.time() - 4000, time.time() - 4000))
    files.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".2.partial", "kept"}
