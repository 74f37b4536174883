"""The tracks of a video file, decoded in one pass, and how much of what the file promises came out of them.

Seconds count from the start of the file's presentation, which need not be timestamp 0.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sound2scene.data.video.errors import UndecodableError
from sound2scene.regular import open_regular
from sound2scene.types import InputError

CLEARLY_S = 0.5  # what is less than this, or than 5 % of a track, is not called missing
_CLEARLY = 0.05
_ROUNDING_S = 0.002
# One frame per packet, and a decoder that leaves out what no frame is predicted from without a trace in the
# others (MPEG-4's then drops more than it was told). It saves a third of the decoding of the usual H.264.
_CAN_SKIP = ("h264", "hevc")
_LONGEST_PICTURE_S = 1.0  # by the rate alone: that of a still picture may be anything
_AHEAD = 32  # packets; frames are reordered by 16 at most


@dataclass
class Track:
    """The first picture or sound track of a file, while it is decoded.

    What follows a damaged packet counts as spoilt until the next key frame, because it is predicted from the
    damage; in sound every frame is one.

    Attributes:
        stream: Stream that the packets come from.
        origin_s: Timestamp of the file's second 0.
        by_dts: AVI has no times of presentation, and FFmpeg's guesses are out of order where there are B
            frames. The decoding times are right: a frame is shown when the packet after it is decoded.
        begin_s: Second of its first frame; None before that one has come.
        end_s: Second at which the latest frame that has come ends.
        spoilt_s: How much of them is damaged or left out.
    """

    stream: VideoStream | AudioStream
    origin_s: float
    by_dts: bool = False
    begin_s: float | None = None
    end_s: float = 0.0
    spoilt_s: float = 0.0
    _spoilt_from_s: float | None = None

    def __post_init__(self) -> None:
        self._tick_s = float(self.stream.time_base or 0)  # asked for at every packet

    def second(self, ticks: int | None) -> float | None:
        """Second of a timestamp of the stream."""
        return None if ticks is None else ticks * self._tick_s - self.origin_s

    def promised_s(self) -> float | None:
        """Second at which the track ends by the word of the file; None where it tells of the whole alone."""
        return (
            self.second((self.stream.start_time or 0) + self.stream.duration)
            if self.stream.duration
            else None
        )

    def length_s(self, ticks: int | None) -> float:
        """Seconds of a picture, by its ticks or else by the rate of the track."""
        rate = self.stream.average_rate if isinstance(self.stream, VideoStream) else None
        return (ticks or 0) * self._tick_s or (min(float(1 / rate), _LONGEST_PICTURE_S) if rate else 0.0)

    def passed(self, packet: Packet[Any]) -> None:
        """Note a packet that is not decoded: as if its frame had come."""
        second = self.second(packet.dts if self.by_dts or packet.pts is None else packet.pts)
        if second is None or not packet.size or packet.is_discard:
            return
        self.begin_s = second if self.begin_s is None else min(self.begin_s, second)
        self.end_s = max(self.end_s, second + self.length_s(packet.duration))

    def second_of(self, shown: Packet[Any] | VideoFrame | AudioFrame) -> float | None:
        """Second at which the frame of a packet, or a frame, is presented."""
        return self.second(shown.dts if self.by_dts else shown.pts)

    def failed(self, packet: Packet[Any]) -> None:
        """Note a packet that does not decode."""
        if self._spoilt_from_s is None:
            second = self.second_of(packet)
            self._spoilt_from_s = self.end_s if second is None else second

    def came(self, frame: VideoFrame | AudioFrame) -> float:
        """Note a frame; returns its second."""
        second = self.second_of(frame)
        time_s = self.end_s if second is None else second  # without a timestamp it follows the frame before
        if self._spoilt_from_s is not None and (isinstance(frame, AudioFrame) or frame.key_frame):
            self.spoilt_s += max(0.0, time_s - self._spoilt_from_s)
            self._spoilt_from_s = None
        elif isinstance(frame, AudioFrame) and self.begin_s is not None and time_s - self.end_s > CLEARLY_S:
            self.spoilt_s += time_s - self.end_s
        if frame.is_corrupt and self._spoilt_from_s is None:
            self._spoilt_from_s = time_s
        if isinstance(frame, AudioFrame):
            length_s = frame.samples / frame.sample_rate
        else:
            length_s = self.length_s(frame.duration)
        self.begin_s = time_s if self.begin_s is None else self.begin_s
        self.end_s = max(self.end_s, time_s + length_s)
        return time_s

    def lost_s(self, promised_s: float) -> float:
        """How much of it is spoilt, or missing at the end."""
        tail_s = 0.0 if self._spoilt_from_s is None else max(0.0, self.end_s - self._spoilt_from_s)
        return self.spoilt_s + tail_s + max(0.0, promised_s - self.end_s)

    @property
    def is_damaged(self) -> bool:
        """Whether anything of it did not decode."""
        return self.spoilt_s > 0 or self._spoilt_from_s is not None


@dataclass(frozen=True)
class Tracks:
    """An open video file.

    Attributes:
        path: Path of the file.
        container: The file as PyAV sees it.
        picture: First picture track that is no cover, if any.
        sound: First sound track, if any.
        origin_s: Timestamp of second 0.
    """

    path: Path
    container: InputContainer
    picture: Track | None
    sound: Track | None
    origin_s: float

    def frames(
        self, step: Callable[[float], int], *wanted: Track | None, passing: Track | None = None
    ) -> Iterator[tuple[VideoFrame | AudioFrame, float]]:
        """Decode tracks from where the file stands: each frame with its second. Damaged packets are left out.

        Args:
            step: Number of the moment in which a second lies, never falling. A picture that is gone before
                the next moment begins may be missing: those that no other is predicted from are not decoded.
            wanted: Tracks to decode; None is skipped.
            passing: Track whose packets are noted and not decoded, if any.
        """
        tracks = {track.stream.index: track for track in wanted if track}
        every = [*tracks.values(), *([passing] if passing else [])]
        for packet, is_seen in _ahead(_packets(self.container, every), tracks.values(), step):
            if passing and packet.stream.index == passing.stream.index:
                passing.passed(packet)
                continue
            track = tracks[packet.stream.index]  # a packet's own number is wrong where it only flushes
            if isinstance(track.stream, VideoStream):
                track.stream.codec_context.skip_frame = "DEFAULT" if is_seen else "NONREF"
            try:
                frames = packet.decode()
            except av.FFmpegError:
                track.failed(packet)
                continue
            for frame in frames:
                yield frame, track.came(frame)

    def missing_s(self, track: Track) -> float | None:
        """How much of a track that has been decoded to its end is lost, if that is clearly something."""
        promised_s, ended_s = track.promised_s(), track.end_s
        if promised_s is None:  # the length of the file is that of its longest track
            # Some Matroska files give the timestamp of their end for their length.
            promised_s = (self.container.duration or 0) / av.time_base - max(0.0, self.origin_s)
            promised_s -= max(each.end_s for each in (self.picture, self.sound) if each) - ended_s
        lost_s = track.lost_s(promised_s)
        return lost_s if lost_s > max(CLEARLY_S, _CLEARLY * promised_s) else None


def _packets(container: InputContainer, tracks: Iterable[Track]) -> Iterator[Packet[Any]]:
    try:
        yield from container.demux([track.stream for track in tracks])
    except av.error.InvalidDataError:
        return  # the file cannot be followed beyond this point; what is missing is counted


def _ahead(
    packets: Iterator[Packet[Any]], tracks: Iterable[Track], step: Callable[[float], int]
) -> Iterator[tuple[Packet[Any], bool]]:
    """The packets of each track in order, and whether a moment begins while the frame is on screen."""
    picture = next(
        (t for t in tracks if t.stream.type == "video" and t.stream.codec_context.name in _CAN_SKIP), None
    )
    waiting: deque[Packet[Any]] = deque()
    seconds: list[float] = []  # of the frames around, in the order of presentation

    def is_seen(packet: Packet[Any]) -> bool:
        if picture is None or (second := picture.second_of(packet)) is None:
            return True
        following = bisect_right(seconds, second)
        return following == len(seconds) or step(second) < step(seconds[following])

    for packet in packets:
        if picture is None or packet.stream.index != picture.stream.index:
            yield packet, True
            continue
        waiting.append(packet)
        if (second := picture.second_of(packet)) is not None and not packet.is_discard:
            insort(seconds, second)
            del seconds[: -3 * _AHEAD]
        if len(waiting) > _AHEAD:
            yield (first := waiting.popleft()), is_seen(first)
    for packet in waiting:
        yield packet, is_seen(packet)


def _track(path: Path, stream: VideoStream | AudioStream, origin_s: float) -> Track:
    # PyAV has no context where FFmpeg has no decoder.
    if stream.codec_context is None:
        raise UndecodableError(
            f"{path}: its {stream.type} track is of an unknown codec; convert it, or leave it out"
        )
    # One thread per file: many at once share the cores better, and nothing is decoded that nobody waits for.
    stream.codec_context.thread_count = 1
    by_dts = stream.container.format.name == "avi" and stream.codec_context.name in (
        "mpeg4",
        "msmpeg4v3",
        "msmpeg4v2",
    )
    return Track(stream, origin_s, by_dts)


def _origin_s(container: InputContainer) -> float:
    """Timestamp of second 0."""
    origin_s = (container.start_time or 0) / av.time_base
    begins_s = [s.start_time * float(s.time_base or 0) for s in container.streams.video if s.start_time]
    if not container.streams.audio or not begins_s or "mp4" not in container.format.name:
        return origin_s
    # In fragments without an edit list the packet that only prepares the decoder of the sound lies at 0,
    # though all else begins later: its length tells where it belongs.
    sound = container.streams.audio[0]
    entries = sound.index_entries
    if len(entries) < 3 or sound.start_time != entries[0].timestamp:
        return origin_s
    tick_s = float(sound.time_base or 0)
    first, second, third = (entries[number].timestamp * tick_s for number in range(3))
    belongs_s = second - (third - second)
    return belongs_s if first + _ROUNDING_S < belongs_s <= min(begins_s) else origin_s


@contextmanager
def opened(path: Path) -> Iterator[Tracks]:
    """The file, open for decoding; what FFmpeg refuses becomes an UndecodableError."""
    try:
        # Opened here and not by FFmpeg, which takes "a:b" for a protocol and "-" for standard input.
        # Playlists are files too: an empty list of protocols keeps them from opening what they name.
        options = {"protocol_whitelist": ""}
        with (
            open_regular(path) as file,
            av.open(file, "r", options=options, metadata_errors="ignore") as container,
        ):
            origin_s = _origin_s(container)
            pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            picture = _track(path, pictures[0], origin_s) if pictures else None
            sound = _track(path, container.streams.audio[0], origin_s) if container.streams.audio else None
            yield Tracks(path, container, picture, sound, origin_s)
    except InputError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UndecodableError(
            f"{path}: cannot be decoded ({reason}); replace the file or leave it out"
        ) from error
