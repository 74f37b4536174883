"""z_image computed once per clip and kept on disk, under a name that a changed encoder can never share.

A cache is a folder of blocks of 128 rows. A block appears whole or not at all, so a killed computation goes
on where it stopped, and ranks or nodes can share the work: each computes its blocks, then whatever it still
misses.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sound2scene import files
from sound2scene.progress import tracked
from sound2scene.records import DAMAGES_OF_ARRAYS
from sound2scene.types import InputError

BLOCK = 128


Encode = Callable[[Tensor], Tensor]


@lru_cache(maxsize=2**14)  # two million clips; a process may have 65,530 maps
def _block(path: Path) -> NDArray[np.float32]:
    """A block, mapped without an open file: NumPy's maps hold one each, of which a process has 1,024."""
    try:
        looked_BD: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(looked_BD, np.memmap) or looked_BD.dtype != np.float32 or looked_BD.offset % 4:
            raise ValueError(f"holds {looked_BD.dtype} numbers, not float32")
        before = looked_BD.offset // 4
        mapped = torch.from_file(str(path), shared=False, size=before + looked_BD.size, dtype=torch.float32)
    except (*DAMAGES_OF_ARRAYS, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read ({reason}); run again, it is computed anew") from None
    rows_BD: NDArray[np.float32] = mapped.numpy()[before:].reshape(looked_BD.shape)
    rows_BD.flags.writeable = False
    return rows_BD


class FeatureCache:
    """Image features of the N clips of one split.

    Args:
        root: Folder of all caches.
        encoder_fingerprint: Fingerprint of the frozen image encoder's weights.
        preset: Image chain that fed it.
        data_fingerprint: Fingerprint of the split.
        clips: N.
        width: D; None takes that of the first block.
    """

    def __init__(
        self,
        root: str | Path,
        encoder_fingerprint: str,
        preset: str,
        data_fingerprint: str,
        clips: int,
        width: int | None = None,
    ) -> None:
        identity = "\n".join((encoder_fingerprint, preset, data_fingerprint, str(clips)))
        self.folder = Path(root) / hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.clips, self._width = clips, width
        self._whole: set[int] = set()

    def positions(self, block: int) -> range:
        """Clips of a block."""
        return range(block * BLOCK, min((block + 1) * BLOCK, self.clips))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.clips // BLOCK)

    def missing(self, rank: int = 0, ranks: int = 1) -> list[int]:
        """Every `ranks`-th block from `rank` that is not on disk, or damaged there, of which it warns."""
        wanted = range(rank, self.blocks, ranks)
        return [block for block in wanted if not self._is_whole(block)]

    def _is_whole(self, block: int) -> bool:
        path = self._path(block)
        if not path.exists():
            return False
        if block not in self._whole:  # a look at every number once, which costs less than it took to compute
            if damage := self._damage(path, len(self.positions(block))):
                warnings.warn(f"{path}: {damage}; it is computed again", stacklevel=3)
                return False
            self._whole.add(block)
        return True

    def _damage(self, path: Path, rows: int) -> str:
        """What is wrong with a block; empty where nothing is."""
        try:
            found: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
        except DAMAGES_OF_ARRAYS as error:
            return f"damaged ({' '.join(str(error).split())[:200]})"
        width = found.shape[-1] if self._width is None and found.ndim else self._width
        if found.dtype != np.float32 or found.shape != (rows, width):
            return f"holds {found.dtype} numbers of shape {found.shape}, not float32 of ({rows}, {width})"
        if not np.isfinite(found).all():
            return "holds NaN or infinity"
        self._width = width
        return ""

    def write(self, block: int, z_BD: Tensor) -> None:
        """Put a block's rows on disk, whole or not at all."""
        assert len(z_BD) == len(self.positions(block)), "a block must be written whole"
        files.make_folder(self.folder)
        with files.replacing(self._path(block)) as partial, partial.open("wb") as file:
            np.save(file, z_BD.float().cpu().numpy())
        _block.cache_clear()  # it may hold what was damaged

    def row(self, position: int) -> NDArray[np.float32]:
        """Feature of one clip, (D,), read through the page cache: memory does not grow with N."""
        block, offset = divmod(position, BLOCK)
        row: NDArray[np.float32] = _block(self._path(block))[offset]
        return row

    def rows(self, block: int) -> NDArray[np.float32]:
        """Features of a block's clips, (rows, D), read through the page cache."""
        return _block(self._path(block))

    def fill(self, images: Iterable[Tensor], blocks: Iterable[int], encode: Encode, chunk: int = 32) -> None:
        """Compute blocks, one whole block of pictures (B, C, H, W) at a time.

        Raises:
            InputError: If the encoder gives NaN or infinity, or the disk takes no more.
        """
        files.sweep(self.folder)
        chosen = list(blocks)
        wanted = tracked(chosen, len(chosen), "image features", "block")
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
