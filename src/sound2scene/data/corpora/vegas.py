"""VEGAS (Zhou et al., "Visual to Sound", CVPR 2018): its classes, and the five of Sound2Scene's table."""

from __future__ import annotations

from pathlib import Path

from sound2scene.data.corpora.corpus import Corpus
from sound2scene.data.corpora.pairs import PairJob, folder_jobs
from sound2scene.types import InputError

CLASSES = (
    "baby crying",
    "chainsaw",
    "dog",
    "drum",
    "fireworks",
    "helicopter",
    "printer",
    "rail transport",
    "snoring",
    "water flowing",
)
# Which five is not stated in the paper; these are S2I's (Fanzeres & Nadeu), with which it compares: inferred.
FIVE_CLASSES = ("baby crying", "dog", "rail transport", "fireworks", "water flowing")


def vegas_classes(five: bool) -> tuple[str, ...]:
    """The five classes of the paper's table, or all ten."""
    return FIVE_CLASSES if five else CLASSES


def vegas_pairs(folder: str | Path, five: bool, val_share: float, test_share: float) -> Corpus[PairJob]:
    """Jobs of VEGAS as one folder per class, each with `images/` and `audios/`.

    Args:
        folder: Folder of the class folders; those of other names are left out.
        five: Whether to take only the five classes of the paper's table.
        val_share: Share of the clips held out for validation, chosen by a hash of the name.
        test_share: Share of the clips held out for the test.

    Raises:
        InputError: If no folder is named as a class, or one cannot be read.
    """
    classes = vegas_classes(five)
    found = folder_jobs(folder, val_share, test_share)
    splits = {split: [job for job in jobs if job["label"] in classes] for split, jobs in found.items()}
    if not splits["train"]:
        raise InputError(f"{folder}: no folder named as a class ({', '.join(classes)}); check the names")
    return Corpus(splits, {}, {}, {})
