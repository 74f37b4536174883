"""Cut some seconds out of a video, exact to the frame and to the sample, as an mp4 of h264 and AAC.

Everything is encoded anew: packets can be cut at key frames alone, which may lie seconds apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from sound2scene.audio import is_silent
from sound2scene.data.video.decode import check_bytes, sane
from sound2scene.data.video.errors import (
    NoAudioError,
    NoVideoError,
    SilentError,
    TooShortError,
    TruncatedError,
)
from sound2scene.data.video.orientation import upright_frame
from sound2scene.data.video.tracks import Track, Tracks, opened
from sound2scene.types import CLIP_S

SHORTEST_S = 2.0

_LOST_S = 0.5  # a stream that ends earlier than it says by more than this has lost its end
_TICK_S = Fraction(1, 90_000)
_AAC_RATES_HZ = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_PREROLL_S = 0.5  # decoders of sound need some of it before they are exact


def cut(files: Sequence[Path], start_s: float, target: Path, height: int, length_s: float = CLIP_S) -> None:
    """Write the seconds [start_s, start_s + length_s) of a video, the sound of which may lie in another file.

    The picture that is on screen at `start_s` is shown from 0 on and later ones keep their distance from it;
    they stand upright, whatever turn or mirror the file asks for. The sound starts at `start_s` to the
    sample. Seconds count from the start of each file's presentation.

    Args:
        files: Files of the video; the first with pictures and the first with sound are used.
        start_s: Second at which the cut begins.
        target: File to write, an mp4 whatever its name; after an error there may be a part of one.
        height: Height of the pictures in pixels; lower ones stay as they are.
        length_s: Seconds to take; fewer are taken where the video ends inside, but at least SHORTEST_S.

    Raises:
        VideoError: Without pictures or sound, over before `start_s` + SHORTEST_S, cut off, silent, not to be
            decoded, or with sound that :func:`decode.sane` refuses.
    """
    with _first(files, "picture"):  # of several faults, the one that `decode` names
        pass
    with _first(files, "sound") as (file, track):
        check_bytes(file.path)
        waveform_CT, rate_hz = _sound(file, track, start_s, length_s)
        heard = _Taken.of(file, track, waveform_CT.shape[1] / rate_hz)
    with (
        _first(files, "picture") as (file, track),
        av.open(str(target.absolute()), "w", format="mp4") as output,
    ):
        assert isinstance(track.stream, VideoStream), "a picture track is one of video"
        check_bytes(file.path)
        frames = _from(file, track, start_s)
        first = next(frames, None)
        pictures = _encoder(output, track.stream, first and upright_frame(first[2]), height)
        tones = output.add_stream("aac", rate=rate_hz, layout="mono" if len(waveform_CT) == 1 else "stereo")
        shown = chain([first] if first else [], frames)
        end_s = _write_pictures(output, pictures, shown, start_s, length_s)
        _check_lengths([_Taken.of(file, track, end_s), heard], start_s, length_s)
        if is_silent(sane(heard.path, waveform_CT).mean(axis=0)):
            raise SilentError(
                f"{heard.path}: is silent from {start_s:.1f} s on for {length_s:g} s; leave it out"
            )
        frame = av.AudioFrame.from_ndarray(waveform_CT, format="fltp", layout=tones.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        output.mux([*tones.encode(frame), *tones.encode(None)])


def _encoder(
    output: OutputContainer, stream: VideoStream, upright: VideoFrame | None, height: int
) -> VideoStream:
    """A track of h264 for the pictures of another, made smaller where they are higher than `height`."""
    like = upright or stream
    pictures = output.add_stream(
        "libx264", rate=stream.average_rate or 25, options={"preset": "veryfast", "crf": "20"}
    )
    scale = min(1.0, height / like.height)
    pictures.width, pictures.height = (max(2, 2 * round(px * scale / 2)) for px in (like.width, like.height))
    pictures.pix_fmt, pictures.codec_context.time_base = "yuv420p", _TICK_S
    pictures.codec_context.thread_count = 1
    return pictures


@contextmanager
def _first(files: Sequence[Path], kind: Literal["picture", "sound"]) -> Iterator[tuple[Tracks, Track]]:
    """Open the first file with such a track."""
    with ExitStack() as stack:
        for path in files:
            file = stack.enter_context(opened(path))
            track = file.picture if kind == "picture" else file.sound
            if track is not None:
                yield file, track
                return
        raise (NoVideoError if kind == "picture" else NoAudioError)(
            f"{files[0]}: has no {kind}; leave it out"
        )


def _from(file: Tracks, track: Track, second: float) -> Iterator[tuple[float, float, Any]]:
    """Frames from at or before `second` on, each with its start and end in seconds."""
    if second > 0:
        ticks = round((second + file.origin_s) / (track.stream.time_base or 1))
        file.container.seek(ticks, stream=track.stream, backward=True)
        frames = _stamped(file, track)
        first = next(frames, None)
        if first is not None and first[0] <= second:
            yield first
            yield from frames
            return
    # Some files seek past the wanted place, and then past the start, too.
    with opened(file.path) as again:
        same = again.picture if isinstance(track.stream, VideoStream) else again.sound
        if same is not None:
            yield from _stamped(again, same)


def _stamped(file: Tracks, track: Track) -> Iterator[tuple[float, float, Any]]:
    frames: Iterator[Any] = file.container.decode(track.stream)
    for frame in frames:
        time_s = (frame.time or 0.0) - file.origin_s
        length_s = float((frame.duration or 0) * (frame.time_base or 0))
        yield time_s, time_s + (length_s or track.length_s(None)), frame


def _write_pictures(
    output: OutputContainer,
    encoder: VideoStream,
    frames: Iterator[tuple[float, float, VideoFrame]],
    start_s: float,
    length_s: float,
) -> float:
    """Encode what is seen in the cut; returns its seconds, below 0 where the video was over before."""

    def show(frame: VideoFrame, second: float) -> None:
        small = upright_frame(frame).reformat(width=encoder.width, height=encoder.height, format="yuv420p")
        small.pts, small.time_base, small.pict_type = round(second / _TICK_S), _TICK_S, 0
        output.mux(encoder.encode(small))

    on_screen: VideoFrame | None = None  # at the start of the cut
    seen_s = 0.0
    for time_s, frame_end_s, frame in frames:
        after_s = time_s - start_s
        if after_s >= length_s - _TICK_S:
            seen_s = length_s
            break
        seen_s = frame_end_s - start_s
        if after_s <= _TICK_S:
            on_screen = frame
            continue
        if on_screen is not None:
            show(on_screen, 0.0)
            on_screen = None
        show(frame, after_s)
    output.mux(encoder.encode(None))
    return min(seen_s, length_s)


def _sound(file: Tracks, track: Track, start_s: float, length_s: float) -> tuple[NDArray[np.float32], int]:
    """Samples of the cut, of one or two channels, and their rate; silence where the file has a hole."""
    stream = track.stream
    assert isinstance(stream, AudioStream), "a sound track is one of audio"
    rate_hz = stream.rate if stream.rate in _AAC_RATES_HZ else _AAC_RATES_HZ[-1]
    layout = "mono" if stream.channels == 1 else "stereo"
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate_hz)
    wanted = round(length_s * rate_hz)
    waveform_CT = np.zeros((1 if layout == "mono" else 2, wanted), dtype=np.float32)
    end = 0
    for time_s, _, frame in _from(file, track, max(0.0, start_s - _PREROLL_S)):
        if time_s >= start_s + length_s:
            break
        frame.pts, frame.time_base = round(time_s * rate_hz), Fraction(1, rate_hz)
        for part in resampler.resample(frame):
            samples_CT = part.to_ndarray()
            first = round((part.time or 0.0) * rate_hz) - round(start_s * rate_hz)
            kept_CT = samples_CT[:, max(0, -first) : max(0, wanted - first)]
            waveform_CT[:, max(0, first) : max(0, first) + kept_CT.shape[1]] = kept_CT
            end = max(end, first + samples_CT.shape[1])
    return waveform_CT[:, : max(0, min(end, wanted))], rate_hz


class _Taken(NamedTuple):
    """What came of a track for a cut, and what was promised.

    Attributes:
        path: File of the track.
        kind: `video` or `audio`.
        found_s: Seconds that came, from the start of the cut.
        track_s: Length of the track by the word of the file; None where it tells of the whole alone.
        file_s: Length of the whole.
    """

    path: Path
    kind: str
    found_s: float
    track_s: float | None
    file_s: float

    @classmethod
    def of(cls, file: Tracks, track: Track, found_s: float) -> _Taken:
        stream = track.stream
        track_s = float(stream.duration * (stream.time_base or 0)) if stream.duration else None
        return cls(file.path, stream.type, found_s, track_s, (file.container.duration or 0) / av.time_base)


def _check_lengths(parts: Sequence[_Taken], start_s: float, wanted_s: float) -> None:
    """Refuse a cut that lost the end of a track, or in which one is too short."""
    for part in parts:
        stated_s, found_s = part.track_s, part.found_s
        if stated_s is None:  # the length of a file is that of its longest track
            stated_s = part.file_s
            found_s = max(other.found_s for other in parts if other.path == part.path)
        if found_s < min(wanted_s, stated_s - start_s) - _LOST_S:
            raise TruncatedError(
                f"{part.path}: {part.kind} ends before the {stated_s:.1f} s it says; download it again"
            )
    for part in parts:
        if part.found_s < SHORTEST_S:
            raise TooShortError(
                f"{part.path}: {part.kind} ends before {start_s + SHORTEST_S:g} s; leave it out"
            )
