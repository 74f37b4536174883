"""Which moment of a video becomes its picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from sound2scene.data.selection.file import Selection
from sound2scene.moments import Choice
from sound2scene.types import InputError

Frame = Literal["middle", "random"]


class MomentChoice:
    """Chooses the moment of each video, and says what the job is.

    Args:
        selection: File of the selected moments, ours or the published one.
        frame: Moment of the videos that are not in the selection; None leaves them out, and takes the middle
            where there is no selection.
        side_px: Pixels of the picture's short side, at most. The `squeeze` preset needs 256.
        spelling: Brings a video's name into the form in which videos and selection are matched; None: no such
            name.

    Raises:
        InputError: If the selection cannot be read, has two entries of one name, or `side_px` is below 1.
    """

    def __init__(
        self,
        selection: str | Path | None = None,
        frame: Frame | None = None,
        side_px: int = 256,
        spelling: Callable[[str], str | None] = str,
    ) -> None:
        if side_px < 1:
            raise InputError(f"side {side_px}: give the pixels of the picture's short side, at least 1")
        self.frame = frame if selection is not None else frame or "middle"
        self.side_px, self.where, self.scorer = side_px, selection, dict[str, Any]()
        self._chosen: dict[str, Choice] = {}
        self._rejected: dict[str, tuple[str, str]] = {}
        if selection is not None:
            known = _selection(selection)
            self.scorer = dict(known.scorer)
            self._chosen = _spelt(known.videos, spelling, selection)
            self._rejected = _spelt(known.rejected, spelling, selection)

    def job(self, name: str, video: Path, about: Mapping[str, Any]) -> dict[str, Any]:
        """The job of a video.

        Args:
            name: Of the video, in the spelling.
            video: Its file.
            about: Key and label of the clip.
        """
        job = {"video": str(video), "side_px": self.side_px, **about}
        if choice := self._chosen.get(name):
            about = {"scorer": self.scorer.get("name")} | (
                {"score": choice.scores[0]} if choice.scores else {}
            )
            return job | {"moment_s": choice.moments_s[0], "duration_s": choice.duration_s, "metadata": about}
        if name in self._rejected:
            return job | {"rejected": self._rejected[name]}
        if self.frame is None:
            reason = f"{video}: not in {self.where}; select its moment or give --frame"
            return job | {"rejected": ("not_selected", reason)}
        return job | {"moment_s": self.frame}

    def notes(self) -> dict[str, Any]:
        """What `dataset.json` says of the choice."""
        selected = {} if self.where is None else {"scorer": self.scorer}
        return {"frame": self.frame, "side_px": self.side_px} | selected


def _selection(path: str | Path) -> Selection:
    try:
        return Selection.load(path)
    except InputError as error:
        try:
            return Selection.load_published(path)
        except InputError:
            raise error from None


def _spelt(
    entries: Mapping[str, Any], spelling: Callable[[str], str | None], where: str | Path
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, entry in entries.items():
        spelt = spelling(name)
        if spelt in found:
            raise InputError(f"{where}: {name} stands twice, in two spellings; keep one")
        if spelt is not None:
            found[spelt] = entry
    return found
