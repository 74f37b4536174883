from pathlib import Path

import numpy as np
import pytest

from drawn_steps import Bench, assert_same, generated, pixels, run, run_status
from sound2scene import audio
from sound2scene.commands.control_record import WrittenStep


def heard(folder: Path, step: WrittenStep) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    assert step["sound"] is not None
    return audio.load(folder / step["sound"])


@pytest.mark.costly
def test_a_of_one_and_zero_draw_what_generate_draws_of_the_sounds(bench: Bench, tmp_path: Path) -> None:
    record = run(bench, tmp_path / "out", "mix", "bell.wav", "horn.wav", "--a", "1,0.25,0")
    (row,) = record["rows"]
    assert [step["label"] for step in row["steps"]] == ["a = 1", "a = 0.25", "a = 0"]
    for step, name in ((row["steps"][0], "bell"), (row["steps"][2], "horn")):
        assert_same(pixels(tmp_path / "out", step), generated(bench, tmp_path / name, f"{name}.wav"))
    parts = np.stack([audio.load(bench.folder / f"{name}.wav") for name in ("bell", "horn")], 1)
    found = np.linalg.lstsq(parts, heard(tmp_path / "out", row["steps"][1]), rcond=None)[0]
    assert found == pytest.approx([0.25, 0.75], abs=1e-4)


@pytest.mark.costly
def test_shares_may_be_given_in_decibels(bench: Bench, tmp_path: Path) -> None:
    record = run(bench, tmp_path, "mix", "bell.wav", "horn.wav", "--a-db", "0,-3,-7.5")
    shares = [step["numbers"]["a"] for step in record["rows"][0]["steps"]]
    assert shares == pytest.approx([1, 0.708, 0.422], abs=5e-4)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("rule", "last"), [(("--gain-db", "-3,0,2"), "sum, -3, 0, +2 dB"), (("--snr-db", "6"), "+6 dB")]
)
def test_gains_and_ratios_stand_beside_each_sound_alone(
    bench: Bench, tmp_path: Path, rule: tuple[str, str], last: str
) -> None:
    record = run(bench, tmp_path, "mix", "bell.wav", "horn.wav", "bell.wav", *rule)
    (row,) = record["rows"]
    assert row["name"] == "bell + horn + bell"
    assert [step["label"] for step in row["steps"]] == ["bell alone", "horn alone", "bell alone", last]
    assert [Path(one["file"]).name for one in row["sources"]] == ["bell.wav", "horn.wav", "bell.wav"]


@pytest.mark.costly
def test_an_offset_is_heard_and_a_peak_normalised_if_asked_for(bench: Bench, tmp_path: Path) -> None:
    words = ["mix", "bell.wav", "horn.wav", "--gain-db", "0,0", "--offset-s", "2,3"]
    steps = run(bench, tmp_path / "plain", *words)["rows"][0]["steps"]
    sum_T = heard(tmp_path / "plain", steps[2])
    assert not sum_T[:32_000].any()
    assert sum_T[32_000:48_000].any()
    assert np.abs(sum_T).max() < 0.6
    steps = run(bench, tmp_path / "normal", *words, "--normalise")["rows"][0]["steps"]
    assert np.abs(heard(tmp_path / "normal", steps[2])).max() == 32_767 / 32_768
    assert np.abs(heard(tmp_path / "normal", steps[0])).max() < 0.4


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["bell.wav"], "one sound is no mixture"),
        (["bell.wav", "letter.txt"], "letter.txt: not a sound"),
        (["bell.wav", "horn.wav", "--a", "1", "--snr-db", "3"], "different rules"),
        (["bell.wav", "horn.wav", "--a", "1.5"], "--a: 1.5 is out of its range"),
        (["bell.wav", "horn.wav", "--gain-db", "1,2,3"], "3 numbers for 2 sounds"),
        (["bell.wav", "horn.wav", "--gain-db", "nan,0"], "no finite number"),
        (["bell.wav", "horn.wav", "--offset-s", "-11,0"], "out of its range"),
        (["bell.wav", "horn.wav", "--a", ","], "an empty list"),
    ],
)
def test_what_cannot_be_mixed_is_one_line(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    assert run_status(bench, tmp_path / "out", "mix", *words) == 2
    printed = capsys.readouterr()
    assert line in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
