"""What an alignment has learned: sounds with their nearest held-out pictures."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure
from torch.nn.functional import normalize

from sound2scene.figures.panels import clip_name, picture_of, sound_of, spread
from sound2scene.figures.sheet import SIDE, Sheet, bottom_of_scale
from sound2scene.protocols import Sounds
from sound2scene.types import Retrieved


class Kind(NamedTuple):
    """How a picture found is framed: a colour that the colour-blind tell apart, and a line for print."""

    words: str
    colour: str
    dashed: bool


OWN = Kind("its own picture", "#0072b2", False)
RIGHT = Kind("another picture of its class", "#009e73", False)
WRONG = Kind("a picture of another class, or of none", "#d55e00", True)


def draw_reals(split: Sounds, columns: int, about: str = "") -> Figure:
    """What goes in: pictures over their sounds, up to `columns` clips that take turns through the classes.

    Args:
        split: The clips.
        columns: How many to show.
        about: What it rests on: seed.
    """
    shown = spread(split.label_N, columns)
    sheet = Sheet(
        "Pairs of picture and sound that go in",
        ", ".join(part for part in (f"split {split.split}, {len(split)} clips", about) if part),
        [SIDE] * len(shown),
        2,
        plots=True,
        foot=bottom_of_scale(),
    )
    for row, words in enumerate(("picture", "sound")):
        sheet.name(row, words)
    for column, position in enumerate(shown):
        sheet.heading(column, clip_name(split, position))
        sheet.picture(0, column, picture_of(split, position))
        sheet.sound(1, column, sound_of(split, position))
    return sheet.finish()


def draw_retrieval(found: Retrieved, split: Sounds, rows: int, nearest: int, about: str = "") -> Figure:
    """Sounds with their own picture and the nearest held-out ones.

    Args:
        found: Latents of the split.
        split: The clips.
        rows: Sounds to show, which take turns through the classes.
        nearest: Pictures per sound.
        about: What it rests on: step, seed.
    """
    shown = spread(found.label_N, rows)
    similarity_RN = normalize(found.z_audio_ND[shown], dim=1) @ normalize(found.z_image_ND, dim=1).T
    order_RK = similarity_RN.topk(min(nearest, len(found.index_N)), dim=1).indices
    gallery = f"nearest first, out of {len(found.index_N)} pictures of the split {split.split}"
    sheet = Sheet(
        "Sounds and the pictures nearest to them",
        ", ".join(part for part in (gallery, about) if part),
        [SIDE] * (2 + nearest),
        len(shown),
        captions=True,
        plots=True,
        foot=max(bottom_of_scale(), 3 * 30),
    )
    for column, words in enumerate(("sound", "its own picture")):
        sheet.heading(column, words)
    for rank in range(order_RK.shape[1]):
        sheet.heading(2 + rank, f"found, {rank + 1}")
    for row, query in enumerate(shown):
        position = int(found.index_N[query])
        sheet.name(row, clip_name(split, position))
        sheet.sound(row, 0, sound_of(split, position))
        sheet.picture(row, 1, picture_of(split, position))
        for rank, item in enumerate(order_RK[row].tolist()):
            other = int(found.index_N[item])
            same = bool(found.label_N[item] == found.label_N[query] >= 0)
            kind = OWN if item == query else RIGHT if same else WRONG
            sheet.picture(row, 2 + rank, picture_of(split, other), kind.colour, kind.dashed)
            sheet.caption(row, 2 + rank, clip_name(split, other))
    kinds = {
        kind.words: {"fill": False, "ec": kind.colour, "lw": 2, "ls": "--" if kind.dashed else "-"}
        for kind in (OWN, RIGHT, WRONG)
    }
    sheet.page.legend(kinds, sheet.box(0, 2).left, sheet.bottom)
    return sheet.finish()
