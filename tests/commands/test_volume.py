from pathlib import Path

import numpy as np
import pytest

from drawn_steps import Bench, assert_same, generated, pixels, run, run_status
from sound2scene import audio
from sound2scene.commands.control_record import read_record
from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE, SoundToScene
from spying import spied


@pytest.mark.costly
def test_zero_decibels_draw_what_generate_draws_bit_for_bit(bench: Bench, tmp_path: Path) -> None:
    record = run(bench, tmp_path / "out", "volume", "bell.wav", "--db", "-8,0,30")
    steps = record["rows"][0]["steps"]
    assert [step["label"] for step in steps] == ["-8 dB", "0 dB", "+30 dB"]
    assert [step["numbers"]["clipped"] > 0 for step in steps] == [False, False, True]
    assert_same(pixels(tmp_path / "out", steps[1]), generated(bench, tmp_path / "as it is", "bell.wav"))


@pytest.mark.costly
def test_the_written_sound_of_a_step_draws_its_pictures_again(bench: Bench, tmp_path: Path) -> None:
    record = run(bench, tmp_path / "out", "volume", "bell.wav", "--db", "30")
    step = record["rows"][0]["steps"][0]
    assert step["sound"] is not None
    sound = tmp_path / "out" / step["sound"]
    assert (np.abs(audio.load(sound)) > 0.999).mean() == pytest.approx(step["numbers"]["clipped"], abs=1e-3)
    assert_same(pixels(tmp_path / "out", step), generated(bench, tmp_path / "again", str(sound)))


def test_a_bad_file_gets_a_line_and_the_rest_is_done(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_status(bench, tmp_path, "volume", "letter.txt", "horn.wav", "gone.wav", "--db", "0") == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert len(told) == 2
    assert "letter.txt: not a sound" in told[0]
    assert told[1].startswith("sound2scene: gone.wav: cannot be opened")
    record = read_record(tmp_path)
    assert [row["name"] for row in record["rows"]] == ["horn"]
    assert [Path(one["file"]).name for one in record["unreadable"]] == ["letter.txt", "gone.wav"]


@pytest.mark.parametrize(
    ("gains", "line"),
    [
        ("nan", "'nan' is no finite number"),
        ("1:2:0", "a step of 0"),
        ("", "an empty list"),
        ("0,loud", "'loud' is no finite number"),
        ("-130", "out of its range"),
        ("4:-4:1", "leads away from -4"),
    ],
)
def test_gains_that_are_none_are_one_line(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], gains: str, line: str
) -> None:
    assert run_status(bench, tmp_path / "out", "volume", "bell.wav", "--db", gains) == 2
    printed = capsys.readouterr()
    assert line in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.costly
def test_another_image_encoders_generator_is_one_line(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from drawing import tiny_generator
    from tiny import tiny_encoder

    other = tiny_generator(tmp_path / "generator", tiny_encoder(tmp_path / "encoder", seed=1))
    assert run_status(bench, tmp_path / "out", "volume", "bell.wav") == 0
    options = [*bench.options, "--generator", str(other)]
    assert run_status(bench._replace(options=options), tmp_path / "out", "volume", "bell.wav") == 2
    assert "take the pair that was trained together" in capsys.readouterr().err


@pytest.mark.costly
def test_steps_are_heard_a_few_at_a_time(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = spied(monkeypatch, SoundToScene, "encode", len)
    run(bench, tmp_path, "volume", "bell.wav", "--db", "-9:9:2")
    assert heard == [SOUNDS_AT_ONCE, 10 - SOUNDS_AT_ONCE]
