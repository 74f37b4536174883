"""Room for large intermediate matrices: mapped files of a folder, which the system may write out and forget.

What has a row for every clip outgrows a machine's memory before anything else does. A mapped file's pages are
the system's to keep while there is room and to drop when there is none, so that they are no demand on memory.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from sound2scene.types import InputError

LEAST_BYTES = 2**20  # what is smaller lies in memory: files of a few pages are slower and save nothing


class Scratch:
    """Gives room for matrices, each as long as it is used.

    Args:
        folder: Where files of matrices of 1 MiB or more lie, on a disk and not on a file system in memory;
            they have no name there, and are gone with the process whatever ends it. It is made when it is
            needed. By default nothing is mapped, and all matrices lie in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """A matrix of zeros on the CPU.

        Args:
            shape: Its shape.
            dtype: Its dtype.

        Raises:
            InputError: If the folder cannot be written, or its disk is full.
        """
        items = math.prod(shape)
        size = items * dtype.itemsize
        if self.folder is None or size < LEAST_BYTES:
            return torch.zeros(shape, dtype=dtype)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                os.ftruncate(file.fileno(), size)
                if hasattr(os, "posix_fallocate"):  # a disk that fills up later would kill the process
                    os.posix_fallocate(file.fileno(), 0, size)
                pages = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise InputError(
                f"{self.folder}: no room for {size / 2**20:.0f} MiB of features ({error.strerror}); free "
                "some there, or name another folder"
            ) from None
        return torch.frombuffer(pages, dtype=dtype).view(shape)


IN_MEMORY = Scratch()
