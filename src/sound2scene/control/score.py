"""Control, measured: all that the paper shows of it by pictures, as figures on the toy world."""

from __future__ import annotations

from sound2scene.control import score_latents, score_sounds
from sound2scene.control.score_bench import Bench, Extent, Part
from sound2scene.control.score_clips import ToyClips

PARTS = (
    score_sounds.scenes,
    score_sounds.volume,
    score_sounds.mixtures,
    score_latents.ways_between_sounds,
    score_latents.ways_from_pictures,
    score_latents.edits,
)


def measure(bench: Bench, clips: ToyClips, extent: Extent) -> Part:
    """Every figure of control, clip by clip, so that memory does not grow with their number.

    Args:
        bench: The networks.
        clips: The clips.
        extent: How much is measured.
    """
    parts = [part(bench, clips, extent) for part in PARTS]
    figures = [figure for part in parts for figure in part.figures]
    return Part(figures, [course for part in parts for course in part.courses])
