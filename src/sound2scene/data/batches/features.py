"""z_image computed once per clip and kept on disk, under a name that a changed encoder can never share.

A cache is a folder of blocks of 128 rows. A block appears whole or not at all, so a killed computation goes
on where it stopped, and ranks or nodes can share the work: each computes its blocks, then whatever it still
misses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from sound2scene import files
from sound2scene.types import InputError

BLOCK = 128


Encode = Callable[[Tensor], Tensor]


@lru_cache(maxsize=256)  # each map holds a file descriptor, of which a process has 1,024
def _block(path: Path) -> NDArray[np.float32]:
    rows_BD: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return rows_BD


class FeatureCache:
    """Image features of the N clips of one split.

    Args:
        root: Folder of all caches.
        encoder_fingerprint: Fingerprint of the frozen image encoder's weights.
        preset: Image chain that fed it.
        data_fingerprint: Fingerprint of the split.
        clips: N.
    """

    def __init__(
        self, root: str | Path, encoder_fingerprint: str, preset: str, data_fingerprint: str, clips: int
    ) -> None:
        identity = "\n".join((encoder_fingerprint, preset, data_fingerprint, str(clips)))
        self.folder = Path(root) / hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.clips = clips

    def positions(self, block: int) -> range:
        """Clips of a block."""
        return range(block * BLOCK, min((block + 1) * BLOCK, self.clips))

    def missing(self) -> list[int]:
        """Blocks that are not on disk."""
        return [block for block in range(-(-self.clips // BLOCK)) if not self._path(block).exists()]

    def write(self, block: int, z_BD: Tensor) -> None:
        """Put a block's rows on disk, whole or not at all."""
        assert len(z_BD) == len(self.positions(block)), "a block must be written whole"
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.replacing(self._path(block)) as partial, partial.open("wb") as file:
            np.save(file, z_BD.float().cpu().numpy())

    def row(self, position: int) -> NDArray[np.float32]:
        """Feature of one clip, (D,), read through the page cache: memory does not grow with N."""
        block, offset = divmod(position, BLOCK)
        row: NDArray[np.float32] = _block(self._path(block))[offset]
        return row

    def fill(self, images: Iterable[Tensor], blocks: Iterable[int], encode: Encode, chunk: int = 32) -> None:
        """Compute blocks, one whole block of pictures (B, C, H, W) at a time.

        Raises:
            InputError: If the encoder gives NaN or infinity.
        """
        files.sweep(self.folder)
        wanted = tqdm(list(blocks), desc="image features", unit="block")
        for block, image_BCHW in zip(wanted, images, strict=True):
            with torch.inference_mode():
                z_BD = torch.cat([encode(part) for part in torch.split(image_BCHW, chunk)])
            if not torch.isfinite(z_BD).all():
                rows = self.positions(block)
                raise InputError(
                    f"the image encoder gives NaN or infinity among clips {rows[0]} to {rows[-1]}; train it "
                    "again"
                )
            self.write(block, z_BD)

    def _path(self, block: int) -> Path:
        return self.folder / f"{block:06d}.npy"
