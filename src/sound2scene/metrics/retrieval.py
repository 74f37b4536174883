"""Recall at k over a whole split, instance level and class level, in both directions.

The query is one latent of a clip, the gallery holds the other latent of every clip in the split. A query
counts at instance level if its own clip is among the k nearest, at class level if any clip of its class is.
Ties count against the query, so that a collapsed encoder scores 0 and not 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from sound2scene.metrics.nearness import Criterion, best_of_class, cosines, counts
from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.types import DivergedError

CHUNK = 1024
_UNIT_ROWS = 1024  # latents that are brought to unit length at a time, with no copy of them all


def instance_ranks(z_query_ND: Tensor, z_gallery_ND: Tensor, scratch: Scratch = IN_MEMORY) -> Tensor:
    """How many other gallery items are at least as near, by cosine, as a query's own; (N,), 0 is best.

    Args:
        z_query_ND: Latent of each query.
        z_gallery_ND: The gallery, each query's own item at its place.
        scratch: Room for both in float64 and float32.

    Raises:
        DivergedError: If a latent is not finite.
    """
    query_ND, gallery_ND = _unit(z_query_ND, scratch), _unit(z_gallery_ND, scratch)
    own_N = cosines(query_ND, gallery_ND)
    (count_N,), _ = counts(query_ND, gallery_ND, of_queries=[Criterion(own_N)], scratch=scratch)
    return count_N - 1


def class_ranks(z_query_ND: Tensor, z_gallery_ND: Tensor, label_N: Tensor) -> Tensor:
    """How many gallery items of other classes are at least as near as the nearest of the query's own class.

    Clips without a label (-1) are neither queries nor wrong answers, so that N is the number of labelled
    clips.
    """
    query_ND, gallery_ND = _unit(z_query_ND), _unit(z_gallery_ND)
    label_N = label_N.to(query_ND.device)
    criterion = Criterion(best_of_class(query_ND, gallery_ND, label_N)[0], label_N)
    (count_N,), _ = counts(query_ND, gallery_ND, of_queries=[criterion])
    return count_N[label_N >= 0]


def _all_ranks(z_audio_ND: Tensor, z_image_ND: Tensor, label_N: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Ranks of each level, from sound to picture and back, by one product for them all."""
    audio_ND, image_ND = _unit(z_audio_ND), _unit(z_image_ND)
    label_N = label_N.to(audio_ND.device)
    own = Criterion(cosines(audio_ND, image_ND))
    of_audio, of_image = [own], [own]
    if (known_N := label_N >= 0).any():
        forth_N, back_N = best_of_class(audio_ND, image_ND, label_N)
        of_audio.append(Criterion(forth_N, label_N))
        of_image.append(Criterion(back_N, label_N))
    forth, back = counts(audio_ND, image_ND, of_audio, of_image)
    found = {"instance": (forth[0] - 1, back[0] - 1)}
    if len(forth) > 1:
        found["class"] = forth[1][known_N], back[1][known_N]
    return found


def class_chance(label_N: Tensor, k: int) -> float:
    """Class-level recall at k of a random gallery: one minus the hypergeometric chance of k misses."""
    counts = torch.unique(label_N[label_N >= 0], return_counts=True)[1].double()
    total = counts.sum()
    misses = torch.ones_like(counts)
    for drawn in range(min(k, int(total))):
        misses = misses * ((total - counts - drawn).clamp(min=0) / (total - drawn))
    return float(((1 - misses) * counts / total).sum())


def recalls(
    z_audio_ND: Tensor, z_image_ND: Tensor, label_N: Tensor, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Every recall of a split of N clips, with its chance level.

    Keys are ``{instance|class}/{audio_to_image|image_to_audio}/recall_at_{k}`` and
    ``{instance|class}/chance_at_{k}``; values lie in [0, 1]. There are no class keys if no clip has a label.
    """
    found: dict[str, float] = {}
    levels = _all_ranks(z_audio_ND, z_image_ND, label_N)
    for way, direction in enumerate(("audio_to_image", "image_to_audio")):
        for level, ranks in levels.items():
            hits = {k: (ranks[way] < k).double().mean() for k in ks}
            found |= {f"{level}/{direction}/recall_at_{k}": float(share) for k, share in hits.items()}
    for k in ks:
        found[f"instance/chance_at_{k}"] = min(k / len(label_N), 1.0)
        if "class" in levels:
            found[f"class/chance_at_{k}"] = class_chance(label_N, k)
    return found


def neighbour_accuracy(z_ND: Tensor, label_N: Tensor, k: int = 5) -> float:
    """Leave-one-out k-nearest-neighbour accuracy of labelled rows, by cosine and majority.

    Of classes with equally many of the k neighbours, the one with the larger sum of cosines wins.

    Raises:
        ValueError: If fewer than two rows have a label.
        DivergedError: If a latent is not finite.
    """
    known_N = label_N >= 0
    unit_ND, label_N = _unit(z_ND), label_N[known_N]
    unit_ND, label_N = unit_ND[known_N.to(unit_ND.device)], label_N.to(unit_ND.device)
    k = min(k, len(label_N) - 1)
    if k < 1:
        raise ValueError("nearest-neighbour accuracy needs at least two labelled clips")
    hits = 0
    for start in range(0, len(unit_ND), CHUNK):
        similarity_BN = (unit_ND[start : start + CHUNK] @ unit_ND.T).float()
        similarity_BN.diagonal(offset=start).fill_(-torch.inf)
        nearest_Bk = similarity_BN.topk(k, dim=1)
        votes = unit_ND.new_zeros(len(similarity_BN), int(label_N.max()) + 1)
        # A vote of 1 plus a share of the cosine that cannot sum to 1: counts decide, the cosines break ties.
        votes.scatter_add_(1, label_N[nearest_Bk.indices], 1 + nearest_Bk.values.to(votes.dtype) / (4 * k))
        hits += int((votes.argmax(1) == label_N[start : start + CHUNK]).sum())
    return hits / len(label_N)


def _unit(z_ND: Tensor, scratch: Scratch = IN_MEMORY) -> Tensor:
    if z_ND.device.type in ("cpu", "mps"):  # MPS has no float64
        unit_ND = scratch.zeros(*z_ND.shape, dtype=torch.float64)
    else:
        unit_ND = torch.empty(z_ND.shape, dtype=torch.float64, device=z_ND.device)
    for part_BD, z_BD in zip(torch.split(unit_ND, _UNIT_ROWS), torch.split(z_ND, _UNIT_ROWS), strict=True):
        length_B1 = part_BD.copy_(z_BD).norm(dim=1, keepdim=True)
        if not torch.isfinite(length_B1).all():  # seldom, and one number a row is checked faster than all
            _check_finite(z_ND)
        part_BD.div_(length_B1.clamp_(min=1e-12))
    return unit_ND


def _check_finite(z_ND: Tensor) -> None:
    bad_N = ~torch.isfinite(z_ND).all(1)
    if bad_N.any():
        raise DivergedError(
            f"the latent of clip {int(bad_N.nonzero()[0])} of {len(z_ND)} holds NaN or infinity, recall "
            "would mean nothing; go back to a state from before, with a lower learning rate"
        )


class Embeddings(Metric):
    """Collects the latents of a whole split over batches and ranks (a thin state around :func:`recalls`).

    Every clip is kept once, and rows are ordered by their position in the split. Every rank must have seen at
    least one clip.
    """

    index: list[Tensor]
    label: list[Tensor]
    z_audio: list[Tensor]
    z_image: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for state in ("index", "label", "z_audio", "z_image"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, index_B: Tensor, label_B: Tensor, z_audio_BD: Tensor, z_image_BD: Tensor) -> None:
        """Add a batch; latents (B, D) on any device."""
        self.index.append(index_B)
        self.label.append(label_B)
        self.z_audio.append(z_audio_BD.float())
        self.z_image.append(z_image_BD.float())

    def compute(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Positions and labels (N,), z_audio and z_image (N, D) of the split, in its order."""
        index_N, label_N = _joined(self.index), _joined(self.label)
        z_audio_ND, z_image_ND = _joined(self.z_audio), _joined(self.z_image)
        order_N = index_N.argsort()
        assert (index_N[order_N].diff() > 0).all(), "a clip was collected twice"
        return index_N[order_N], label_N[order_N], z_audio_ND[order_N], z_image_ND[order_N]

    def whole(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `compute`, also for a split of one clip, whose axes torchmetrics squeezes away."""
        index_N, label_N, z_audio_ND, z_image_ND = self.compute()
        count = index_N.numel()
        return index_N.view(-1), label_N.view(-1), z_audio_ND.view(count, -1), z_image_ND.view(count, -1)


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    return state if isinstance(state, Tensor) else torch.cat(state)
