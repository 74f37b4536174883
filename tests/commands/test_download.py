from collections import Counter
from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.commands.parser import INTERRUPTED
from sound2scene.data.vggsound import downloads, youtube
from sound2scene.data.vggsound.names import ClipName


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """Arguments of a download of two clips."""
    table = tmp_path / "vggsound.csv"
    table.write_text("a_video-_01,2,dog,train\na_video-_02,2,cat,test\n")
    return ["download", "vggsound", "--csv", str(table), "--videos", str(tmp_path / "videos")]


def test_a_missing_table_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--csv", str(tmp_path / "none.csv"), "--videos", str(tmp_path / "videos")]
    assert cli.main(["download", "vggsound", *given]) == 2
    assert f"{tmp_path / 'none.csv'}: missing; check the path" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("counts", "whole", "status", "printed"),
    [
        ({("ok", ""): 1, ("dead", "private"): 1}, True, 0, "1 ok, 1 dead (1 private), 0 failed\n"),
        ({("failed", "timeout"): 1}, True, 1, "0 ok, 0 dead, 1 failed (1 timeout)\n"),
        ({("ok", ""): 1}, False, INTERRUPTED, "1 ok, 0 dead, 0 failed\n"),
    ],
)
def test_the_status_says_whether_all_came(
    counts: dict[tuple[str, str], int],
    whole: bool,
    status: int,
    printed: str,
    given: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[ClipName] = []

    def run(visit: downloads.Visit, names: list[ClipName]) -> tuple[Counter[tuple[str, str]], bool]:
        asked.extend(names)
        assert visit.fetcher.retries == 0
        assert visit.fetcher.height == 240
        return Counter(counts), whole

    monkeypatch.setattr(downloads.Visit, "run", run)
    assert cli.main([*given, "--split", "test", "--retries", "0", "--height", "240"]) == status
    assert [name.video for name in asked] == ["a_video-_02"]
    shown = capsys.readouterr()
    assert shown.out.endswith(printed)
    assert len(shown.err.splitlines()) == (0 if status == 0 else 1)


def test_clips_come_from_youtube_by_default(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(visit: downloads.Visit, names: list[ClipName]) -> tuple[Counter[tuple[str, str]], bool]:
        asked.append(visit.fetcher.address)
        return Counter(), True

    monkeypatch.setattr(downloads.Visit, "run", run)
    assert cli.main(given) == 0
    assert asked == [youtube.WATCH]
