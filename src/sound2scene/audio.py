"""Sound files to 10 s of 16 kHz mono, and back to 16 bits.

Files become NumPy arrays, as shards are written from those. The edits of sounds in the paper: see `control`.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sound2scene import wav
from sound2scene.regular import open_regular
from sound2scene.types import CLIP_S, SAMPLE_RATE_HZ, InputError

Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO

# A decoder of MP3 or AAC may overshoot full scale, by 3 dB or so; that is clipped. Beyond 6 dB the samples
# have another scale, such as that of 16-bit integers, and clipping would make square waves of them.
OVERSHOOT = 2.0

_PCM16_FULL_SCALE = 32_768
SHORTEST_S = 0.01  # less is no sound, but the hum that its repetition would be
_MENDED = ("WAV", "WAVEX", "RF64")  # these have been looked at by `wav.mended`
_LOST_S = 0.05  # an MP3 file whose header denies more than this lies
# Read past the cut, so that the resampling filter sees how the sound goes on there and not an artificial end.
_MARGIN_S = 0.1


class _NotSoundError(Exception):
    """A decoder does not know this file; another one may."""


def load(source: Source, clip_s: float = CLIP_S) -> NDArray[np.float32]:
    """Read a sound as the paper's front end wants it, from any file that libsndfile or FFmpeg reads.

    Channels are averaged, the rate is converted to 16 kHz (soxr HQ), the sound is repeated end to end or cut
    to `clip_s`, and clipped to +-1, unless it goes beyond `OVERSHOOT`. No more of a long file is read than
    the clip needs. A file cut short is used as far as it decodes without an error, and one whose header tells
    of less than there is to its end. Silence counts as sound: see `is_silent`.

    The released loader (Sound2Scene, a2s_dataloader.py) agrees for 16 kHz mono sounds of 1 s or more. It
    neither resamples nor mixes down, and it repeats a sound only ten times, so that 0.1 s would become 1 s;
    here a sound always fills the whole clip.

    Args:
        source: Path of a file, the bytes of a whole file, or a seekable binary file.
        clip_s: Length of the result in seconds.

    Returns:
        waveform_T: float32 in [-1, 1], `clip_s` * 16,000 samples.

    Raises:
        InputError: The file is missing, empty, damaged, no regular file, no sound file, has no audio stream
            or less than 10 ms of sound, holds NaN or infinity, or goes beyond `OVERSHOOT`.
    """
    if isinstance(source, bytes):
        return _load_stream(io.BytesIO(source), "sound in memory", clip_s)
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        try:
            # Opened here because decoders treat a name that starts with "-" or "http:" in their own way.
            stream = open_regular(name)  # closed below; an OSError while reading is not one of opening
        except OSError as error:
            raise InputError(
                f"{name}: cannot be opened ({error.strerror}); give the path of a sound file"
            ) from error
        with stream:
            return _load_stream(stream, name, clip_s)
    return _load_stream(source, str(getattr(source, "name", "sound stream")), clip_s)


def to_clip(
    samples_TC: NDArray[np.float32], sample_rate_hz: float, clip_s: float = CLIP_S, name: str = "sound"
) -> NDArray[np.float32]:
    """Bring decoded samples into the form that `load` returns.

    Args:
        samples_TC: Decoded sound, full scale +-1, one column per channel.
        sample_rate_hz: Sample rate of the decoded sound.
        clip_s: Length of the result in seconds.
        name: Name of the sound in an error message.

    Returns:
        waveform_T: float32 in [-1, 1], `clip_s` * 16,000 samples.

    Raises:
        InputError: There is less than 10 ms of sound, a sample is NaN or infinite, or one lies beyond
            `OVERSHOOT`.
    """
    import soxr

    if samples_TC.size == 0:
        raise InputError(f"{name}: holds no samples; give a file with sound")
    if (count := len(samples_TC)) < SHORTEST_S * sample_rate_hz:
        raise InputError(
            f"{name}: holds {count} sample{'s' * (count > 1)} ({count / sample_rate_hz:.5f} s); "
            f"give a file with at least {SHORTEST_S:g} s of sound"
        )
    # The mean of one channel would be the same, in half the time of all that is done here.
    waveform_T = samples_TC[:, 0] if samples_TC.shape[1] == 1 else samples_TC.mean(1, dtype=np.float32)
    finite_T = np.isfinite(samples_TC).all(1)
    if not finite_T.all():
        first = int(finite_T.argmin())
        where = f"sample {first} ({first / sample_rate_hz:.3f} s) is {samples_TC[first].sum()}"
        raise InputError(f"{name}: {where}; write the file again without NaN and infinity")
    if fault := beyond_scale(samples_TC):
        raise InputError(f"{name}: {fault}; write the file again at full scale 1, or as 16 bits")
    if sample_rate_hz != SAMPLE_RATE_HZ:
        # Clipped before the filter too, so that what it rings about is what is heard.
        waveform_T = soxr.resample(waveform_T.clip(-1, 1), sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ")
    return fit_length(waveform_T.clip(-1, 1), round(clip_s * SAMPLE_RATE_HZ))


def beyond_scale(samples: NDArray[np.float32]) -> str | None:
    """What is wrong with samples beyond `OVERSHOOT`, in words; None where nothing is."""
    peak = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
    return None if peak <= OVERSHOOT else f"its samples reach {peak:.4g} where full scale is 1"


def fit_length(waveform_T: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Repeat a sound end to end, then cut it to `samples`.

    Raises:
        InputError: The sound has no samples to repeat.
    """
    if waveform_T.size == 0:
        raise InputError("a sound of 0 samples cannot be repeated; give at least one sample")
    return np.resize(waveform_T, samples)


def is_silent(waveform_T: NDArray[np.float32], floor_db: float = -80.0) -> bool:
    """Whether the root mean square lies below `floor_db` re full scale (16-bit rounding noise: -101 dB)."""
    blocks = np.array_split(waveform_T, 1 + len(waveform_T) // 2**20)  # an hour in float64 takes 460 MB
    energy = math.fsum(float(np.square(block_T, dtype=np.float64).sum()) for block_T in blocks)
    return math.sqrt(energy / max(1, len(waveform_T))) < factor(floor_db)


def to_pcm16(waveform_T: NDArray[np.float32]) -> NDArray[np.int16]:
    """Quantise to 16 bits as a WAV file does: nearest step of 1/32768, clipped to [-1, 1 - 1/32768]."""
    assert np.isfinite(waveform_T).all(), "NaN has no 16-bit value"
    return (
        np.rint(waveform_T * _PCM16_FULL_SCALE)
        .clip(-_PCM16_FULL_SCALE, _PCM16_FULL_SCALE - 1)
        .astype(np.int16)
    )


def encode_flac(waveform_T: NDArray[np.float32]) -> bytes:
    """A 16 kHz mono waveform as a 16-bit FLAC file; `load` returns exactly `to_pcm16(waveform_T) / 32768`."""
    import soundfile

    flac = io.BytesIO()
    soundfile.write(flac, to_pcm16(waveform_T), SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return flac.getvalue()


def factor(gain_db: float) -> float:
    """By what a gain multiplies the amplitude; 0 for `-math.inf`."""
    # A plain float: a NumPy number would turn float32 waveforms into float64.
    return float(10 ** (gain_db / 20))


def _load_stream(stream: BinaryIO, name: str, clip_s: float) -> NDArray[np.float32]:
    if not 0 < clip_s < math.inf:
        raise InputError(f"clip_s: {clip_s} is no length; give seconds above 0")
    try:
        if stream.seek(0, os.SEEK_END) == 0:
            raise InputError(f"{name}: is empty (0 bytes); copy or download it again")
    except OSError as error:
        raise InputError(f"{name}: cannot be searched ({error}); give a regular file") from error
    samples_TC, sample_rate_hz = _decoded(stream, name, clip_s + _MARGIN_S)
    return to_clip(samples_TC, sample_rate_hz, clip_s, name)


def _decoded(stream: BinaryIO, name: str, seconds: float) -> tuple[NDArray[np.float32], int]:
    """The first `seconds` of a sound by libsndfile, or by FFmpeg where that one fails or falls short."""
    sure, stream = False, wav.mended(stream, seconds)
    try:
        samples_TC, sample_rate_hz, sure = _read_soundfile(stream, seconds)
    except _NotSoundError:
        samples_TC, sample_rate_hz = np.zeros((0, 1), np.float32), SAMPLE_RATE_HZ
    if sure:
        return samples_TC, sample_rate_hz
    stream.seek(0)
    try:
        others_TC, other_rate_hz = _read_ffmpeg(stream, name, seconds)
    except (_NotSoundError, InputError) as error:
        if len(samples_TC):
            return samples_TC, sample_rate_hz
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{name}: not a sound that libsndfile or FFmpeg reads; "
            "give a WAV, FLAC, OGG, MP3, M4A, MP4 ... file"
        ) from None
    more_s = len(others_TC) / other_rate_hz - len(samples_TC) / sample_rate_hz
    if len(samples_TC) and more_s < _LOST_S:
        return samples_TC, sample_rate_hz
    return others_TC, other_rate_hz


def _read_soundfile(stream: BinaryIO, seconds: float) -> tuple[NDArray[np.float32], int, bool]:
    """Samples, their rate, and whether that is surely all of what was asked for and is there."""
    import soundfile

    try:
        with soundfile.SoundFile(stream) as file:
            wanted = math.ceil(seconds * file.samplerate)
            samples_TC = file.read(wanted, dtype="float32", always_2d=True)
            # It believes what headers say: that there is nothing, or the number of frames of an MP3 file.
            sure = len(samples_TC) == wanted or file.format in _MENDED
            sure = sure or (len(samples_TC) > 0 and file.format != "MP3")
            return samples_TC, file.samplerate, sure
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a .raw file, which states no rate
        raise _NotSoundError from error


def _read_ffmpeg(stream: BinaryIO, name: str, seconds: float) -> tuple[NDArray[np.float32], int]:
    import av

    parts_CT: list[NDArray[np.float32]] = []
    read_s, sample_rate_hz = 0.0, SAMPLE_RATE_HZ
    try:
        for part_CT, sample_rate_hz in _ffmpeg_parts(stream, name):
            if parts_CT and len(part_CT) != len(parts_CT[0]):
                raise ValueError("the number of channels changes")
            parts_CT.append(part_CT)
            read_s += part_CT.shape[1] / sample_rate_hz
            if read_s >= seconds:
                break
    except (av.FFmpegError, ValueError) as error:  # ValueError: rate or channels change midway
        if isinstance(error, InputError):
            raise
        if not parts_CT:
            raise _NotSoundError from error
        raise InputError(f"{name}: is damaged after {read_s:.2f} s; copy or download it again") from error
    samples_CT = np.concatenate(parts_CT, axis=1) if parts_CT else np.zeros((1, 0), np.float32)
    return samples_CT.T, sample_rate_hz


def _ffmpeg_parts(stream: BinaryIO, name: str) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode the first audio stream, part by part, each with its sample rate."""
    import av

    # A playlist is a file too: without any protocol allowed it cannot open the files that it names.
    with av.open(stream, "r", options={"protocol_whitelist": ""}, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise InputError(f"{name}: has no audio stream; give a file with sound")
        to_float = av.AudioResampler(format="fltp")
        for frame in container.decode(container.streams.audio[0]):
            for part in to_float.resample(frame):
                yield np.asarray(part.to_ndarray(), np.float32), frame.sample_rate
