import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sound2scene.control.alteration import cropped, faded, pitched, reverberant
from sound2scene.types import InputError


def tone(hz: float = 500) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(160_000) / 16_000)).astype(np.float32)


def pitch_hz(waveform_T: NDArray[np.float32]) -> float:
    return float(np.abs(np.fft.rfft(waveform_T)).argmax()) / 10


@pytest.mark.slow  # librosa compiles itself
@pytest.mark.parametrize(("semitones", "hz"), [(12, 1000), (-12, 250), (7, 749)])
def test_a_tone_moves_by_its_semitones_and_keeps_its_length(semitones: float, hz: float) -> None:
    moved_T = pitched(tone(), semitones).waveform_T
    assert moved_T.shape == (160_000,)
    assert pitch_hz(moved_T) == pytest.approx(hz, rel=0.01)


def test_echoes_fall_by_60_db_in_their_seconds_and_leave_the_level() -> None:
    click_T = np.zeros(160_000, np.float32)
    click_T[0] = 0.9
    room_T = reverberant(click_T, 2.0).waveform_T.astype(np.float64)
    assert np.square(room_T).mean() == pytest.approx(np.square(click_T).mean(), rel=0.01)
    early, late = (np.square(room_T[start : start + 1600]).mean() for start in (1600, 9600))
    assert 10 * math.log10(early / late) == pytest.approx(60 * 0.5 / 2, abs=2)
    assert not room_T[32_000:].any()
    np.testing.assert_array_equal(reverberant(tone(), 0.5).waveform_T, reverberant(tone(), 0.5).waveform_T)
    assert not reverberant(np.zeros(160_000, np.float32), 0.5).waveform_T.any()


def test_a_crop_is_repeated_to_the_old_length() -> None:
    ramp_T = (np.arange(160_000) // 16_000 / 16).astype(np.float32)
    assert cropped(ramp_T, 2, 4).waveform_T[::16_000].tolist() == [2 / 16, 3 / 16] * 5


def test_a_fade_is_linear_at_both_ends() -> None:
    faded_T = faded(np.full(160_000, 0.5, np.float32), 2).waveform_T
    assert faded_T[[0, 16_000, 32_000, 80_000, 143_999, 159_999]] == pytest.approx(
        [0, 0.25, 0.5, 0.5, 0.25, 0], abs=1e-4
    )


def test_no_change_leaves_every_bit() -> None:
    sound_T = tone() / 3
    for found in (pitched(sound_T, 0), reverberant(sound_T, 0), cropped(sound_T, 0, 10), faded(sound_T, 0)):
        np.testing.assert_array_equal(found.waveform_T, sound_T)


@pytest.mark.parametrize(("start_s", "end_s"), [(4, 2), (-1, 2), (0, 11), (1, 1.001), (math.nan, 2)])
def test_what_is_no_part_is_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(InputError, match=r"alter\.crop is"):
        cropped(tone(), start_s, end_s)


def test_settings_out_of_their_range_are_refused() -> None:
    for make, name in ((pitched, "pitch"), (reverberant, "reverb"), (faded, "fade")):
        with pytest.raises(InputError, match=rf"alter\.{name} is nan"):
            make(tone(), math.nan)
