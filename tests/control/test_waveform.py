import numpy as np

from sound2scene import audio
from sound2scene.control.waveform import finished


def test_what_is_heard_is_what_a_flac_file_of_it_holds() -> None:
    waveform_T = np.random.default_rng(0).uniform(-1.5, 1.5, 16_000).astype(np.float32)
    heard_T = finished(waveform_T).waveform_T
    assert heard_T.dtype == np.float32
    np.testing.assert_array_equal(audio.load(audio.encode_flac(heard_T), 1.0), heard_T)
    np.testing.assert_array_equal(finished(heard_T).waveform_T, heard_T)


def test_samples_that_16_bits_cannot_hold_are_counted_and_saturate() -> None:
    last = 32_767 / 32_768
    found = finished(np.array([0.5, last, -1, 1.01, -1.01, 3, 0, 0, 0, 0], np.float32))
    assert found.waveform_T[1:6].tolist() == [last, -1, last, -1, last]
    assert found.clipped == 0.3
