"""Pictures and sound of a video file, through PyAV (its wheel brings FFmpeg along).

Seconds count from the start of the file's presentation, which need not be timestamp 0. Pictures are turned
and mirrored as the file asks, to the nearest quarter turn; pixels are taken as stored, whatever their aspect
(a square needs none).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from sound2scene.audio import beyond_scale, is_silent
from sound2scene.data.video.assembly import ROUNDING_S, FrameAssembly, SoundAssembly, steps_before
from sound2scene.data.video.errors import (
    NoAudioError,
    NoVideoError,
    ScaleError,
    SilentError,
    TooLargeError,
    TooShortError,
    TruncatedError,
    UndecodableError,
)
from sound2scene.data.video.orientation import upright
from sound2scene.data.video.tracks import Track, Tracks, opened
from sound2scene.moments import STEP_HZ
from sound2scene.regular import open_regular

SHORTEST_S = 2.0  # of picture and of sound, for all that selects moments or prepares clips
LONGEST_S = 3600.0  # a damaged timestamp must not ask for years of pictures
LARGEST_BYTES = 2**30  # of distinct frames and sound together: 12 minutes of frames of 224 px that all differ


class Decoded(NamedTuple):
    """A whole video.

    Attributes:
        second_S: Second of each step, i / STEP_HZ, float64; all those before ``duration_s``.
        frames_UHWC: The U distinct frames that steps show, in order, squeezed to a square, uint8 RGB.
        shown_S: Which of them is on screen at each step, int64.
        waveform_T: The first sound track, 16 kHz, channels averaged, float32, nominally in [-1, 1]; sample 0
            is second 0. Silence stands for sound that starts later and for holes in it.
        duration_s: End of the pictures, or of the sound where that goes on for a step or more: the last frame
            stays.
    """

    second_S: NDArray[np.float64]
    frames_UHWC: NDArray[np.uint8]
    shown_S: NDArray[np.int64]
    waveform_T: NDArray[np.float32]
    duration_s: float

    @property
    def frames_SHWC(self) -> NDArray[np.uint8]:  # noqa: N802 (it ends in its axes)
        """The frame on screen at each step: repeated ones take memory again."""
        return self.frames_UHWC[self.shown_S]


def _add_all(file: Tracks, pictures: FrameAssembly | None, tones: SoundAssembly) -> None:
    """Decode the sound, and the pictures where they are wanted; else their packets are noted alone."""
    wanted, passing = (file.picture, None) if pictures else (None, file.picture)
    for frame, second in file.frames(steps_before, wanted, file.sound, passing=passing):
        if second > LONGEST_S:
            raise UndecodableError(
                f"{file.path}: goes on for {second:.0f} s; cut it to {LONGEST_S:.0f} s or less"
            )
        if isinstance(frame, AudioFrame):
            tones.add(frame, second)
        elif pictures:
            pictures.add(frame, second)
        held_bytes = tones.held_bytes + (pictures.held_bytes if pictures else 0)
        if held_bytes > LARGEST_BYTES:
            raise TooLargeError(
                f"{file.path}: takes more than {LARGEST_BYTES / 2**20:.0f} MiB of memory "
                f"by second {second:.0f}; cut it into parts"
            )


def sane(path: Path, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """A sound of any shape, unless it holds NaN or infinity or has another scale than full scale 1."""
    if not np.isfinite(waveform).all():
        raise UndecodableError(f"{path}: its sound holds NaN or infinity; replace the file or leave it out")
    if fault := beyond_scale(waveform):
        raise ScaleError(f"{path}: {fault}; write it again at that scale, or leave it out")
    return waveform


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


def check_bytes(path: Path) -> None:
    """Refuse an AVI file that lacks more than 5 % of its bytes: FFmpeg then takes its promise for shorter."""
    with open_regular(path) as file:
        form, length = file.read(4), int.from_bytes(file.read(4), "little")
    if form == b"RIFF" and (size := path.stat().st_size) < 0.95 * length:
        raise TruncatedError(f"{path}: has {size} of its {length} bytes; copy or download it again")


def _check_both(file: Tracks, shortest_s: float) -> None:
    """Refuse a file, read to its end, that lacks a track or some of one, or is too short."""
    assert file.picture is not None, "asked for before"
    _check(file, file.picture, "picture")
    # Asked for after the damage: that may have taken the sound track away.
    if file.sound is None:
        raise NoAudioError(f"{file.path}: has no sound; leave it out")
    _check(file, file.sound, "sound")
    for track, what in ((file.picture, "picture"), (file.sound, "sound")):
        length_s = track.end_s - (track.begin_s or 0.0)
        if length_s < shortest_s - ROUNDING_S:
            raise TooShortError(
                f"{file.path}: has {length_s:.2f} s of {what}; {shortest_s:g} s are needed, leave it out"
            )


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
        UndecodableError: The file cannot be decoded, its sound holds NaN, or it goes on for more than an
            hour.
        TooLargeError: Frames and sound take more than `LARGEST_BYTES`.
        NoVideoError: There is no picture track.
        TruncatedError: More of picture or sound is missing than is put up with.
        NoAudioError: There is no sound track.
        TooShortError: Picture or sound is shorter than ``shortest_s``.
        ScaleError: The samples of the sound lie far beyond full scale (see `audio.OVERSHOOT`).
        SilentError: The root mean square of the sound lies below -80 dB of full scale.
    """
    with opened(path) as file:
        picture = _picture(file)
        pictures, tones = FrameAssembly(side_px), SoundAssembly()
        check_bytes(path)
        _add_all(file, pictures, tones)
        _check_both(file, shortest_s)
        waveform_T = sane(path, tones.joined())
        if is_silent(waveform_T):
            raise SilentError(f"{path}: its sound track is silent; leave it out")
        sound_end_s = file.sound.end_s if file.sound else 0.0
        duration_s = sound_end_s if sound_end_s - picture.end_s >= 1 / STEP_HZ else picture.end_s
        pictures.hold(duration_s)
        frames_UHWC, shown_S = pictures.joined()
        return Decoded(np.arange(len(shown_S)) / STEP_HZ, frames_UHWC, shown_S, waveform_T, duration_s)


def _picture(file: Tracks) -> Track:
    if file.picture is None:
        raise NoVideoError(f"{file.path}: has no picture; leave it out")
    return file.picture


def _shown(file: Tracks, picture: Track, second: float, seek: bool) -> VideoFrame | None:
    """The frame at ``second``, decoded from the key frame before it, or from the start without ``seek``.

    None where that key frame lies past ``second``, or the video ends before it.
    """
    if seek:
        ticks = round((second + file.origin_s) / float(picture.stream.time_base or 1))
        file.container.seek(ticks, stream=picture.stream, backward=True)
    # The last frame stays on screen until the file ends; sound often ends after the pictures.
    found, end_s = None, (file.container.duration or 0) / av.time_base
    for frame, time_s in file.frames(lambda time_s: time_s > second + ROUNDING_S, picture):
        assert isinstance(frame, VideoFrame), "no other track is decoded"
        if time_s > second + ROUNDING_S:
            return found or (None if seek else frame)
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
    # Some files seek past the wanted frame, and then past the first one, too: those are opened anew and
    # decoded from their start.
    for seek in (True, False) if second > 0 else (False,):
        with opened(path) as file:
            picture = _picture(file)
            if frame := _shown(file, picture, second, seek):
                image_HWC = frame.to_ndarray(format="rgb24", threads=1).astype(np.uint8, copy=False)
                return upright(image_HWC, frame)
    if picture.begin_s is None:
        raise UndecodableError(f"{path}: nothing of its picture decodes; replace the file or leave it out")
    raise TooShortError(f"{path}: has no frame at {second:.3f} s; choose a moment inside the video")


def sound(path: Path, whole: bool = False) -> NDArray[np.float32]:
    """The first sound track, as far as it decodes; see ``Decoded.waveform_T``. Silence is a sound here.

    Args:
        path: The video file.
        whole: Refuse what :func:`decode` refuses, but for damage inside pictures, which are not decoded, and
            for silence.

    Raises:
        UndecodableError: The file cannot be decoded, nothing of its sound decodes, it holds NaN, or it goes
            on for more than an hour.
        NoAudioError: There is no sound track.
        ScaleError: Its samples lie far beyond full scale.
        VideoError: As for :func:`decode`, if it has to be whole.
    """
    with opened(path) as file:
        if whole:
            _picture(file)
            check_bytes(path)
        elif file.sound is None:
            raise NoAudioError(f"{path}: has no sound; leave it out")
        tones = SoundAssembly()
        _add_all(file, None, tones)
        if whole:
            _check_both(file, SHORTEST_S)
        if file.sound is None or file.sound.begin_s is None:
            raise UndecodableError(f"{path}: nothing of its sound decodes; replace the file or leave it out")
        return sane(path, tones.joined())
