"""What an alignment has learned: sounds with their nearest held-out pictures."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch.nn.functional import normalize

from sound2scene.figures.panels import clip_name, show_picture, show_sound, spread
from sound2scene.figures.words import write_title
from sound2scene.protocols import Sounds
from sound2scene.types import Retrieved

RIGHT, WRONG, OWN = "tab:green", "tab:red", "tab:blue"


def draw_reals(split: Sounds, columns: int) -> Figure:
    """What goes in: pictures over their sounds, up to `columns` clips that take turns through the classes."""
    shown = spread(split.label_N, columns)
    figure = Figure(figsize=(2 * columns, 4.2), layout="constrained")
    grid = figure.subplots(2, len(shown), squeeze=False)
    for column, position in enumerate(shown):
        show_picture(grid[0][column], split, position)
        show_sound(grid[1][column], split, position)
        write_title(grid[0][column], clip_name(split, position), 8)
    return figure


def draw_retrieval(found: Retrieved, split: Sounds, rows: int, nearest: int) -> Figure:
    """Sounds with their own picture and the nearest held-out ones.

    Args:
        found: Latents of the split.
        split: The clips.
        rows: Sounds to show, which take turns through the classes.
        nearest: Pictures per sound.
    """
    shown = spread(found.label_N, rows)
    similarity_RN = normalize(found.z_audio_ND[shown], dim=1) @ normalize(found.z_image_ND, dim=1).T
    order_RK = similarity_RN.topk(min(nearest, len(found.index_N)), dim=1).indices
    figure = Figure(figsize=(2 * (nearest + 2), 2 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), nearest + 2, squeeze=False)
    for row, query in enumerate(shown):
        position = int(found.index_N[query])
        show_sound(grid[row][0], split, position)
        show_picture(grid[row][1], split, position)
        write_title(grid[row][0], clip_name(split, position), 8)
        for column, item in enumerate(order_RK[row].tolist()):
            other = int(found.index_N[item])
            same = bool(found.label_N[item] == found.label_N[query] >= 0)
            show_picture(
                grid[row][2 + column], split, other, OWN if item == query else RIGHT if same else WRONG
            )
            write_title(grid[row][2 + column], clip_name(split, other), 7)
        for axes in grid[row][2 + order_RK.shape[1] :]:
            axes.axis("off")
    figure.suptitle(
        f"sound | its own picture | nearest of {len(found.index_N)} held-out pictures "
        "(blue: its own, green: same class, red: another)",
        fontsize=10,
    )
    return figure
