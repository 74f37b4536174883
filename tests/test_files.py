import errno
import os
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from sound2scene import files
from sound2scene.types import InputError


def write_many(path: Path, letter: str) -> None:
    for _ in range(200):
        files.write(path, letter * 10_000)


def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    files.write(path, "old")
    reason = r"table\.md: cannot be written \(no space\); free space"
    with pytest.raises(InputError, match=reason), files.replacing(path) as partial:  # noqa: PT012
        partial.write_text("ne")
        raise OSError("no space")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.md"]


def test_text_is_utf_8_and_bytes_are_as_given(tmp_path: Path) -> None:
    files.write(tmp_path / "a", "ä")
    files.write(tmp_path / "b", b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == "ä".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"


@pytest.mark.costly
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


def test_a_file_is_synced_through_a_handle_that_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda file: os.write(file, b""))  # refused where it may only read
    files.write(tmp_path / "synced", "x", sync=True)
    assert (tmp_path / "synced").read_text() == "x"


def test_the_sweep_takes_old_leftovers_and_leaves_young_ones_and_files(tmp_path: Path) -> None:
    old, young, file = (tmp_path / name for name in (".1.partial", ".2.partial", "kept"))
    for path in (old, young, file):
        path.write_text("x")
    for path in (old, file):
        os.utime(path, (time.time() - 4000, time.time() - 4000))
    files.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".2.partial", "kept"}


def leave_behind(path: Path) -> None:
    files.partial_name(path).write_text("half")
    files.partial_name(path).mkdir()


def test_what_a_dead_process_left_goes_at_once_and_what_a_live_one_writes_stays(tmp_path: Path) -> None:
    dead = get_context("fork").Process(target=leave_behind, args=(tmp_path / "a",))
    dead.start()
    dead.join()
    assert len(os.listdir(tmp_path)) == 2
    mine, folder = files.partial_name(tmp_path / "b"), files.partial_name(tmp_path / "c")
    mine.write_text("under way")
    (folder / "below").mkdir(parents=True)
    files.sweep(tmp_path)
    assert set(os.listdir(tmp_path)) == {mine.name, folder.name}


def test_a_process_that_nobody_has_buried_is_dead(tmp_path: Path) -> None:
    if (child := os.fork()) == 0:
        leave_behind(tmp_path / "a")
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    files.sweep(tmp_path)
    os.waitpid(child, 0)
    assert os.listdir(tmp_path) == []


def test_a_process_has_ended_by_its_word_when_it_ran_here_and_is_no_more() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)
    host, _, own = files.this_process().rpartition("-")
    assert own == str(os.getpid())
    assert files.has_ended(f"{host}-{child}")
    assert not files.has_ended(files.this_process())
    assert not files.has_ended(f"{'0' * 12}-{child}")  # of another machine nobody knows
    assert not files.has_ended("nonsense")


def test_leftovers_of_another_machine_go_after_an_hour_folders_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(files, "_host", lambda: "0" * 12)
        elsewhere.setattr(os, "getpid", lambda: 2**31 - 1)
        file, young, folder = (files.partial_name(tmp_path / name) for name in "abc")
    file.write_text("half")
    young.write_text("half")
    (folder / "below").mkdir(parents=True)
    for path in (file, folder):
        os.utime(path, (time.time() - 4000, time.time() - 4000))
    files.sweep(tmp_path)
    assert os.listdir(tmp_path) == [young.name]


def test_a_link_under_the_name_of_a_leftover_goes_and_what_it_points_at_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / ".1.partial").symlink_to(tmp_path / "kept")
    files.sweep(tmp_path, older_s=-1)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EACCES, errno.EROFS], ids=os.strerror)
def test_what_cannot_be_written_is_one_line_and_nothing_is_left(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InputError, match=rf"table: cannot be written \({os.strerror(number)}\); ") as caught:
        files.write(tmp_path / "table", "x")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=f"{folder}: cannot be written"):
            files.make_folder(folder)


def take_turns(target: Path, trace: Path) -> None:
    with files.alone(target), trace.open("a", buffering=1) as lines:
        lines.write("in ")
        time.sleep(0.05)
        lines.write("out ")


def test_two_that_make_one_thing_do_so_one_after_the_other(tmp_path: Path) -> None:
    target, trace = tmp_path / "made" / "thing", tmp_path / "trace"
    workers = [get_context("fork").Process(target=take_turns, args=(target, trace)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert trace.read_text() == "in out " * 3
    assert os.listdir(tmp_path / "made") == []


@pytest.mark.costly
def test_the_second_one_says_that_it_waits_or_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "thing"
    waiting = get_context("fork").Process(target=take_turns, args=(target, tmp_path / "trace"))
    with files.alone(target):
        refused = pytest.raises(InputError, match="thing: another process is writing it; wait")
        with refused, files.alone(target, wait=False):
            pass
        waiting.start()
        waiting.join(timeout=1)
        assert waiting.is_alive()
    waiting.join()
    assert capfd.readouterr().err.strip() == f"{target}: another process is writing it; waiting for that one"


def test_a_folder_takes_its_name_whole_in_place_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "above" / "net"
    for text in ("old", "new"):
        with files.replacing_folder(target) as partial:
            (partial / text).write_text(text)
            assert not (target / text).exists()
        assert os.listdir(target) == [text]
    assert os.listdir(tmp_path / "above") == ["net"]


def test_a_folder_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "net"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(OSError, match="no space"), files.replacing_folder(target) as partial:  # noqa: PT012
        (partial / "new").write_text("ne")
        raise OSError("no space")
    assert os.listdir(tmp_path) == ["net"]
    assert os.listdir(target) == ["old"]
