"""Pictures and sound of a video file, through PyAV (its wheel brings FFmpeg along).

Seconds count from the start of the file's presentation, which need not be timestamp 0. Rotation that the file
asks for is done, to the nearest quarter turn; pixels are taken as stored, whatever their aspect (a square
needs none).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from sound2scene.audio import is_silent
from sound2scene.data.video.assembly import (
    ROUNDING_S,
    FrameAssembly,
    SoundAssembly,
    steps_before,
    upright,
)
from sound2scene.data.video.errors import (
    NoAudioError,
    NoVideoError,
    SilentError,
    TooShortError,
    TruncatedError,
    UndecodableError,
)
from sound2scene.data.video.tracks import Track, Tracks, opened
from sound2scene.moments import STEP_HZ

SHORTEST_S = 2.0  # of picture and of sound, for all that selects moments or prepares clips
LONGEST_S = 3600.0  # a damaged timestamp must not ask for years of pictures


class Decoded(NamedTuple):
    """A whole video.

    Attributes:
        second_S: Second of each step, i / STEP_HZ, float64; all those before ``duration_s``.
        frames_SHWC: The frame on screen at each step, squeezed to a square, uint8 RGB.
        waveform_T: The first sound track, 16 kHz, channels averaged, float32, nominally in [-1, 1]; sample 0
            is second 0. Silence stands for sound that starts later and for holes in it.
        duration_s: End of the pictures, or of the sound where that goes on for a step or more: the last frame
            stays.
    """

    second_S: NDArray[np.float64]
    frames_SHWC: NDArray[np.uint8]
    waveform_T: NDArray[np.float32]
    duration_s: float


def _add_all(file: Tracks, pictures: FrameAssembly | None, tones: SoundAssembly) -> None:
    for frame, second in file.frames(steps_before, file.picture if pictures else None, file.sound):
        if second > LONGEST_S:
            raise UndecodableError(
                f"{file.path}: goes on for {second:.0f} s; cut it to {LONGEST_S:.0f} s or less"
            )
        if isinstance(frame, AudioFrame):
            tones.add(frame, second)
        elif pictures:
            pictures.add(frame, second)


def _finite(path: Path, tones: SoundAssembly) -> NDArray[np.float32]:
    waveform_T = tones.joined()
    if not np.isfinite(waveform_T).all():
        raise UndecodableError(f"{path}: its sound holds NaN or infinity; replace the file or leave it out")
    return waveform_T


def _check(file: Tracks, track: Track, what: str) -> None:
    """Refuse a track, decoded to its end, of which nothing or clearly too little came."""
    lost_s = file.missing_s(track)
    if track.begin_s is None and (track.is_damaged or lost_s is None):
        raise UndecodableError(
            f"{file.path}: nothing of its {what} decodes; replace the file or leave it out"
        )
    if lost_s is not None:
        raise TruncatedError(
            f"{file.path}: {lost_s:.1f} s of its {what} are missing or damaged; copy or download it again"
        )


def _check_bytes(path: Path) -> None:
    """Refuse an AVI file that lacks more than 5 % of its bytes: FFmpeg then takes its promise for shorter."""
    with path.open("rb") as file:
        form, length = file.read(4), int.from_bytes(file.read(4), "little")
    if form == b"RIFF" and (size := path.stat().st_size) < 0.95 * length:
        raise TruncatedError(f"{path}: has {size} of its {length} bytes; copy or download it again")


def decode(path: Path, side_px: int, shortest_s: float = SHORTEST_S) -> Decoded:
    """Pictures at 10 Hz and sound of a whole video, in one pass over the file, by one thread.

    At step i the frame of :func:`frame_at` is shown, second i / 10. A file counts as truncated where more
    than 0.5 s (from 10 s on, 5 %) of picture or sound is missing at its end or spoilt: damaged packets, and
    what follows them until the next key frame; holes of more than 0.5 s in sound. Less than that is put up
    with: the frame before stays, and silence fills in. Damage in frames that no step shows may go unseen.

    Args:
        path: The video file: mp4, webm, mkv, avi or whatever else FFmpeg reads.
        side_px: Height and width to which pictures are squeezed.
        shortest_s: Least length of picture and of sound.

    Raises:
        UndecodableError: The file cannot be decoded, or goes on for more than an hour.
        NoVideoError: There is no picture track.
        TruncatedError: More of picture or sound is missing than is put up with.
        NoAudioError: There is no sound track.
        TooShortError: Picture or sound is shorter than ``shortest_s``.
        SilentError: The root mean square of the sound lies below -80 dB of full scale.
    """
    with opened(path) as file:
        if file.picture is None:
            raise NoVideoError(f"{path}: has no picture; leave it out")
        pictures, tones = FrameAssembly(side_px), SoundAssembly()
        _check_bytes(path)
        _add_all(file, pictures, tones)
        _check(file, file.picture, "picture")
        # Asked for after the damage: that may have taken the sound track away.
        if file.sound is None:
            raise NoAudioError(f"{path}: has no sound; leave it out")
        _check(file, file.sound, "sound")
        for track, what in ((file.picture, "picture"), (file.sound, "sound")):
            length_s = track.end_s - (track.begin_s or 0.0)
            if length_s < shortest_s - ROUNDING_S:
                raise TooShortError(
                    f"{path}: has {length_s:.2f} s of {what}; {shortest_s:g} s are needed, leave it out"
                )
        waveform_T = _finite(path, tones)
        if is_silent(waveform_T):
            raise SilentError(f"{path}: its sound track is silent; leave it out")
        ends_s = file.picture.end_s, file.sound.end_s
        duration_s = ends_s[1] if ends_s[1] - ends_s[0] >= 1 / STEP_HZ else ends_s[0]
        pictures.hold(duration_s)
        frames_SHWC = pictures.stacked()
        return Decoded(np.arange(len(frames_SHWC)) / STEP_HZ, frames_SHWC, waveform_T, duration_s)


def _shown(file: Tracks, picture: Track, second: float, seek_s: float) -> VideoFrame | None:
    """The frame at ``second``, decoded from the key frame before ``seek_s``.

    None where that one lies past ``second``, or the video ends before it.
    """
    ticks = round((max(0.0, seek_s) + file.origin_s) / float(picture.stream.time_base or 1))
    file.container.seek(ticks, stream=picture.stream, backward=True)
    # The last frame stays on screen until the file ends; sound often ends after the pictures.
    found, end_s = None, (file.container.duration or 0) / av.time_base
    for frame, time_s in file.frames(lambda time_s: time_s > second + ROUNDING_S, picture):
        assert isinstance(frame, VideoFrame), "no other track is decoded"
        if time_s > second + ROUNDING_S:
            return found or (frame if seek_s <= 0 else None)
        found = frame
    return found if second <= max(end_s, picture.end_s) + ROUNDING_S else None


def frame_at(path: Path, second: float) -> NDArray[np.uint8]:
    """The frame on screen at ``second``: the last one whose presentation starts at or before it.

    Only the frames from the nearest key frame on are decoded, by one thread; damaged ones are left out. A
    second before the first frame gives the first frame.

    Returns:
        image_HWC: RGB, uint8, upright.

    Raises:
        UndecodableError: The file cannot be decoded.
        NoVideoError: There is no picture track.
        TooShortError: It ends before ``second``.
    """
    with opened(path) as file:
        if file.picture is None:
            raise NoVideoError(f"{path}: has no picture; leave it out")
        # Some files seek past the wanted frame: those are decoded from the start.
        frame = _shown(file, file.picture, second, second) or _shown(file, file.picture, second, 0.0)
        if file.picture.begin_s is None:
            raise UndecodableError(
                f"{path}: nothing of its picture decodes; replace the file or leave it out"
            )
        if frame is None:
            raise TooShortError(f"{path}: has no frame at {second:.3f} s; choose a moment inside the video")
        return upright(frame.to_ndarray(format="rgb24", threads=1).astype(np.uint8, copy=False), frame)


def sound(path: Path, whole: bool = False) -> NDArray[np.float32]:
    """The first sound track, as far as it decodes; see ``Decoded.waveform_T``. Silence is a sound here.

    Args:
        path: The video file.
        whole: Refuse a track that lacks something, where the file says how long it should be.

    Raises:
        TruncatedError: As for :func:`decode`, if it has to be whole.
        UndecodableError: The file cannot be decoded, nothing of its sound decodes, or it goes on for more
            than an hour.
        NoAudioError: There is no sound track.
    """
    with opened(path) as file:
        if file.sound is None:
            raise NoAudioError(f"{path}: has no sound; leave it out")
        if whole:
            _check_bytes(path)
        tones = SoundAssembly()
        _add_all(file, None, tones)
        if whole and file.sound.promised_s() is not None:  # else the pictures would have to be decoded, too
            _check(file, file.sound, "sound")
        if file.sound.begin_s is None:
            raise UndecodableError(f"{path}: nothing of its sound decodes; replace the file or leave it out")
        return _finite(path, tones)
