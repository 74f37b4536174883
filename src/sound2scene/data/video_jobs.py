"""Folders of videos as jobs for shards: VGGSound's in its official splits, and any other's by class folder or a table.

Which moment of a video becomes the picture is said by a selection, or is the middle or a random one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from sound2scene.data.labels import Labelled
from sound2scene.data.pairs import Source, Splits, held_out, shared_out
from sound2scene.data.selection import Choice, Selection, find_videos
from sound2scene.data.sharding import safe_key
from sound2scene.data.vggsound import ClipName, Row, in_official_splits
from sound2scene.types import InputError

Frame = Literal["middle", "random"]


class MomentChoice:
    """Chooses the moment of each video, and says what the job is.

    Args:
        selection: File of the selected moments, ours or the published one.
        frame: Moment of the videos that are not in the selection; None leaves them out, and takes the middle where
            there is no selection.
        side_px: Pixels of the picture's short side, at most. The `squeeze` preset needs 256.
        spelling: Brings a video's name into the form in which videos and selection are matched; None: no such name.

    Raises:
        InputError: If the selection cannot be read, has two entries of one name, or `side_px` is below 1.
    """

    def __init__(
        self, selection: str | Path | None = None, frame: Frame | None = None, side_px: int = 256,
        spelling: Callable[[str], str | None] = str,
    ) -> None:  # fmt: skip
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
            about = {"scorer": self.scorer.get("name")} | ({"score": choice.scores[0]} if choice.scores else {})
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


def _spelt(entries: Mapping[str, Any], spelling: Callable[[str], str | None], where: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, entry in entries.items():
        spelt = spelling(name)
        if spelt in found:
            raise InputError(f"{where}: {name} stands twice, in two spellings; keep one")
        if spelt is not None:
            found[spelt] = entry
    return found


def clip_name(name: str) -> str | None:
    """A VGGSound name from any spelling, whatever folder it lies in; None where it is no such name."""
    try:
        return ClipName.parse(name.rpartition("/")[2]).in_ms()
    except InputError:
        return None


def vggsound_videos(
    folder: str | Path,
    table: dict[ClipName, Row],
    moments: MomentChoice,
    classes: Collection[str] | None = None,
    val_share: float = 0.05,
) -> Source:
    """Jobs of a folder of VGGSound's videos, searched recursively, in the official splits.

    Args:
        folder: Of the videos, named in any of VGGSound's spellings; others are strays of kind `not_in_table`.
        table: From :func:`~sound2scene.data.vggsound.read_table`.
        moments: With the spelling :func:`clip_name`.
        classes: Take only clips of these; None takes all.
        val_share: Share of the training videos held out.

    Raises:
        InputError: If two files hold one clip, a class is not in the table, or there is no video at all.
    """
    found: dict[ClipName, list[Path]] = defaultdict(list)
    strays: list[str] = []
    for key, path in find_videos(folder).items():
        spelt = clip_name(key)
        if spelt is None or (name := ClipName.parse(spelt)) not in table:
            strays.append(path.relative_to(folder).as_posix())
        else:
            found[name].append(path)
    if doubles := [paths for paths in found.values() if len(paths) > 1]:
        listed = "; ".join(" and ".join(path.relative_to(folder).as_posix() for path in two) for two in doubles[:10])
        raise InputError(f"{folder}: {len(doubles)} clips have two files: {listed}; keep one of each")
    jobs = {
        name: moments.job(name.in_ms(), path, {"key": name.in_ms(), "label": table[name].label})
        for name, (path,) in found.items()
    }
    source = in_official_splits(jobs, table, classes, val_share)
    return source._replace(notes=source.notes | moments.notes(), strays={"not_in_table": strays})


def folder_videos(
    folder: str | Path,
    moments: MomentChoice,
    labels: Mapping[str, Labelled] | Literal["folders"] | None = None,
    shares: tuple[float, float] = (0.1, 0.0),
    classes: Collection[str] | None = None,
) -> Source:
    """Jobs of any folder of videos, searched recursively; clips are named after their paths.

    Args:
        folder: Of the videos.
        moments: Which become pictures.
        labels: From :func:`~sound2scene.data.labels.read_labels`; `folders`: the first folder of a path is its class;
            None: no labels.
        shares: Of the clips held out for validation and test, by a hash of the name, as far as `labels` has no splits.
        classes: Take only clips of these; None takes all. The others are strays of kind `outside_classes`.

    Raises:
        InputError: If there are no videos, or none of the classes.
    """
    table = labels if isinstance(labels, Mapping) else {}
    jobs: list[dict[str, Any]] = []
    outside: list[str] = []
    for name, path in find_videos(folder).items():
        first, slash, _ = name.partition("/")
        label = (first if slash else None) if labels == "folders" else table.get(name, Labelled(None)).label
        if classes is not None and label not in classes:
            outside.append(path.relative_to(folder).as_posix())
            continue
        jobs.append(moments.job(name, path, {"key": clip_key(name), "label": label}))
    if not jobs:
        raise InputError(f"{folder}: no videos of the classes {', '.join(classes or ())}; check the folders' names")
    given = {clip_key(name): entry.split for name, entry in table.items() if entry.split}
    splits = _given_splits(jobs, given, shares[0]) if given else shared_out(jobs, *shares)
    there = {job["key"] for job in jobs}
    missing: dict[str, list[str]] = defaultdict(list)
    for name, entry in table.items():
        if clip_key(name) not in there and (classes is None or entry.label in classes):
            missing["test" if entry.split == "test" else "train"].append(clip_key(name))
    notes = {"coverage": _counted(splits, missing)} | moments.notes()
    return Source(splits, notes, missing, {"outside_classes": outside})


def clip_key(name: str) -> str:
    """The key of the clip of a video of that name."""
    return safe_key(name.replace("/", "-"))


def _given_splits(jobs: list[dict[str, Any]], given: Mapping[str, str], val_share: float) -> Splits:
    """Jobs in the splits of a table, a video that is not in it in `train`; validation is held out if it has none."""
    splits: Splits = {"train": [], "val": [], "test": []}
    train = [job["key"] for job in jobs if given.get(job["key"], "train") == "train"]
    val = set[str]() if "val" in given.values() else held_out(train, val_share)
    for job in jobs:
        splits["val" if job["key"] in val else given.get(job["key"], "train")].append(job)
    return {split: found for split, found in splits.items() if found or split == "train"}


def _counted(splits: Splits, missing: Mapping[str, list[str]]) -> dict[str, dict[str, int]]:
    found = Counter({split: len(jobs) for split, jobs in splits.items()})
    found["train"] += found.pop("val", 0)
    return {
        split: {"found": found[split], "expected": found[split] + len(missing.get(split, ()))}
        for split in sorted(found.keys() | missing.keys(), reverse=True)
    }
