import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from sound2scene.data.video.assembly import FrameAssembly, SoundAssembly, steps_before


def sound_frame(wave_CT: NDArray[np.float32], rate_hz: int, *, form: str = "fltp") -> av.AudioFrame:
    layout = {1: "mono", 2: "stereo"}[len(wave_CT)]
    samples = wave_CT if form == "fltp" else (wave_CT.T.reshape(1, -1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=form, layout=layout)
    frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
    return frame


def grey(value: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8), format="rgb24")


def test_a_step_belongs_to_the_frame_that_starts_at_it() -> None:
    assert [steps_before(s) for s in (0.0, 0.05, 0.1, 0.10001, 0.1002, 3.3, 3.30001)] == [
        0,
        1,
        1,
        1,
        2,
        33,
        33,
    ]


def test_each_step_shows_the_last_frame_before_it_and_the_first_one_before_that() -> None:
    pictures = FrameAssembly(8)
    for value, second in ((10, 0.25), (20, 0.29), (30, 0.31), (40, 0.5)):
        pictures.add(grey(value), second)
    pictures.hold(0.75)
    frames_UHWC, shown_S = pictures.joined()
    assert frames_UHWC.shape == (4, 8, 8, 3)
    assert frames_UHWC.dtype == np.uint8
    assert frames_UHWC[shown_S, 0, 0, 0].tolist() == [10, 10, 10, 20, 30, 40, 40, 40]


def test_a_frame_that_stays_or_comes_again_unchanged_is_held_once() -> None:
    pictures = FrameAssembly(8)
    for value, second in ((10, 0.0), (10, 0.1), (10, 0.2), (20, 0.3), (10, 0.4), (10, 3000.0)):
        pictures.add(grey(value), second)
    pictures.hold(3000.1)
    assert pictures.held_bytes == 3 * 3 * 64
    frames_UHWC, shown_S = pictures.joined()
    assert frames_UHWC[:, 0, 0, 0].tolist() == [10, 20, 10]
    assert shown_S[:5].tolist() == [0, 0, 0, 1, 2]
    assert (len(shown_S), set(shown_S[4:].tolist())) == (30_001, {2})


def test_a_long_hole_in_sound_takes_no_memory_before_it_is_joined() -> None:
    tones = SoundAssembly()
    ones_CT = np.ones((2, 48_000), np.float32)
    tracemalloc.start()
    for second in (0.0, 3000.0):
        tones.add(sound_frame(ones_CT, 48_000), second)
    held, peak = tones.held_bytes, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held == pytest.approx(4 * 16_000 * 3001, rel=0.01)
    assert peak < 5_000_000
    waveform_T = tones.joined()
    assert len(waveform_T) == pytest.approx(3001 * 16_000, abs=50)
    assert np.flatnonzero(np.abs(waveform_T[20_000:]) > 0.9)[0] == pytest.approx(
        3000 * 16_000 - 20_000, abs=50
    )


def test_the_filter_gives_the_same_in_blocks_as_at_once() -> None:
    wave_CT = np.random.default_rng(0).uniform(-1, 1, (1, 44_100 * 5)).astype(np.float32)
    tones = SoundAssembly()
    for first in range(0, wave_CT.shape[1], 1024):
        tones.add(sound_frame(wave_CT[:, first : first + 1024], 44_100), first / 44_100)
    assert np.array_equal(tones.joined(), soxr.resample(wave_CT[0], 44_100, 16_000, "HQ"))


def test_late_sound_and_holes_are_silence_and_rounding_is_none() -> None:
    tones = SoundAssembly()
    ones_CT = np.ones((1, 16_000), np.float32)
    for second in (0.5, 1.5003, 3.0):
        tones.add(sound_frame(ones_CT, 16_000), second)
    waveform_T = tones.joined()
    assert len(waveform_T) == 64_000
    assert np.flatnonzero(np.diff(waveform_T)).tolist() == [7_999, 39_999, 47_999]


def test_a_change_of_rate_form_or_channels_on_the_way_keeps_the_time() -> None:
    tones = SoundAssembly()
    for second, (rate_hz, channels, form) in enumerate(
        [(16_000, 1, "fltp"), (48_000, 2, "fltp"), (8_000, 2, "s16")]
    ):
        tones.add(
            sound_frame(np.full((channels, rate_hz), 0.5, np.float32), rate_hz, form=form), float(second)
        )
    waveform_T = tones.joined()
    assert abs(len(waveform_T) - 48_000) <= 2
    assert waveform_T.dtype == np.float32
    for middle in (8_000, 24_000, 40_000):
        assert waveform_T[middle] == pytest.approx(0.5, abs=1e-3)


def test_channels_are_averaged() -> None:
    tones = SoundAssembly()
    tones.add(sound_frame(np.stack([np.full(160, 0.8), np.full(160, -0.2)]).astype(np.float32), 16_000), 0.0)
    assert np.allclose(tones.joined(), 0.3)
