"""Which moment of a video becomes its picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sound2scene.data.selection.file import Selection
from sound2scene.data.settings import SHORT_SIDE_PX, MomentRule
from sound2scene.data.video.clip import VideoJob
from sound2scene.moments import Choice
from sound2scene.types import InputError

T = TypeVar("T")


class MomentChoice:
    """Chooses the moment of each video, and says what is to be made of the video.

    Args:
        selection: The selected moments; None where nobody has selected any.
        frame: Rule for the videos that are not in the selection; None leaves them out, and takes the middle
            where there is no selection.
        side_px: Most pixels of the picture's short side. The `squeeze` preset needs 256.
        spelling: Brings a video's name into the form in which videos and selection are matched; None stands
            for a name that cannot be brought there.

    Raises:
        InputError: If the selection has two entries of one name, or `side_px` is below 1.
    """

    def __init__(
        self,
        selection: Selection | None = None,
        frame: MomentRule | None = None,
        side_px: int = SHORT_SIDE_PX,
        spelling: Callable[[str], str | None] = str,
    ) -> None:
        if side_px < 1:
            raise InputError(f"side {side_px}: give the pixels of the picture's short side, at least 1")
        self.frame = frame if selection is not None else frame or "middle"
        self.side_px = side_px
        self.scorer = None if selection is None else dict(selection.scorer)
        self._chosen = _spelt(selection.videos, spelling) if selection else dict[str, Choice]()
        self._rejected = _spelt(selection.rejected, spelling) if selection else dict[str, tuple[str, str]]()

    def job(self, name: str, video: Path, key: str, label: str | None) -> VideoJob:
        """What is to be made of a video.

        Args:
            name: Name of the video, in the spelling.
            video: File of the video.
            key: Key of the clip that it becomes.
            label: Class of that clip, or None.
        """
        job: VideoJob = {"key": key, "label": label, "video": str(video), "side_px": self.side_px}
        if choice := self._chosen.get(name):
            about = {"scorer": (self.scorer or {}).get("name")}
            about |= {"score": choice.scores[0]} if choice.scores else {}
            job["moment_s"], job["duration_s"] = choice.moments_s[0], choice.duration_s
            job["metadata"] = about
        elif name in self._rejected:
            job["rejected"] = self._rejected[name]
        elif self.frame is None:
            remedy = "select its moment or give --frame"
            job["rejected"] = ("not_selected", f"{video}: not in the selection; {remedy}")
        else:
            job["moment_s"] = self.frame
        return job

    def notes(self) -> dict[str, Any]:
        """What `dataset.json` says of the choice."""
        selected = {} if self.scorer is None else {"scorer": self.scorer}
        return {"frame": self.frame, "side_px": self.side_px} | selected


def _spelt(entries: Mapping[str, T], spelling: Callable[[str], str | None]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, entry in entries.items():
        spelt = spelling(name)
        if spelt in found:
            raise InputError(f"{name}: stands twice in the selection, in two spellings; keep one")
        if spelt is not None:
            found[spelt] = entry
    return found
