"""Plain folders of pictures without sounds, such as ImageNet's: `<root>/<split>/<class>/<picture>`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sound2scene.data.clips import SplitDataModule
from sound2scene.folders import PICTURES, listed
from sound2scene.types import InputError


class PictureFolder:
    """One split of a folder of pictures; see `sound2scene.protocols.Pictures`.

    Pictures that lie in the split's folder itself have no class.

    Args:
        root: The folder.
        split: Folder in it.

    Attributes:
        fingerprint: Changes with the name or the size of any picture (not with its bytes: reading a million
            files takes an hour).

    Raises:
        InputError: If there is no such folder or no picture in it.
    """

    def __init__(self, root: str | Path, split: str) -> None:
        self.root, self.split = Path(root) / split, split
        if not self.root.is_dir():
            raise InputError(f"{self.root}: no such folder; put pictures there as {split}/<class>/<picture>")
        self.classes = [entry.name for entry in listed(self.root) if entry.is_dir()]
        names, labels, digest = list[bytes](), list[int](), hashlib.sha256()
        for label, folder in [*enumerate(self.classes), (-1, "")]:
            found = [entry for entry in listed(self.root / folder) if _is_picture(entry)]
            for name, size in [(entry.name, entry.stat().st_size) for entry in found]:
                names.append(os.fsencode(os.path.join(folder, name)))
                labels.append(label)
                digest.update(b"%s %d\n" % (names[-1], size))
        if not names:
            raise InputError(f"{self.root}: no picture ({', '.join(PICTURES)}) there; check the path")
        # An array, because workers would each copy a list of Python strings as they count its references.
        self.name_N: NDArray[np.bytes_] = np.array(names)
        self.label_N = torch.tensor(labels)
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.name_N)

    def key(self, position: int) -> str:
        """Path of a picture inside its split."""
        return os.fsdecode(bytes(self.name_N[position]))

    def where(self, position: int) -> str:
        """Path of a picture."""
        return str(self.root / self.key(position))

    def member(self, position: int, kind: str) -> bytes:
        """The picture's file (`jpg`, whatever its format).

        Raises:
            InputError: If anything else is asked for, or the file is gone.
        """
        if kind != "jpg":
            raise InputError(
                f"{self.where(position)}: a folder of pictures has no {kind}; prepare shards of pairs"
            )
        try:
            return Path(self.where(position)).read_bytes()
        except OSError as error:
            raise InputError(
                f"{self.where(position)}: cannot be read ({error.strerror}); restore it"
            ) from None


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and entry.name.lower().endswith(PICTURES)


class PictureFolderDataModule(SplitDataModule):
    """Folders of pictures in splits `train` and `val`, for the stages that need no sound.

    Args:
        root: Folder that holds them.
        settings: Settings of SplitDataModule.
    """

    def __init__(self, root: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.root = root

    def open(self, split: str) -> PictureFolder:
        """List the folder of a split."""
        return PictureFolder(self.root, split)

    def data_name(self) -> str:
        """The folder's name."""
        return Path(self.root).resolve().name

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of each split that is there."""
        there = [split for split in ("train", "val", "test") if (Path(self.root) / split).is_dir()]
        return {split: self.dataset(split).fingerprint for split in there}
