"""What sounds do to pictures: their kinds, their gains, and their mixtures."""

from __future__ import annotations

import torch
from torch import Tensor

from sound2scene.control import mixing
from sound2scene.control.score_bench import BOTH, FINDS, LOUDER, Bench, Course, Extent, Figure, Part
from sound2scene.control.score_clips import ToyClips
from sound2scene.control.volume import at_gain
from sound2scene.data.toy.truth import KINDS
from sound2scene.metrics import control
from sound2scene.metrics.intervals import bootstrap, share
from sound2scene.progress import tracked


def scenes(bench: Bench, clips: ToyClips, extent: Extent) -> Part:
    """Whether pictures show the kind that sounds; beside it what generator and reader allow, and diversity.

    Args:
        bench: The networks.
        clips: The clips.
        extent: How much is measured.
    """
    heard, drawn, real, spreads, features = [], [], [], [], []
    for position in tracked(clips.single, len(clips.single), "control: scenes", "clip"):
        key, kind_1 = clips.key(position), clips.kinds([position])
        z_audio_1D = bench.hear([clips.waveform(position)])
        heard.append(_only(bench, bench.draw(z_audio_1D, key), kind_1))
        if position not in clips.shown:
            continue
        pixels_1CHW = clips.pixels(position, bench.side)[None]
        z_image_1D = bench.see(pixels_1CHW)
        pixels_JCHW = bench.draw(z_image_1D, key, extent.draws)
        drawn.append(_only(bench, pixels_JCHW[:1], kind_1))
        real.append(_only(bench, pixels_1CHW, kind_1))
        spreads.append(control.spread(bench.see(pixels_JCHW)[None]).cpu())
        features.append(z_image_1D.cpu())
    guess = 1 / len(KINDS), "one kind at random"
    within_M = control.spread_within(torch.cat(features), clips.kinds(clips.shown))
    exactly = "that show exactly the kind that sounds"
    figures = [
        Figure("kind_from_sound", FINDS, f"pictures of sounds {exactly}", share(torch.cat(heard)), *guess),
        Figure(
            "kind_from_z_image", "", f"pictures of true z_image {exactly}", share(torch.cat(drawn)), *guess
        ),
        Figure("kind_of_real_pictures", "", f"real pictures {exactly}", share(torch.cat(real)), *guess),
        Figure(
            "spread_of_draws",
            "",
            f"mean feature distance of {extent.draws} draws of one true z_image",
            bootstrap(torch.cat(spreads), seed=extent.seed),
            0.0,
            "draws that look alike",
        ),
    ]
    if len(within_M):
        about = "mean feature distance of a real picture to the others of its kind"
        figures.append(Figure("spread_of_real_pictures", "", about, bootstrap(within_M, seed=extent.seed)))
    return Part(figures)


def _only(bench: Bench, pixels_1CHW: Tensor, kind_1: Tensor) -> Tensor:
    """Whether one kind and no other is found in a picture, (1,)."""
    read = bench.read(pixels_1CHW)
    return control.found(read, kind_1) & (read.present_BK.sum(1) == 1)


def volume(bench: Bench, clips: ToyClips, extent: Extent) -> Part:
    """How the size of what sounds follows the gain.

    Args:
        bench: The networks.
        clips: The clips.
        extent: How much is measured.
    """
    sizes = []
    for position in tracked(clips.single, len(clips.single), "control: volume", "clip"):
        waveform_T = clips.waveform(position)
        z_SD = bench.hear([at_gain(waveform_T, gain_db).waveform_T for gain_db in extent.gains_db])
        read = bench.read(bench.draw(z_SD, clips.key(position)))
        sizes.append(control.sizes(read, clips.kinds([position] * len(z_SD))))
    size_NS = torch.stack(sizes)
    correlation_N = control.rank_correlations(torch.tensor(extent.gains_db), size_NS)
    low_db, high_db = min(extent.gains_db), max(extent.gains_db)
    about = f"rank correlation of gain ({low_db:g} to {high_db:g} dB) and read diameter, mean over clips"
    estimate = bootstrap(correlation_N, seed=extent.seed)
    lines = {
        "diameter": size_NS.mean(0).tolist(),
        "share_found": (size_NS > 0).double().mean(0).tolist(),
    }
    return Part(
        [Figure("gain_and_diameter_rank", LOUDER, about, estimate, 0.0, "size knows nothing of gain")],
        [Course("volume", "gain in dB", extent.gains_db, lines)],
    )


def mixtures(bench: Bench, clips: ToyClips, extent: Extent) -> Part:
    """Whether pictures of two sounds show both sources: at equal level, over a, and of clips that hold two.

    Args:
        bench: The networks.
        clips: The clips.
        extent: How much is measured.
    """
    one, other, both, equal = [], [], [], []
    for position in tracked(clips.single, len(clips.single), "control: mixtures", "clip"):
        pair = [position, clips.partner(position)]
        sounds = [clips.waveform(of) for of in pair]
        factors = [mixing.crossfade(part, 2) for part in extent.shares]
        mixed = [mixing.mix(sounds, by).waveform_T for by in (mixing.at_ratio(sounds, 0.0), *factors)]
        read = bench.read(bench.draw(bench.hear(mixed), clips.key(position)))
        kind_S2 = clips.kinds(pair).expand(len(mixed), 2)
        both_S = control.both_found(read, kind_S2)
        equal.append(both_S[0])
        both.append(both_S[1:])
        one.append(control.found(read, kind_S2[:, 0])[1:])
        other.append(control.found(read, kind_S2[:, 1])[1:])
    named = {"first_found": one, "second_found": other, "both_found": both}
    lines = {name: torch.stack(rows).double().mean(0).tolist() for name, rows in named.items()}
    alone = float(torch.stack(both)[:, extent.shares.index(max(extent.shares))].double().mean())
    figures = [
        Figure(
            "both_at_equal_level",
            BOTH,
            "pictures of two single clips of different kinds, mixed at equal level, that show both",
            share(torch.stack(equal)),
            alone,
            "pictures of the first alone",
        )
    ]
    if len(clips.double) > 1:
        figures.append(_of_two(bench, clips))
    return Part(figures, [Course("mixture", "a of x = a * first + (1 - a) * second", extent.shares, lines)])


def _of_two(bench: Bench, clips: ToyClips) -> Figure:
    """Whether pictures of clips that hold two sounds show both of their sources."""
    right, wrong = [], []
    kind_N2 = torch.stack([clips.heard(of).present_BK[0].nonzero().flatten() for of in clips.double])
    rows = zip(clips.double, kind_N2, kind_N2.roll(1, 0), strict=True)
    for position, kind_2, another_2 in tracked(rows, len(kind_N2), "control: clips of two", "clip"):
        read = bench.read(bench.draw(bench.hear([clips.waveform(position)]), clips.key(position)))
        right.append(control.both_found(read, kind_2[None]))
        wrong.append(control.both_found(read, another_2[None]))
    chance = float(torch.cat(wrong).double().mean())
    about = "pictures of held-out clips of two sources that show both"
    return Figure("both_of_two", BOTH, about, share(torch.cat(right)), chance, "the kinds of another clip")
