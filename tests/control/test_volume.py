import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sound2scene import audio
from sound2scene.control.volume import at_gain
from sound2scene.types import InputError


def noise(scale: float = 0.1) -> NDArray[np.float32]:
    return (scale * np.random.default_rng(0).standard_normal(160_000)).clip(-1, 1).astype(np.float32)


@pytest.mark.parametrize("gain_db", [-16.0, -4.0, 4.0, 16.0])
def test_unclipped_samples_follow_the_gain_within_a_thousandth_of_a_decibel(gain_db: float) -> None:
    before_T = noise()
    after_T = at_gain(before_T, gain_db).waveform_T
    inside_T = np.abs(after_T) < 0.999
    slope = (before_T[inside_T] @ after_T[inside_T]) / (before_T[inside_T] @ before_T[inside_T])
    assert abs(20 * math.log10(slope) - gain_db) < 0.001


def test_the_clipped_share_is_that_of_the_samples_beyond_full_scale() -> None:
    waveform_T = noise()
    found = at_gain(waveform_T, 16)
    assert found.clipped == pytest.approx(float((np.abs(waveform_T) * 10 ** (16 / 20) > 1).mean()), abs=1e-4)
    assert 0.1 < found.clipped < 0.2
    assert (np.abs(found.waveform_T) >= 32_767 / 32_768).mean() == pytest.approx(found.clipped, abs=1e-4)
    assert at_gain(waveform_T, -16).clipped == 0


def test_zero_decibels_leave_every_bit_even_of_what_was_not_16_bits() -> None:
    waveform_T = noise() / 3
    found = at_gain(waveform_T, 0)
    np.testing.assert_array_equal(found.waveform_T, waveform_T)
    assert found.clipped == 0


@pytest.mark.parametrize("gain_db", [math.nan, math.inf, -130.0])
def test_a_gain_that_is_none_is_refused(gain_db: float) -> None:
    with pytest.raises(InputError, match=r"volume\.gain_db is"):
        at_gain(noise(), gain_db)


def test_a_16_bit_file_turned_down_and_read_again_is_the_step(real_data: Path) -> None:
    waveform_T = audio.load(real_data / "vggsound_samples" / "inference" / "cow.wav")
    step_T = at_gain(waveform_T, -16).waveform_T
    np.testing.assert_array_equal(audio.load(audio.encode_flac(step_T)), step_T)
    np.testing.assert_array_equal(step_T * 32_768, np.rint(waveform_T * 32_768 * 10 ** (-16 / 20)))
