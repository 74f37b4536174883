import sys

import pytest

from sound2scene import progress
from sound2scene.progress import Bar, clock, tracked


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(progress, "monotonic", found)
    return found


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (86_399, "23:59:59")]
)
def test_a_time_is_told_as_on_a_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told


def test_a_file_gets_a_line_a_minute_and_one_at_the_end(
    time: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bar(10, "shards", "clip") as bar:
        for _ in range(10):
            time.now += 20
            bar.update()
    assert capsys.readouterr().err == (
        "shards: 4 of 10 (40%), 2:00 left\nshards: 8 of 10 (80%), 0:40 left\nshards: 10 clips in 3:20\n"
    )


def test_what_is_quick_leaves_no_line(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked("abc", 3, "reading", "letter")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_what_is_stopped_says_how_far_it_came(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(10, "shards", "clip") as bar:
        bar.update(3)
        time.now += 5
    assert capsys.readouterr().err == "shards: 3 of 10 clips in 0:05\n"


def test_several_batches_are_no_batchs(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(2, "means", "batch") as bar:
        bar.update(2)
        time.now += 5
    assert capsys.readouterr().err == "means: 2 batches in 0:05\n"


def test_a_terminal_gets_a_bar_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Bar(2, "shards", "clip") as bar:
        bar.update(1, ["loss 3.2"])
        bar.write("a line of its own")
        bar.update()
    out, err = capsys.readouterr()
    assert out == "a line of its own\n"
    assert "shards: 100%" in err
    assert "\n" not in err.rstrip("\n").split("shards: 100%")[-1]
