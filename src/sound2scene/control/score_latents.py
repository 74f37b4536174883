"""What moves in the latent space does to pictures: ways between sounds and pictures, and edits."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from sound2scene.control.editing import edited
from sound2scene.control.interpolation import along
from sound2scene.control.score_bench import BLEND, EDIT, SMOOTH, Bench, Course, Extent, Figure, Part
from sound2scene.control.score_clips import ToyClips
from sound2scene.control.volume import at_gain
from sound2scene.metrics import control
from sound2scene.metrics.intervals import bootstrap, share
from sound2scene.progress import tracked
from sound2scene.types import Scene

_STRENGTHS = (-1.0, 0.0, 1.0)
_PICTURES_AT_ONCE = 8


def ways_between_sounds(bench: Bench, clips: ToyClips, extent: Extent) -> Part:
    """How even the way from one sound to another of another kind is.

    Args:
        bench: The networks.
        clips: The clips.
        extent: How much is measured.
    """
    even, detours = [], []
    for position in tracked(clips.single, len(clips.single), "control: ways between sounds", "way"):
        sounds = [clips.waveform(of) for of in (position, clips.partner(position))]
        _, feature_SD = _way(bench, bench.hear(sounds), clips.key(position), extent.steps)
        even.append(control.evenness(feature_SD[None]))
        detours.append(control.detour(feature_SD[None]))
    return Part(
        _of_ways("between_sounds", "from sound to sound", torch.cat(even), torch.cat(detours), extent)
    )


def ways_from_pictures(bench: Bench, clips: ToyClips, extent: Extent) -> Part:
    """How even the way from a picture to a sound of another kind is, and what of each is found on it.

    Args:
        bench: The networks.
        clips: The clips.
        extent: How much is measured.
    """
    even, detours, ends, backgrounds = [], [], [], []
    for position in tracked(clips.shown, len(clips.shown), "control: ways from pictures", "way"):
        partner = clips.partner(position)
        z_image_1D = bench.see(clips.pixels(position, bench.side)[None])
        z_2D = torch.cat([z_image_1D, bench.hear([clips.waveform(partner)])])
        read, feature_SD = _way(bench, z_2D, clips.key(position), extent.steps)
        even.append(control.evenness(feature_SD[None]))
        detours.append(control.detour(feature_SD[None]))
        kinds = clips.kinds([position, partner]).expand(extent.steps, 2).unbind(1)
        ends.append(torch.stack([control.found(read, kind_S) for kind_S in kinds]))
        backgrounds.append(read.background_B == clips.heard(position).background_B)
    found_N2S, background_NS = torch.stack(ends), torch.stack(backgrounds)
    figures = _of_ways("from_pictures", "from picture to sound", torch.cat(even), torch.cat(detours), extent)
    return Part([*figures, *_blended(found_N2S, background_NS, extent)], [_blend(found_N2S, background_NS)])


def _way(bench: Bench, z_2D: Tensor, key: str, steps: int) -> tuple[Scene, Tensor]:
    """What is read and seen in the pictures of a way between two latents."""
    z_SD = torch.stack([z_D for _, z_D in along(list(z_2D), steps)])
    pixels_SCHW = bench.draw(z_SD, key)
    return bench.read(pixels_SCHW), bench.see(pixels_SCHW).cpu()


def _of_ways(name: str, words: str, even_N: Tensor, detour_N: Tensor, extent: Extent) -> list[Figure]:
    worst, steps = float(extent.steps - 1), f"{words}, {extent.steps} pictures"
    about = f"largest step over mean step {steps}, median over ways"
    beside = f"length of the way over the distance of its ends {steps}, median over ways"
    medians = [bootstrap(value_N, "median", extent.seed) for value_N in (even_N, detour_N)]
    return [
        Figure(f"evenness_{name}", SMOOTH, about, medians[0], worst, "one leap"),
        Figure(f"detour_{name}", SMOOTH, beside, medians[1], worst, "unrelated pictures"),
    ]


def _blended(found_N2S: Tensor, background_NS: Tensor, extent: Extent) -> list[Figure]:
    position_S = torch.linspace(0, 1, extent.steps)
    lead_NS = found_N2S[:, 1].double() - found_N2S[:, 0].double()
    halfway = extent.steps // 2
    joined_NS = background_NS & found_N2S[:, 1]
    return [
        Figure(
            "blend_rank",
            BLEND,
            "rank correlation of alpha and (sound's kind found - picture's kind found), mean over ways",
            bootstrap(control.rank_correlations(position_S, lead_NS), seed=extent.seed),
            0.0,
            "alpha changes nothing",
        ),
        Figure(
            "background_and_sound_halfway",
            BLEND,
            "pictures halfway that show the picture's background and the sound's kind",
            share(joined_NS[:, halfway]),
            float(joined_NS[:, -1].double().mean()),
            "pictures of the sound alone",
        ),
    ]


def _blend(found_N2S: Tensor, background_NS: Tensor) -> Course:
    rows = {
        "pictures_kind_found": found_N2S[:, 0],
        "sounds_kind_found": found_N2S[:, 1],
        "both_found": found_N2S.all(1),
        "pictures_background_kept": background_NS,
    }
    lines = {name: row_NS.double().mean(0).tolist() for name, row_NS in rows.items()}
    at = torch.linspace(0, 1, background_NS.shape[1], dtype=torch.float64).tolist()
    return Course("blend", "alpha, the share of the sound", at, lines)


class _Edited(NamedTuple):
    """What came of the edits of one picture: towards quiet, none, towards loud."""

    original_D: Tensor
    cosine_3: Tensor
    size_3: Tensor
    kept_3: Tensor
    background: Tensor


def edits(bench: Bench, clips: ToyClips, extent: Extent) -> Part:
    """What an edit by the clip's own sound, made quieter or louder, changes in its picture, and what stays.

    Args:
        bench: The networks.
        clips: The clips.
        extent: How much is measured.
    """
    positions = clips.shown[: extent.inverted]
    rows: list[_Edited] = []
    parts = range(0, len(positions), _PICTURES_AT_ONCE)
    for start in tracked(parts, len(parts), f"control: edits, {_PICTURES_AT_ONCE} pictures each", "part"):
        part = positions[start : start + _PICTURES_AT_ONCE]
        pixels_BCHW = torch.stack([clips.pixels(position, bench.side) for position in part])
        z_BD, noise_BZ = bench.invert(pixels_BCHW, extent.effort)
        given = zip(part, pixels_BCHW, z_BD, noise_BZ, strict=True)
        rows += [_edit(bench, clips, extent, *one) for one in given]
    return Part(_of_edits(rows, extent))


def _edit(bench: Bench, clips: ToyClips, extent: Extent, position: int, *found: Tensor) -> _Edited:
    pixels_CHW, z_D, noise_Z = found
    waveform_T = clips.waveform(position)
    quiet_D, loud_D = bench.hear([at_gain(waveform_T, by).waveform_T for by in extent.edit_db]).to(z_D)
    pixels_3CHW = bench.draw_again(edited(z_D, loud_D - quiet_D, _STRENGTHS), noise_Z)
    original_D = bench.see(pixels_CHW[None])[0].cpu()
    cosine_3 = cosine_similarity(bench.see(pixels_3CHW).cpu(), original_D[None], dim=1)
    read, background = bench.read(pixels_3CHW), bench.read(pixels_CHW[None]).background_B
    size_3 = control.sizes(read, clips.kinds([position] * 3))
    return _Edited(original_D, cosine_3, size_3, read.background_B == background, background)


def _of_edits(rows: list[_Edited], extent: Extent) -> list[Figure]:
    original_ND, cosine_N3, size_N3, kept_N3, background_N1 = (
        torch.stack(of) for of in zip(*rows, strict=True)
    )
    by = "{:g} to {:g} dB, both ways".format(*extent.edit_db)
    other = cosine_similarity(original_ND, original_ND.roll(1, 0), dim=1).mean()
    same = (background_N1 == background_N1.roll(1, 0)).double().mean()
    another = "another picture in its place"
    inverted = "feature cosine of inversions to the original before any edit, mean over pictures"
    return [
        *_of_sizes(size_N3, by),
        Figure(
            "edit_feature_cosine",
            EDIT,
            f"feature cosine of edits by {by} to the original, mean over pictures",
            bootstrap(cosine_N3[:, [0, 2]].mean(1), seed=extent.seed),
            float(other),
            another,
        ),
        Figure(
            "edit_background_kept",
            EDIT,
            f"edits by {by} that keep the kind of background",
            share(kept_N3[:, [0, 2]].double().mean(1)),
            float(same),
            another,
        ),
        Figure(
            "inversion_feature_cosine",
            "",
            inverted,
            bootstrap(cosine_N3[:, 1], seed=extent.seed),
            float(other),
            another,
        ),
    ]


def _of_sizes(size_N3: Tensor, by: str) -> list[Figure]:
    """Whether sizes moved the right way; two edits of one picture count as one item."""
    shrank_N = control.moved(size_N3[:, 1], size_N3[:, 0], -1)
    grew_N = control.moved(size_N3[:, 1], size_N3[:, 2], 1)
    coin = 0.5, "a coin"
    right = share((shrank_N.double() + grew_N.double()) / 2)
    about = f"edits by {by}, after which the read diameter has moved the right way"
    return [
        Figure("edit_moved_right", EDIT, about, right, *coin),
        Figure("edit_louder_grew", "", "edits towards loud that grew", share(grew_N), *coin),
        Figure("edit_quieter_shrank", "", "edits towards quiet that shrank", share(shrank_N), *coin),
    ]
