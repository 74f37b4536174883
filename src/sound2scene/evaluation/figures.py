"""All figures of one method, from what the networks of a protocol saw in its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from sound2scene.evaluation.estimates import Dice, Figure, Whole
from sound2scene.evaluation.networks import Seeing, scene_of_rows
from sound2scene.evaluation.protocol import Protocol
from sound2scene.metrics.classes import (
    inception_score,
    label_ranks,
    paired_cosines,
    resampled_inception_score,
    wanted_found,
)
from sound2scene.metrics.frechet import frechet, moments_of, resampled_frechet
from sound2scene.metrics.kernel import cmmd, kid
from sound2scene.metrics.prdc import prdc
from sound2scene.metrics.retrieval import instance_ranks
from sound2scene.metrics.scenes import scene_figures
from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.types import Scene

# What a network saw: `rows(network, "feature" or "scores")`, (N, J, D); None where it has no scores.
Rows = Callable[[str, str], Tensor | None]

_PLACES = ("diameter", "height")
_CLIPS = 128  # at a time; results of parts that are kept one by one lie in the way of reusing memory


class Asked(NamedTuple):
    """What figures are taken of.

    Attributes:
        protocol: The protocol.
        networks: Its networks.
        label_N: Class of each clip, -1 for none.
        scene: What the sound of each clip of a toy dataset tells; None elsewhere.
        real: What networks saw in the real picture of each clip, in the same order.
        reference: The same of the real pictures with which sets are compared.
        dice: Resamples of the clips.
        scratch: Room for what has a row for every clip.
    """

    protocol: Protocol
    networks: dict[str, Seeing]
    label_N: Tensor
    scene: Scene | None
    real: Rows
    reference: Rows
    dice: Dice
    scratch: Scratch = IN_MEMORY


def figures_of(asked: Asked, rows: Rows, there_N: Tensor) -> list[Figure]:
    """Figures of a method.

    Args:
        asked: What is asked.
        rows: What networks saw in its pictures.
        there_N: Whether it has a picture of each clip.
    """
    parts = (_classes, _instances, _pairs, _sets, _cmmd, _scenes)
    return [figure for part in parts for figure in part(asked, rows, there_N) if figure is not None]


def _classes(asked: Asked, rows: Rows, there_N: Tensor) -> Iterator[Figure | None]:
    """Share of pictures whose own class is among the k that a network finds likeliest."""
    for name in asked.protocol.classes:
        seeing, scores_NJK = asked.networks[name], rows(name, "scores")
        if scores_NJK is None or seeing.column_K is None:
            continue
        known_N = there_N & (asked.label_N >= 0)
        draws = scores_NJK.shape[1]
        ranks = [
            label_ranks(
                scores_NJK[place_B][:, :, seeing.column_K].flatten(0, 1),
                asked.label_N[place_B].repeat_interleave(draws),
            )
            for place_B in torch.split(known_N.nonzero()[:, 0], _CLIPS)
        ]
        rank_M = torch.cat(ranks)
        for k in asked.protocol.class_ks:
            hit_M = (rank_M < k).double().view(-1, draws).mean(1)
            yield asked.dice.mean(f"class recall at {k}", seeing.protocol, _at(hit_M, known_N))
        if asked.scene is not None and (mixed_N := there_N & (asked.scene.present_BK.sum(1) > 1)).any():
            wanted_MK = (asked.scene.present_BK[mixed_N] > 0).repeat_interleave(draws, dim=0)
            scores_MK = scores_NJK[mixed_N][:, :, seeing.column_K].flatten(0, 1)
            found_M = wanted_found(scores_MK, wanted_MK).view(-1, draws).mean(1)
            yield asked.dice.mean("classes of a mixture", seeing.protocol, _at(found_M, mixed_N))


def _instances(asked: Asked, rows: Rows, there_N: Tensor) -> Iterator[Figure | None]:
    """Share of pictures for which the real picture of their own clip is among the k nearest of the split."""
    for name in asked.protocol.instances:
        feature_NJD, real_N1D = _needed(rows(name, "feature")), _needed(asked.real(name, "feature"))
        rank_NJ = torch.stack(
            [instance_ranks(one_ND, real_N1D[:, 0], asked.scratch) for one_ND in feature_NJD.unbind(1)],
            dim=1,
        )
        for k in asked.protocol.instance_ks:
            hit_N = (rank_NJ < k).double().mean(1)
            network = asked.networks[name].protocol
            yield asked.dice.mean(f"instance recall at {k}", network, hit_N.masked_fill(~there_N, torch.nan))


def _pairs(asked: Asked, rows: Rows, there_N: Tensor) -> Iterator[Figure | None]:
    """Mean cosine between features of a picture and of the real one of its clip."""
    for name in asked.protocol.pairs:
        feature_NJD, real_N1D = _needed(rows(name, "feature")), _needed(asked.real(name, "feature"))
        draws = feature_NJD.shape[1]
        cosine_NJ = torch.empty(feature_NJD.shape[:2], dtype=torch.float64)
        for cosine_BJ, drawn_BJD, real_B1D in zip(
            *(torch.split(rows_N, _CLIPS) for rows_N in (cosine_NJ, feature_NJD, real_N1D)), strict=True
        ):
            repeated_MD = real_B1D[:, 0].repeat_interleave(draws, dim=0)
            cosine_BJ.copy_(paired_cosines(drawn_BJD.flatten(0, 1), repeated_MD).view(-1, draws))
        cosine_N = cosine_NJ.mean(1).masked_fill(~there_N, torch.nan)
        yield asked.dice.mean("similarity to the real picture", asked.networks[name].protocol, cosine_N)


def _sets(asked: Asked, rows: Rows, there_N: Tensor) -> Iterator[Figure | None]:
    """Distances between the drawn pictures and the real ones as sets, and their variety."""
    protocol, dice = asked.protocol, asked.dice
    for name in protocol.sets:
        feature_NJD, network = _needed(rows(name, "feature")), asked.networks[name].protocol
        drawn_MD, draws = _drawn(feature_NJD, there_N, asked.scratch), feature_NJD.shape[1]
        real_MD = _needed(asked.reference(name, "feature"))[:, 0]
        items, against = len(drawn_MD), f"{network}, {len(real_MD)} real {protocol.reference}"
        real = moments_of(real_MD)
        found_R = dice.resampled(
            partial(resampled_frechet, real, drawn_MD, scratch=asked.scratch), there_N, draws
        )
        yield dice.whole("FID", against, Whole(frechet(real, moments_of(drawn_MD)), found_R, items), "lower")
        if protocol.kid_subset and min(items, len(real_MD)) >= protocol.kid_subset:
            value = kid(real_MD, drawn_MD, protocol.kid_subsets, protocol.kid_subset, protocol.seed)
            # Kernels of a picture with itself, which resamples are full of, would not be unbiased.
            yield Figure("KID", against, "lower", value, None, None, items, ())
        if (scores_NJK := rows(name, "scores")) is not None:
            scores_MK = _drawn(scores_NJK, there_N, asked.scratch)
            resampled = partial(resampled_inception_score, scores_MK, scratch=asked.scratch)
            found_R = dice.resampled(resampled, there_N, draws)
            yield dice.whole("inception score", network, Whole(inception_score(scores_MK), found_R, items))
        yield from _prdc(asked, against, real_MD, drawn_MD, there_N)


def _prdc(
    asked: Asked, against: str, real_MD: Tensor, drawn_MD: Tensor, there_N: Tensor
) -> Iterator[Figure | None]:
    """Precision and density over drawn pictures; recall and coverage over real ones, which are no clips."""
    if min(len(real_MD), len(drawn_MD)) <= asked.protocol.neighbours:
        return
    found = prdc(real_MD, drawn_MD, asked.protocol.neighbours, asked.scratch)
    for name, value_M in (("precision", found.precision_M), ("density", found.density_M)):
        value_NJ = value_M.double().view(int(there_N.sum()), -1)
        yield asked.dice.mean(name, against, _at(value_NJ.mean(1), there_N))
    for name, value_M in (("recall", found.recall_N), ("coverage", found.coverage_N)):
        of_real = Dice(len(value_M), asked.dice.seed, asked.dice.means, 0)
        yield of_real.mean(name, against, value_M.double())


def _cmmd(asked: Asked, rows: Rows, there_N: Tensor) -> Iterator[Figure | None]:
    for name in asked.protocol.cmmd:
        drawn_MD = _drawn(_needed(rows(name, "feature")), there_N, asked.scratch)
        real_MD = _needed(asked.reference(name, "feature"))[:, 0]
        against = f"{asked.networks[name].protocol}, {len(real_MD)} real {asked.protocol.reference}"
        yield Figure("CMMD", against, "lower", cmmd(real_MD, drawn_MD), None, None, len(drawn_MD), ())


def _scenes(asked: Asked, rows: Rows, there_N: Tensor) -> Iterator[Figure | None]:
    """What a reader reads in the pictures against what the sounds tell: kinds, number, size and height."""
    name, true = asked.protocol.reader, asked.scene
    if name is None or true is None:
        return
    row_NJM = _needed(rows(name, "feature"))
    draws, network = row_NJM.shape[1], asked.networks[name].protocol
    read = scene_of_rows(row_NJM.flatten(0, 1))
    true_M = Scene(*(part.repeat_interleave(draws, dim=0) for part in true))
    same_NJ = (read.present_BK == true_M.present_BK).all(1).view(-1, draws)
    number_NJ = (read.present_BK.sum(1) == true_M.present_BK.sum(1)).view(-1, draws)
    both_NJ = ((read.present_BK * true_M.present_BK).sum(1) == 2).view(-1, draws)
    gone_N, one_N = ~there_N, true.present_BK.sum(1) < 2
    means = {
        "kinds right": _share(same_NJ, gone_N),
        "number right": _share(number_NJ, gone_N),
        "both of a mixture shown": _share(both_NJ, gone_N | one_N),
    }
    for figure, value_N in means.items():
        yield asked.dice.mean(figure, network, value_N)
    single_N = there_N & one_N
    read_M, wanted_M = (_chosen(scene, single_N.repeat_interleave(draws)) for scene in (read, true_M))
    for place in _PLACES:
        found_R = asked.dice.resampled(partial(_ranks, read_M, wanted_M, place), single_N, draws)
        whole = Whole(_rank(read_M, wanted_M, place), found_R, len(read_M.background_B))
        yield asked.dice.correlation(f"{place}, rank correlation", network, whole)


def _share(right_NJ: Tensor, left_out_N: Tensor) -> Tensor:
    return right_NJ.double().mean(1).masked_fill(left_out_N, torch.nan)


def _rank(read: Scene, true: Scene, place: str) -> float:
    return scene_figures(read, true)[f"{place}_rank"]


def _ranks(read: Scene, true: Scene, place: str, rows: Iterator[Tensor]) -> Tensor:
    return torch.tensor([_rank(_chosen(read, row_M), _chosen(true, row_M), place) for row_M in rows])


def _chosen(scene: Scene, row_M: Tensor) -> Scene:
    return Scene(*(part[row_M] for part in scene))


def _drawn(row_NJD: Tensor, there_N: Tensor, scratch: Scratch) -> Tensor:
    """Rows of the pictures that are there, (M, D)."""
    if there_N.all():
        return row_NJD.flatten(0, 1)
    place_M = there_N.nonzero()[:, 0]
    room_MJD = scratch.zeros(len(place_M), *row_NJD.shape[1:], dtype=row_NJD.dtype)
    return torch.index_select(row_NJD, 0, place_M, out=room_MJD).flatten(0, 1)


def _at(value_M: Tensor, there_N: Tensor) -> Tensor:
    """Values of some clips among all, NaN for the others."""
    value_N = torch.full((len(there_N),), torch.nan, dtype=torch.float64)
    value_N[there_N] = value_M.double()
    return value_N


def _needed(rows: Tensor | None) -> Tensor:
    assert rows is not None, "every network has features"
    return rows
