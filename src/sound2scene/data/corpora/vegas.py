"""VEGAS (Zhou et al., "Visual to Sound", CVPR 2018): its classes, and the five that Sound2Scene's table uses."""

from __future__ import annotations

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
