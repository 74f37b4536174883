"""VGGSound's clip names, in every spelling that is in use.

These are (reference: VGGSound `data/`, Sound2Scene `README.md`, SSLalignment `datasets.py`) `<id>_<start
ms>_<end ms>`, `<id>_<6-digit start s>`, `<id>_<start s with three decimals>`, and the table's separate
columns. An id has 11 characters and may itself hold `_` and `-`; the published table has lost one of them in
a single video.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sound2scene.types import InputError

_ID = r"(?P<video>[A-Za-z0-9_-]{11}|-21-GT2EIM)"
_SPELLINGS = (
    re.compile(_ID + r"_(?P<ms>[0-9]+)_(?P<end>[0-9]+)"),
    re.compile(_ID + r"_(?P<s>[0-9]{6})"),
    re.compile(_ID + r"_(?P<s>[0-9]+\.[0-9]{3})"),
)


class ClipName(NamedTuple):
    """A 10 s clip of a video.

    Attributes:
        video: YouTube id of the video.
        start_ms: Where the clip starts in the video.
    """

    video: str
    start_ms: int

    @classmethod
    def parse(cls, name: str) -> ClipName:
        """From any spelling, without a file suffix.

        Raises:
            InputError: If it is none of them.
        """
        for spelling in _SPELLINGS:
            if match := spelling.fullmatch(name):
                parts = match.groupdict()
                start_ms = int(parts["ms"]) if "ms" in parts else round(float(parts["s"]) * 1000)
                if int(parts.get("end", start_ms + 1)) <= start_ms:
                    break
                return cls(parts["video"], start_ms)
        raise InputError(
            f"{name!r}: not a VGGSound name; expected <id>_<start ms>_<end ms> or <id>_<6-digit start s>"
        )

    def in_ms(self) -> str:
        """`<id>_<start ms>_<end ms>`, as in the published annotation of moments; a clip lasts 10 s."""
        return f"{self.video}_{self.start_ms}_{self.start_ms + 10_000}"

    def in_s(self) -> str:
        """`<id>_<6-digit start s>`, as in VGGSound's own files.

        Raises:
            InputError: If the clip does not start at a whole second.
        """
        if self.start_ms % 1000:
            raise InputError(
                f"{self.in_ms()} does not start at a whole second; it has no name of that spelling"
            )
        return f"{self.video}_{self.start_ms // 1000:06d}"


def clip_name(name: str) -> str | None:
    """A VGGSound name from any spelling, whatever folder it lies in; None where it is no such name."""
    try:
        return ClipName.parse(name.rpartition("/")[2]).in_ms()
    except InputError:
        return None
