"""Pictures that any other system wrote, as files named by the keys of clips."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from sound2scene import images
from sound2scene.folders import PICTURES, listed
from sound2scene.methods.parts import check_asked
from sound2scene.progress import tracked
from sound2scene.records import content
from sound2scene.types import InputError, Rejected

_DRAW = re.compile(r"(.+)-(\d{1,9})", re.DOTALL)
_SHARED = 0.1  # of the clips and of the names, below which a folder is taken for another split's
_TOLD = 3  # names in a message
_REMEDY = "write its pictures again"


class Findings(NamedTuple):
    """What is wrong with a folder of pictures.

    Attributes:
        missing: Keys of clips that have no picture.
        extra: Names in the folder, of pictures and of folders, that belong to no clip of the split.
        broken: Pictures that cannot be read, and why; their `key` is that of the clip.
    """

    missing: list[str]
    extra: list[str]
    broken: list[Rejected]


class PictureFolder:
    """Pictures of a folder: `<key>.png`, `<key>-<draw>.png`, and all that lie in a folder `<key>`.

    Of a clip's pictures the file `<key>` comes first, then the numbered ones by their numbers, then those of
    its folder by their names. PNG, JPEG, WebP and BMP will do; the centred square of each is resized. Where
    no clip has more than one picture, it is shown as all draws; else a clip needs as many pictures as draws
    are asked for, and its first ones are taken.

    Args:
        folder: The folder.
        keys: Keys of all clips of the split.
        resolution: Height and width to which pictures are brought.

    Attributes:
        deterministic: No clip has more than one picture.

    Raises:
        InputError: If there is no such folder, or it is another split's: fewer than a tenth of its names are
            keys of the split, and fewer than a tenth of the split's clips have a picture.
    """

    def __init__(self, folder: str | os.PathLike[str], keys: Iterable[str], resolution: int) -> None:
        self.folder, self.resolution = Path(folder), resolution
        if not self.folder.is_dir():
            raise InputError(f"{folder}: not a folder; check the path")
        clips = set(keys)
        self._files, self._extra = _found(self.folder, clips)
        self._check_split(len(clips))
        self.deterministic = all(len(paths) == 1 for paths in self._files.values())

    def _check_split(self, clips: int) -> None:
        drawn, extra = len(self._files), self._extra
        if not drawn and not extra:
            raise InputError(f"{self.folder}: no picture in it ({', '.join(PICTURES)}); check the path")
        if not drawn or drawn < _SHARED * min(clips, drawn + len(extra)):
            names = ", ".join(extra[:_TOLD])
            raise InputError(
                f"{self.folder}: has pictures of {drawn} of the {clips} clips, and {len(extra)} names of no "
                f"clip ({names} ...), as another split's folder would; give this split's, with files named "
                "<key>.png or <key>-<draw>.png, or folders <key>"
            )

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the `pictures`: names and bytes of all that belong to clips."""
        return {"pictures": self._seen[0]}

    def load(self) -> None:
        """Read every picture once, so that broken ones are known before anything is measured."""
        assert self._seen is not None

    def check(self, keys: Sequence[str]) -> Findings:
        """What is missing, extra and broken, all at once.

        Args:
            keys: Clips that are asked for.
        """
        missing = [key for key in keys if key not in self._files]
        broken = [
            Rejected(key, self._broken[path])
            for key in keys
            for path in self._files.get(key, ())
            if path in self._broken
        ]
        return Findings(missing, self._extra, broken)

    def missing(self, keys: Sequence[str], draws: int) -> list[Rejected]:
        """Clips that have too few pictures, or of whose first ones one cannot be read."""
        faults = ((key, self._fault(key, draws)) for key in keys)
        return [Rejected(key, fault) for key, fault in faults if fault]

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """The first pictures of these clips, uint8 (B, draws, 3, H, W); nothing depends on sounds or seed.

        Raises:
            InputError: If a clip has none, or what is asked for makes no sense.
        """
        check_asked(waveform_BT, keys, draws, seed)
        if lacking := self.missing(keys, draws):
            raise InputError(f"{lacking[0].key}: {lacking[0].reason}; leave the clip out")
        side = self.resolution
        rows = [self._drawn(key, draws) for key in keys]
        return torch.stack(rows) if rows else torch.empty(0, draws, 3, side, side, dtype=torch.uint8)

    def _drawn(self, key: str, draws: int) -> Tensor:
        paths = self._files[key][:draws]
        pixels_JCHW = torch.stack([images.square_pixels(_decoded(path), self.resolution) for path in paths])
        return pixels_JCHW.expand(draws, -1, -1, -1)

    def _fault(self, key: str, draws: int) -> str:
        """Why a clip cannot be shown; empty where it can."""
        needed, paths = 1 if self.deterministic else draws, self._files.get(key, [])
        if len(paths) < needed:
            return f"{self.folder}: has {len(paths)} pictures of {key}, not {needed}"
        return next((self._broken[path] for path in paths[:needed] if path in self._broken), "")

    @property
    def _broken(self) -> dict[Path, str]:
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[str, dict[Path, str]]:
        """Fingerprint of all pictures, and why some cannot be read."""
        digest, broken = hashlib.sha256(), {}
        whole = [(key, path) for key in sorted(self._files) for path in self._files[key]]
        for key, path in tracked(whole, len(whole), f"pictures of {self.folder}", "picture"):
            digest.update(f"{key}\n{path.name}\n".encode(errors="surrogateescape"))
            try:
                data = content(path, _REMEDY)
                digest.update(hashlib.sha256(data).digest())
                images.decode_jpeg(data, str(path))
            except InputError as error:
                broken[path] = str(error)
        return digest.hexdigest(), broken


def _decoded(path: Path) -> Image.Image:
    return images.decode_jpeg(content(path, _REMEDY), str(path))


def _found(folder: Path, clips: Collection[str]) -> tuple[dict[str, list[Path]], list[str]]:
    """Pictures of each clip that has any, in their order, and names that belong to none."""
    ranked: dict[str, list[tuple[int, int, Path]]] = {}
    extra = []
    for entry in listed(folder):
        if entry.is_dir():
            if entry.name in clips:
                inside = [(2, 0, path) for path in _pictures_in(entry.path)]
                ranked.setdefault(entry.name, []).extend(inside)
            else:
                extra.append(f"{entry.name}/")
        elif _is_picture(entry.name):
            stem = os.path.splitext(entry.name)[0]
            key, number = _named(stem, clips)
            if key is None:
                extra.append(entry.name)
            else:
                ranked.setdefault(key, []).append((number is not None, number or 0, Path(entry.path)))
    return {key: [path for *_, path in sorted(ranks)] for key, ranks in ranked.items() if ranks}, extra


def _named(stem: str, clips: Collection[str]) -> tuple[str | None, int | None]:
    """Clip and draw of a file of this name; a clip of the whole name goes before a draw of another."""
    if stem in clips:
        return stem, None
    parts = _DRAW.fullmatch(stem)
    return (parts[1], int(parts[2])) if parts and parts[1] in clips else (None, None)


def _pictures_in(folder: str) -> Iterator[Path]:
    return (Path(entry.path) for entry in listed(folder) if _is_picture(entry.name) and not entry.is_dir())


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURES
