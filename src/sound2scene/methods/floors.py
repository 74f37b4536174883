"""What must be beaten: pictures of another clip's sound, and the mean picture of a clip's class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from sound2scene import files, images
from sound2scene.data.batches.reader import PictureReader
from sound2scene.data.batches.sampler import Draw
from sound2scene.distributed import barrier, world
from sound2scene.methods.oracles import LookedUp, repeated
from sound2scene.methods.parts import check_asked
from sound2scene.processes import leave_stopping_to_parent
from sound2scene.progress import tracked
from sound2scene.protocols import Method, Pictures, Sounds
from sound2scene.records import DAMAGES_OF_ARRAYS
from sound2scene.seeds import seed_of
from sound2scene.types import InputError, PictureBatch, Rejected

PICTURES_AT_ONCE = 64


class Shuffled:
    """Pictures that a method draws of another clip's sound: what it reaches if sounds told nothing.

    A clip with a class is given a sound of another class, any other clip that of any other clip. Which one
    depends on the seed and the clip's key alone, and the noise is that of the clip itself.

    Args:
        method: Draws the pictures.
        split: Clips that are asked for, by key.

    Attributes:
        resolution: Height and width of the pictures.
        deterministic: With another seed a clip is given another sound.
        fingerprints: Those of the method, and of the `clips`.

    Raises:
        InputError: If there are fewer than two clips, or all that have a class have the same one.
    """

    deterministic = False

    def __init__(self, method: Method, split: Sounds) -> None:
        self._method, self._clips, self._split = method, LookedUp(split), split
        self.resolution = method.resolution
        self.fingerprints = method.fingerprints | {"clips": split.fingerprint}
        self._sorted_N = torch.argsort(split.label_N, stable=True)
        label_N = split.label_N[self._sorted_N]
        self._unlabelled = int((label_N < 0).sum())
        self._label_N = label_N.contiguous()
        classes = len(set(label_N[self._unlabelled :].tolist()))
        if len(split) < 2 or classes == 1:
            raise InputError(
                f"split {split.split}: {len(split)} clips of {classes} classes leave no sound of another "
                "class to take; leave out `shuffled`"
            )

    def partner(self, key: str, seed: int) -> int:
        """Position of the clip whose sound is taken.

        Raises:
            InputError: If there is no such clip.
        """
        (position,) = self._clips.positions([key])
        dice = np.random.default_rng(seed_of("shuffled", seed, key))
        label = int(self._split.label_N[position])
        if label < 0:
            other = int(dice.integers(len(self._split) - 1))
            return other + (other >= position)
        # Clips sorted by class, those of this class left out, without a list of each clip's candidates.
        first = int(torch.searchsorted(self._label_N, label))
        own = int(torch.searchsorted(self._label_N, label, right=True)) - first
        row = self._unlabelled + int(dice.integers(len(self._split) - self._unlabelled - own))
        return int(self._sorted_N[row + own if row >= first else row])

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """Pictures of the partners' sounds, uint8 (B, draws, 3, H, W); nothing depends on the clips' own.

        Raises:
            InputError: If there is no such clip, a sound cannot be read, or what is asked for makes no sense.
        """
        check_asked(waveform_BT, keys, draws, seed)
        rows = [torch.from_numpy(self._split.waveform(self.partner(key, seed))) for key in keys]
        return self._method.pictures(torch.stack(rows) if rows else waveform_BT, keys, draws, seed)


class ClassMean:
    """The mean training picture of a clip's class: what is known who knows the class and nothing else.

    Args:
        split: Clips that are asked for, by key.
        training: Pictures of which the means are taken.
        resolution: Height and width of the pictures: the centred squares, resized.
        cache: Folder in which the means are kept.
        workers: Loader processes that decode pictures.

    Attributes:
        deterministic: A class has one mean.
        fingerprints: Fingerprints of the `clips` and of the `training` pictures.

    Raises:
        InputError: If the dataset has no classes.
    """

    deterministic = True

    def __init__(
        self, split: Pictures, training: Pictures, resolution: int, cache: str, workers: int = 0
    ) -> None:
        assert split.classes == training.classes, "two splits of one dataset have the same classes"
        if not split.classes:
            raise InputError(f"split {split.split}: has no classes to take means of; leave out `class_mean`")
        self.resolution, self._clips, self._training = resolution, LookedUp(split), training
        self._workers = workers
        identity = "\n".join((training.fingerprint, str(resolution), *training.classes))
        name = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:32]
        self._path = Path(cache) / f"class-means-{name}.npy"
        self.fingerprints = {"clips": split.fingerprint, "training": training.fingerprint}

    def load(self) -> None:
        """Compute the means, unless they are on disk."""
        assert self._means is not None

    def missing(self, keys: Sequence[str], draws: int) -> list[Rejected]:
        """Clips without a class, and those of whose class there is no training picture."""
        known = set(self._training.label_N[self._training.label_N >= 0].tolist())
        found = []
        for key, label in zip(keys, self._labels(keys), strict=True):
            if label < 0:
                found.append(Rejected(key, "has no class, so that no class's mean is its picture"))
            elif label not in known:
                words = f"no training picture has its class {self._training.classes[label]!r}"
                found.append(Rejected(key, words))
        return found

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """The mean picture of each clip's class, uint8 (B, draws, 3, H, W).

        Raises:
            InputError: If there is no such clip, its class has no mean, or what is asked for makes no sense.
        """
        check_asked(waveform_BT, keys, draws, seed)
        if lacking := self.missing(keys, draws):
            raise InputError(f"{lacking[0].key}: {lacking[0].reason}; leave the clip out")
        return repeated(self._means[torch.tensor(self._labels(keys), dtype=torch.int64)], draws)

    def _labels(self, keys: Sequence[str]) -> list[int]:
        split = self._clips.split
        return [int(split.label_N[position]) for position in self._clips.positions(keys)]

    @cached_property
    def _means(self) -> Tensor:
        """Means of all classes: computed by the first process, and read by the others."""
        if world()[0] == 0 and self._kept() is None:
            self._keep()
        barrier()
        if (kept := self._kept()) is None:  # nodes without a shared disk
            self._keep()
            kept = self._kept()
        assert kept is not None
        return torch.from_numpy(kept)

    def _kept(self) -> NDArray[np.uint8] | None:
        side = self.resolution
        try:
            mean_KCHW: NDArray[np.uint8] = np.load(self._path, allow_pickle=False)
        except DAMAGES_OF_ARRAYS:
            return None
        shape = (len(self._training.classes), 3, side, side)
        return mean_KCHW if mean_KCHW.dtype == np.uint8 and mean_KCHW.shape == shape else None

    def _keep(self) -> None:
        files.make_folder(self._path.parent)
        mean_KCHW = class_means(self._training, self.resolution, self._workers)
        with files.replacing(self._path) as partial, partial.open("wb") as file:
            np.save(file, mean_KCHW.numpy())


def class_means(training: Pictures, side: int, workers: int = 0) -> Tensor:
    """Mean picture of each class, rounded to nearest, uint8 (K, 3, side, side); black where there is none.

    Args:
        training: The pictures; those without a class are left out.
        side: Height and width of the means.
        workers: Loader processes that decode pictures.

    Raises:
        InputError: If a picture cannot be read.
    """
    sum_KCHW = torch.zeros(len(training.classes), 3, side, side, dtype=torch.int64)
    count_K = torch.zeros(len(training.classes), dtype=torch.int64)
    positions = (training.label_N >= 0).nonzero().flatten().tolist()
    batches = [
        [Draw(0, position) for position in positions[start : start + PICTURES_AT_ONCE]]
        for start in range(0, len(positions), PICTURES_AT_ONCE)
    ]
    reader = PictureReader(training, images.preset(f"pixels{side}"))
    loader: DataLoader[PictureBatch] = DataLoader(
        reader,  # type: ignore[arg-type]  # collate makes a batch of its items
        batch_sampler=batches,
        num_workers=workers,
        worker_init_fn=leave_stopping_to_parent,
        collate_fn=reader.collate,
    )
    for batch in tracked(loader, len(batches), "mean pictures of classes", "batch"):
        sum_KCHW.index_add_(0, batch.label_B, batch.image_BCHW.long())
        count_K.index_add_(0, batch.label_B, torch.ones_like(batch.label_B))
    count_K111 = count_K.clamp(min=1)[:, None, None, None]
    return ((sum_KCHW + count_K111 // 2) // count_K111).to(torch.uint8)
