import errno
import os
from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.commands import guard, verify


def error(number: int, path: Path | str | None) -> OSError:
    return OSError(number, os.strerror(number), None if path is None else str(path))


@pytest.mark.parametrize("path", [None, "/usr/lib/python3/x"])
@pytest.mark.parametrize("number", guard.MACHINE)
def test_a_disk_that_is_full_or_broken_is_told_whatever_file_it_befalls(
    number: int, path: str | None
) -> None:
    line = guard.told(error(number, path), [])
    assert line is not None
    assert line.startswith(f"{path or 'while writing'}: ")


@pytest.mark.parametrize("number", guard.IN_THE_WAY)
def test_what_stands_in_the_way_is_told_of_a_named_path_and_all_above_and_below_it(
    number: int, tmp_path: Path
) -> None:
    named = tmp_path / "out"
    for path in (named, tmp_path, named / "a" / "b.png"):
        assert guard.told(error(number, path), ["x", str(named)]) is not None
    for path in (tmp_path / "other", tmp_path / "outer", None):
        assert guard.told(error(number, path), ["x", str(named)]) is None


def test_a_missing_file_is_told_where_it_was_named_and_keeps_its_traceback_where_we_should_have_made_it(
    tmp_path: Path,
) -> None:
    named = tmp_path / "in" / "a.csv"
    for path in (named, named.parent):
        line = guard.told(error(errno.ENOENT, path), [str(named)])
        assert line == f"{path}: no such file or folder; check the path"
    assert guard.told(error(errno.ENOENT, named / "part"), [str(named)]) is None
    assert guard.told(error(errno.ENOENT, tmp_path / "else"), [str(named)]) is None


@pytest.mark.parametrize("number", [errno.ECHILD, errno.EINVAL, errno.EBADF, errno.EPIPE])
def test_other_errors_are_faults_of_the_program(number: int, tmp_path: Path) -> None:
    assert guard.told(error(number, tmp_path), [str(tmp_path)]) is None


def test_a_path_is_named_by_word_option_recipe_or_default(tmp_path: Path) -> None:
    recipe = tmp_path / "a.yaml"
    recipe.write_text("data: {init_args: {shards: [inside, 3]}}\nrun: {folder: runs/here}\n")
    named = set(guard.named_paths(["fit", "--config", str(recipe), "--data.shards=given"]))
    assert named >= {"given", "inside", "runs/here", str(recipe), *guard.DEFAULTS}
    assert set(guard.named_paths([str(tmp_path / "none.yaml")])) >= {str(tmp_path / "none.yaml")}


@pytest.mark.costly
@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"[" * 5000])
def test_a_recipe_that_cannot_be_read_names_nothing_and_does_no_harm(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    assert list(guard.named_paths([str(tmp_path / "a.yaml")]))


@pytest.mark.parametrize("theirs", [True, False])
def test_a_command_tells_the_users_errors_in_one_line_and_shows_where_ours_are(
    theirs: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "folder"
    given.mkdir()

    def command(shards: str) -> None:
        """Reads a folder as a file, or a part of it that nobody wrote.

        Args:
            shards: The folder.
        """
        Path(shards, *(() if theirs else ("part",))).read_bytes()

    monkeypatch.setattr(verify, "COMMAND", command)
    if not theirs:
        with pytest.raises(FileNotFoundError):
            cli.main(["verify", str(given)])
        return
    assert cli.main(["verify", str(given)]) == 2
    line = f"sound2scene: {given}: a folder, where a file is meant; give the path of a file\n"
    assert capsys.readouterr().err == line


def test_a_place_below_a_file_cannot_be_written_and_any_other_can(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert guard.unwritable(tmp_path / "file" / "out") == f"{tmp_path / 'file'} is no folder"
    assert guard.unwritable(tmp_path / ("a" * 300)) == os.strerror(errno.ENAMETOOLONG)
    for path in (tmp_path / "file", tmp_path, tmp_path / "a" / "b" / "c"):
        assert guard.unwritable(path) is None
    assert not (tmp_path / "a").exists()


def test_a_folder_without_permission_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may write anywhere
    assert guard.unwritable(tmp_path / "a") == f"no permission in {tmp_path}"
