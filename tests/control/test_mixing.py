import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sound2scene.control.mixing import at_ratio, by_gains, crossfade, mix, shifted
from sound2scene.types import InputError


def sounds(count: int = 2, scale: float = 0.1) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [(scale * rng.standard_normal(160_000)).astype(np.float32) for _ in range(count)]


def coefficients(mixed_T: NDArray[np.float32], parts: list[NDArray[np.float32]]) -> list[float]:
    return [float(one) for one in np.linalg.lstsq(np.stack(parts, 1), mixed_T, rcond=None)[0]]


@pytest.mark.parametrize("a_db", [-3.0, -7.5, -12.0, -15.0])
def test_the_released_rule_is_followed_within_a_ten_thousandth(a_db: float) -> None:
    parts, a = sounds(), 10 ** (a_db / 20)
    found = mix(parts, crossfade(a, 2))
    assert found.clipped == 0
    assert coefficients(found.waveform_T, parts) == pytest.approx([a, 1 - a], abs=1e-4)


def test_a_of_one_and_of_zero_are_the_sounds_bit_for_bit() -> None:
    parts = [one / 3 for one in sounds()]
    for share, part_T in zip((1, 0), parts, strict=True):
        np.testing.assert_array_equal(mix(parts, crossfade(share, 2)).waveform_T, part_T)


def test_three_sounds_are_added_by_their_gains() -> None:
    parts = sounds(3)
    found = mix(parts, by_gains([0, -6, 3]))
    assert coefficients(found.waveform_T, parts) == pytest.approx([1, 0.50119, 1.41254], abs=1e-4)


@pytest.mark.parametrize("ratio_db", [-9.0, 0.0, 9.0])
def test_the_first_sound_stands_at_the_ratio_over_the_others_and_none_is_turned_up(ratio_db: float) -> None:
    parts = [one * by for one, by in zip(sounds(3), (1, 0.2, 0.5), strict=True)]
    factors = at_ratio(parts, ratio_db)
    assert max(factors) == 1
    first_T, *others = (one * by for one, by in zip(parts, factors, strict=True))
    ratio = np.square(first_T).mean() / np.square(sum(others)).mean()
    assert 10 * math.log10(ratio) == pytest.approx(ratio_db, abs=1e-3)


def test_a_silent_sound_has_no_ratio() -> None:
    with pytest.raises(InputError, match="the sum of the others is silent"):
        at_ratio([sounds()[0], np.zeros(160_000, np.float32)], 3)


def test_the_sum_saturates_and_its_peak_is_only_moved_if_asked_for() -> None:
    parts = [np.full(100, 0.75, np.float32), np.linspace(-1, 1, 100, dtype=np.float32)]
    plain, normal = (mix(parts, [1, 1], normalise) for normalise in (False, True))
    assert (plain.waveform_T.max(), normal.waveform_T.max()) == (32_767 / 32_768,) * 2
    assert plain.clipped == pytest.approx(0.38, abs=0.01)
    assert normal.clipped == 0
    assert normal.waveform_T[0] == pytest.approx(-0.25 / 1.75, abs=1e-4)
    assert mix([0.1 * one for one in parts], [1, 1]).waveform_T.max() == pytest.approx(0.175, abs=1e-4)


@pytest.mark.parametrize("offset_s", [2.0, -2.0, 0.0, 10.0, -10.0])
def test_a_shift_leaves_silence_and_the_length(offset_s: float) -> None:
    (sound_T,) = sounds(1)
    moved_T = shifted(sound_T, offset_s)
    by = round(16_000 * offset_s)
    expected_T = np.roll(np.concatenate([sound_T, np.zeros(160_000)]), by)[:160_000]
    if by < 0:
        expected_T = np.concatenate([sound_T, np.zeros(160_000)])[-by : 160_000 - by]
    np.testing.assert_array_equal(moved_T, expected_T)


def test_what_cannot_be_mixed_is_one_line() -> None:
    with pytest.raises(InputError, match="different lengths"):
        mix([np.zeros(3, np.float32), np.zeros(4, np.float32)], [1, 1])
    with pytest.raises(InputError, match=r"mix\.a is 1\.5"):
        crossfade(1.5, 2)
    with pytest.raises(InputError, match=r"mix\.gain_db is nan"):
        by_gains([math.nan])
    with pytest.raises(InputError, match=r"mix\.offset_s is 11"):
        shifted(np.zeros(4, np.float32), 11)
