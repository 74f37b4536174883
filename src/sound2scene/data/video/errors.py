"""Why a video cannot be used, as types."""

from __future__ import annotations

from typing import ClassVar

from sound2scene.types import InputError


class VideoError(InputError):
    """A video that cannot be used.

    Attributes:
        kind: One word for tables of what was rejected and why.
    """

    kind: ClassVar[str] = "undecodable"


class NoVideoError(VideoError):
    """There is no picture track; a cover is none."""

    kind = "no_video"


class NoAudioError(VideoError):
    """There is no sound track."""

    kind = "no_audio"


class SilentError(VideoError):
    """There is a sound track, and nothing is heard on it."""

    kind = "silent"


class TooShortError(VideoError):
    """Picture or sound is shorter than what was asked for."""

    kind = "too_short"


class TruncatedError(VideoError):
    """A part of what the file promises is missing or damaged."""

    kind = "truncated"


class UndecodableError(VideoError):
    """The file cannot be opened, or nothing of a track decodes."""

    kind = "undecodable"


class ScaleError(VideoError):
    """The samples of the sound have another scale than full scale 1."""

    kind = "scale"


class TooLargeError(VideoError):
    """Decoded it would take more memory than one video may."""

    kind = "too_large"
