from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sound2scene import cli
from sound2scene.demo import server, studio

REPOSITORY = Path(__file__).resolve().parents[2]


def test_demo_serves_the_networks_and_sounds_that_options_name_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    @contextmanager
    def serving(*arguments: Any, browser: bool) -> Iterator[str]:
        asked.extend([*arguments, browser])
        yield "http://there/"
        raise AssertionError("nobody pressed Ctrl-C")

    def stopped(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(studio, "Studio", lambda folders, device: (folders, device))
    monkeypatch.setattr(server, "serving", serving)
    monkeypatch.setattr("time.sleep", stopped)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    options = ["--generator", "g", "--audio-encoder", "a", "--image-encoder", "i", "--device", "cpu"]
    options += ["--sounds", str(REPOSITORY / "experiments" / "sounds"), "--port", "9000", "--no-browser"]
    assert cli.main(["demo", *options, "--host", "0.0.0.0"]) == 130
    (folders, device), sounds, host, port, browser = asked
    assert (folders, device) == (studio.Artifacts("a", "g", "i"), "cpu")
    assert [path.name for path in sounds] == ["bell.flac", "rain.flac"]
    assert (host, port, browser) == ("0.0.0.0", 9000, False)
    told = capsys.readouterr()
    assert told.out == "http://there/: the page; Ctrl-C ends it\n"
    assert "whoever reaches this address may use the page" in told.err


def test_a_missing_artifact_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--audio-encoder", "nowhere", "--no-browser"]) == 2
    assert capsys.readouterr().err.startswith("sound2scene: nowhere")
