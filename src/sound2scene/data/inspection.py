"""Look at every clip of a split for what should not be tested on; see :mod:`sound2scene.data.hygiene`.

Clips are read in blocks, by several processes. Only what tells the copies of the split apart stays in memory,
about 4 kB a clip; the splits that it is compared with stream by, so that their size costs time alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sound2scene import images
from sound2scene.data.duplicates import motion, pictures, sounds
from sound2scene.data.hygiene import Finding, Hygiene, Kind
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.data.shards.shard import safe_key
from sound2scene.data.vggsound.names import ClipName, clip_name
from sound2scene.data.video.errors import VideoError
from sound2scene.data.video.find import find_videos
from sound2scene.processes import spread
from sound2scene.progress import Bar
from sound2scene.types import InputError

BLOCK = 128
SILENT_DB = -60.0  # root mean square re full scale
MOVES_UNKNOWN = "no folder of videos was named (--videos)"


class Looks(NamedTuple):
    """What is kept of some clips of a split.

    Attributes:
        split: Name of the split.
        start: Position of the first in the split.
        key: Names of the clips.
        level_N: Root mean square of the sounds, dB of full scale.
        code_NF: Fingerprints of the sounds.
        hash_NW: Hashes of the pictures.
    """

    split: str
    start: int
    key: list[str]
    level_N: NDArray[np.float64]
    code_NF: NDArray[np.uint32]
    hash_NW: NDArray[np.uint64]


def inspect(
    shards: str,
    split: str = "test",
    against: Sequence[str] = ("train",),
    videos: Path | None = None,
    silent_db: float = SILENT_DB,
    workers: int = 1,
) -> Hygiene:
    """Look at every clip of a split, and compare it with those of others.

    A clip is told once for each kind, with the most alike of its partners. A split may be compared with
    itself: of clips that are alike the first one stays.

    Args:
        shards: Folder or address of the dataset.
        split: Split to look at.
        against: Splits that should have nothing of it.
        videos: Folder of the videos that the clips are of, searched recursively; None does not ask whether
            anything moves.
        silent_db: Level in dB of full scale below which a sound counts as silent.
        workers: Number of processes.

    Raises:
        InputError: If a split is missing, or a clip cannot be read.
    """
    folder = Folder(shards)
    names = list(dict.fromkeys([split, *against]))
    clips = {name: folder.split(name)["clips"] for name in names}
    fingerprints = {name: folder.fingerprints()[name] for name in names}
    found: dict[tuple[int, Kind], Finding] = {}
    not_looked_for = {} if videos else {"still": MOVES_UNKNOWN}
    with spread(workers, [__name__]) as each:
        known = _joined(_looks(each, shards, split, clips[split]))
        _silent(known, silent_db, found)
        if videos and known.key:
            missing = _still(each, known, videos, found)
            not_looked_for |= {"still": missing} if missing else {}
        copies = _Copies(known)
        for name in dict.fromkeys(against) if known.key else ():
            for block in _looks(each, shards, name, clips[name]):
                copies.compare(block, found)
    findings = [found[place] for place in sorted(found)]
    data = folder.card.get("name", "")
    return Hygiene(data, split, fingerprints, clips, _limits(silent_db), not_looked_for, findings)


def _limits(silent_db: float) -> dict[str, float]:
    same_picture = pictures.NEAR_FINE / pictures.FINE**2
    return {
        "silent_db": silent_db,
        "still_grey": motion.STILL,
        "same_sound": sounds.NEAR,
        "same_picture": same_picture,
    }


class _Copies:
    """Clips of which copies are looked for.

    Args:
        known: They.
    """

    def __init__(self, known: Looks) -> None:
        self.known = known
        self.pictures, self.sounds = pictures.SamePictures(known.hash_NW), sounds.SameSounds(known.code_NF)
        self.by_video: dict[str, list[int]] = defaultdict(list)
        for position, key in enumerate(known.key):
            if video := video_of(key):
                self.by_video[video].append(position)

    def compare(self, block: Looks, found: dict[tuple[int, Kind], Finding]) -> None:
        """Note which clips some of another split, or of the same one, repeat."""
        same: dict[Kind, Iterator[tuple[int, int, float]]] = {
            "same_video": self._same_video(block.key),
            "same_sound": self.sounds.pairs(block.code_NF),
            "same_picture": self.pictures.pairs(block.hash_NW),
        }
        for kind, pairs in same.items():
            for here, other, figure in pairs:
                if block.split == self.known.split and block.start + other >= here:
                    continue  # itself, or a later one, which is the one to leave out
                partner = f"{block.split}/{block.key[other]}"
                _keep(found, here, Finding(self.known.key[here], kind, partner, round(figure, 4)))

    def _same_video(self, keys: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        for other, key in enumerate(keys):
            for here in self.by_video.get(video_of(key) or "", ()):
                yield here, other, 0.0


def video_of(key: str) -> str | None:
    """The YouTube id in a clip's name; None where there is none."""
    name = clip_name(key)
    return None if name is None else ClipName.parse(name).video


def _keep(found: dict[tuple[int, Kind], Finding], position: int, finding: Finding) -> None:
    before = found.get((position, finding.kind))
    if before is None or (finding.figure or 0.0) < (before.figure or 0.0):
        found[position, finding.kind] = finding


def _silent(known: Looks, silent_db: float, found: dict[tuple[int, Kind], Finding]) -> None:
    for position in np.nonzero(known.level_N < silent_db)[0].tolist():
        level = float(known.level_N[position])
        figure = round(level, 1) if math.isfinite(level) else None  # digital silence has no level
        _keep(found, position, Finding(known.key[position], "silent", None, figure))


def _still(each: Any, known: Looks, folder: Path, found: dict[tuple[int, Kind], Finding]) -> str:
    """Note the clips in whose videos nothing moves; returns why some could not be asked, or nothing."""
    paths = _by_key(find_videos(folder))
    there = [(position, paths[key]) for position, key in enumerate(known.key) if key in paths]
    damaged = 0
    moved = each(_motion, [path for _, path in there])
    with Bar(len(there), f"motion in {known.split}", "video") as bar:
        for (position, _), grey in zip(there, moved, strict=True):
            damaged += grey is None
            if grey is not None and grey < motion.STILL:
                _keep(found, position, Finding(known.key[position], "still", None, round(grey, 2)))
            bar.update()
    lacking = len(known.key) - len(there)
    told = [f"{lacking} clips have no video in {folder}"] if lacking else []
    told += [f"{damaged} videos cannot be decoded"] if damaged else []
    return ", ".join(told)


def _by_key(videos: Mapping[str, Path]) -> dict[str, Path]:
    """Videos by the keys that preparation may have given to their clips; a name that two share is none."""
    found: dict[str, set[Path]] = defaultdict(set)
    for name, path in videos.items():
        for spelt in {safe_key(name), safe_key(path.stem), clip_name(name) or safe_key(name)}:
            found[spelt].add(path)
    return {key: next(iter(paths)) for key, paths in found.items() if len(paths) == 1}


def _motion(path: Path) -> float | None:
    try:
        return motion.motion(path)
    except VideoError:
        return None


def _looks(each: Any, shards: str, split: str, clips: int) -> Iterator[Looks]:
    """What is kept of the clips of a split, block by block in their order."""
    starts = range(0, clips, BLOCK)
    with Bar(clips, f"look at {split}", "clip") as bar:
        for block in each(_look, repeat(shards), repeat(split), starts):
            yield block
            bar.update(len(block.key))


def _look(shards: str, split: str, start: int) -> Looks:
    clips = _opened(shards, split)
    positions = range(start, min(start + BLOCK, len(clips)))
    level, codes, hashes = list[float](), list[NDArray[np.uint32]](), list[NDArray[np.uint64]]()
    for position in positions:
        try:
            waveform_T = clips.waveform(position)
            image = images.decode_jpeg(clips.member(position, "jpg"), clips.where(position))
        except InputError as error:
            raise InputError(f"{error}; see `sound2scene verify`") from None
        energy = float(np.square(waveform_T, dtype=np.float64).mean())
        level.append(10 * math.log10(energy) if energy else -math.inf)
        codes.append(sounds.sound_codes(waveform_T))
        hashes.append(pictures.picture_hash(image))
    keys = [clips.key(position) for position in positions]
    return Looks(split, start, keys, np.array(level), np.array(codes), np.array(hashes))


@lru_cache(maxsize=1)
def _opened(shards: str, split: str) -> ShardDataset:
    """A split, opened once in each process for all its blocks."""
    return ShardDataset(shards, split)


def _joined(blocks: Iterator[Looks]) -> Looks:
    parts = list(blocks)
    if not parts:
        empty = np.zeros((0, pictures.WORDS), np.uint64)
        return Looks("", 0, [], np.zeros(0), np.zeros((0, sounds.CODES), np.uint32), empty)
    return Looks(
        parts[0].split,
        0,
        [key for part in parts for key in part.key],
        np.concatenate([part.level_N for part in parts]),
        np.concatenate([part.code_NF for part in parts]),
        np.concatenate([part.hash_NW for part in parts]),
    )
