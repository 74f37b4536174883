import io
import struct

import numpy as np
import pytest
import soundfile

from sound2scene.wav import mended


def wav(claimed: int, seconds: float = 3.0) -> bytes:
    """A 16 kHz mono WAV file of 16 bits that counts upwards."""
    form = struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16, b"data", claimed)
    payload = (np.arange(round(16_000 * seconds)) % 30_000).astype("<i2").tobytes()
    return struct.pack("<4sI4s", b"RIFF", 36 + claimed, b"WAVE") + form + payload


def test_a_stream_whose_header_is_right_or_that_is_no_wav_comes_back_itself_at_its_start() -> None:
    for data in (wav(96_000), wav(200_000), b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"fLaC" * 50):
        stream = io.BytesIO(data)
        stream.seek(0, io.SEEK_END)
        assert mended(stream, 1.0) is stream
        assert stream.tell() == 0


@pytest.mark.parametrize("claimed", [0, 16_000, 90_000])
def test_a_header_that_tells_too_little_is_mended(claimed: int) -> None:
    samples_T, rate_hz = soundfile.read(mended(io.BytesIO(wav(claimed)), 10.0), dtype="int16")
    assert rate_hz == 16_000
    assert np.array_equal(samples_T, np.arange(48_000) % 30_000)


def test_no_more_of_a_long_sound_is_copied_than_is_wanted() -> None:
    stream = mended(io.BytesIO(wav(0, seconds=60.0)), 1.0)
    assert stream.seek(0, io.SEEK_END) < 70_000
