from pathlib import Path

import numpy as np
import pytest

from drawn_steps import Bench, assert_same, generated, pixels, run, run_status
from sound2scene import audio


@pytest.mark.costly
def test_each_change_stands_beside_the_sound_as_it_is(bench: Bench, tmp_path: Path) -> None:
    words = ["--reverb", "0.5,1", "--fade", "2", "--crop", "0:0.2", "0:1"]
    record = run(bench, tmp_path / "out", "alter", "bell.wav", *words)
    steps = record["rows"][0]["steps"]
    labels = ["as it is", "echoes 0.5 s", "echoes 1 s", "faded over 2 s", "0 to 0.2 s", "0 to 1 s"]
    assert [step["label"] for step in steps] == labels
    assert_same(pixels(tmp_path / "out", steps[0]), generated(bench, tmp_path / "as it is", "bell.wav"))
    waves = [audio.load(tmp_path / "out" / str(step["sound"])) for step in steps]
    np.testing.assert_array_equal(waves[4][:3200], waves[0][:3200])
    np.testing.assert_array_equal(waves[4][:3200], waves[4][3200:6400])
    assert np.abs(waves[3][:160]).max() < 0.01
    assert len({wave_T.tobytes() for wave_T in waves[:4]}) == 4


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "no change"),
        (["--pitch", "nan"], "no finite number"),
        (["--pitch", "40"], "out of its range"),
        (["--crop", "2"], "--crop 2: no part"),
        (["--crop", "4:2"], r"alter.crop is 4:2"),
        (["--crop", "nan:2"], r"alter.crop is nan:2"),
        (["--reverb", "1:2:0"], "a step of 0"),
    ],
)
def test_what_is_no_change_is_one_line(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    assert run_status(bench, tmp_path / "out", "alter", "bell.wav", *words) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.costly
def test_a_bad_file_gets_a_line_and_the_rest_is_done(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_status(bench, tmp_path, "alter", "letter.txt", "bell.wav", "--fade", "1") == 1
    assert "letter.txt: not a sound" in capsys.readouterr().err
    assert (tmp_path / "alter.png").is_file()
