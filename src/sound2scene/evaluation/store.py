"""What networks saw in drawn pictures, on disk: nothing is drawn twice, and memory does not grow with clips.

A folder per method, named after all that its content depends on, holds a file per block of clips. A block
appears whole or not at all, so that a killed evaluation goes on where it stopped, with any number of
processes, and one with more methods draws only what is new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sound2scene import files
from sound2scene.blocks import CLIPS, MeasuredBlock
from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.types import InputError


class Store:
    """Measured blocks of several methods.

    Args:
        root: Folder of all evaluations.
        clips: Number N of clips that are drawn.
        identities: By method, all that its blocks depend on.
        scratch: Room for the rows of all clips.
    """

    def __init__(
        self,
        root: Path,
        clips: int,
        identities: Mapping[str, Mapping[str, object]],
        scratch: Scratch = IN_MEMORY,
    ) -> None:
        self.clips, self.scratch = clips, scratch
        self.folders = {
            method: root / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]
            for method, identity in identities.items()
        }
        self._whole: set[tuple[str, int]] = set()

    @property
    def blocks(self) -> int:
        """Number of blocks of each method."""
        return -(-self.clips // CLIPS)

    def missing(self, method: str) -> list[int]:
        """Numbers of the blocks of a method that are not on disk, or damaged there."""
        return [number for number in range(self.blocks) if not self.has(method, number)]

    def has(self, method: str, number: int) -> bool:
        """Whether a block of a method is on disk, whole."""
        if (method, number) not in self._whole and self._path(method, number).is_file():
            try:
                there = self._tensor(method, number, "there")
            except InputError:  # it is drawn again
                return False
            clips = min(CLIPS, self.clips - number * CLIPS)
            if there is not None and len(there) == clips:
                self._whole.add((method, number))
        return (method, number) in self._whole

    def write(self, block: MeasuredBlock) -> None:
        """Keep a block, whole or not at all.

        Raises:
            InputError: If it cannot be written.
        """
        path = self._path(block.method, block.number)
        files.make_folder(path.parent)
        tensors = {name: tensor.contiguous() for name, tensor in block.tensors.items()}
        with files.replacing(path) as partial:
            save_file(tensors, partial)
        self._whole.add((block.method, block.number))

    def rows(self, method: str, name: str) -> Tensor | None:
        """Rows of all clips in their order, (N, ...); None where the network has no such thing.

        A block of which a method has no picture at all has zeros.

        Raises:
            InputError: If a block has been damaged since it was found whole.
        """
        rows = None
        for number in range(self.blocks):
            part = self._tensor(method, number, name)
            if part is None:
                continue
            if rows is None:
                rows = self.scratch.zeros(self.clips, *part.shape[1:], dtype=part.dtype)
            rows[number * CLIPS : (number + 1) * CLIPS] = part
        return rows

    def pictures(self, method: str) -> dict[int, Tensor]:
        """First picture, uint8 (3, side, side), of each clip that is shown, by its position."""
        found: dict[int, Tensor] = {}
        for number in range(self.blocks):
            shown = self._tensor(method, number, "shown")
            pixels = self._tensor(method, number, "pixels")
            if shown is not None and pixels is not None:
                found |= {int(place): one_CHW for place, one_CHW in zip(shown, pixels, strict=True)}
        return found

    def _tensor(self, method: str, number: int, name: str) -> Tensor | None:
        path = self._path(method, number)
        try:
            with safe_open(path, framework="pt") as block:
                return block.get_tensor(name) if name in block.keys() else None  # noqa: SIM118  # no mapping
        except (SafetensorError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: cannot be read ({reason}); run again, it is drawn anew") from None

    def _path(self, method: str, number: int) -> Path:
        return self.folders[method] / f"{number:06d}.safetensors"
