"""Small networks on top of an encoder that are needed only while it trains."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sound2scene.ranges import BATCH, COUNT, WIDTH, check
from sound2scene.types import InputError


class ProjectionHead(nn.Sequential):
    """SwAV's projection: linear, batch norm, ReLU, linear, unit length (SwAV `src/resnet50.py`).

    Args:
        in_dim: Width of the encoder's features; 2048 as published.
        hidden_dim: Width between the two linear layers; 2048 as published.
        out_dim: Width of the unit vectors; 128 as published.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int) -> None:
        # In this order the layers have the numbers of the published state dict: 0, 1 and 3.
        super().__init__(
            nn.Linear(in_dim, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, out_dim),
        )

    def forward(self, z_image_BD: Tensor) -> Tensor:
        """Rows of unit length, (B, out_dim)."""
        for layer in self:
            z_image_BD = layer(z_image_BD)
        return normalize(z_image_BD, dim=1)


class Prototypes(nn.Linear):
    """K unit vectors, whose products with a unit vector are cosines.

    The optimizer moves them off the sphere, so :meth:`renormalise` has to bring them back before each forward
    pass.

    Args:
        dim: Width of the vectors.
        prototypes: Number K of prototypes.
    """

    def __init__(self, dim: int, prototypes: int) -> None:
        super().__init__(dim, prototypes, bias=False)
        self.renormalise()

    @torch.no_grad()
    def renormalise(self) -> None:
        """Give every row unit length, in place, without a trace in the gradient."""
        self.weight.copy_(normalize(self.weight, dim=1))


class PrototypeHead(nn.Module):
    """Projection and prototypes, with published names (`projection_head.*`, `prototypes.weight`) and shapes.

    Args:
        in_dim: Width of the encoder's features.
        hidden_dim: Width inside the projection.
        out_dim: Width of the projection's output.
        prototypes: Number K of prototypes.

    Raises:
        InputError: If a number makes no sense.
    """

    def __init__(
        self, in_dim: int, hidden_dim: int = 2048, out_dim: int = 128, prototypes: int = 3000
    ) -> None:
        super().__init__()
        check("head", WIDTH, hidden_dim=hidden_dim, out_dim=out_dim, prototypes=prototypes)
        self.projection_head = ProjectionHead(in_dim, hidden_dim, out_dim)
        self.prototypes = Prototypes(out_dim, prototypes)

    def forward(self, z_image_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, out_dim) and their cosines with the prototypes (B, K), float32 under any autocast.

        In bf16, cosines near 1 have steps of 1/256, a twelfth of the codes' epsilon: an error of 8 % in each
        code.
        """
        unit_BD = self.projection_head(z_image_BD).float()
        with torch.autocast(unit_BD.device.type, enabled=False):
            unit_BD = normalize(unit_BD, dim=1)
            scores_BK: Tensor = self.prototypes(unit_BD)
            return unit_BD, scores_BK


class FeatureQueue(nn.Module):
    """The last unit vectors of each coded view, so that small batches can be spread over many prototypes.

    Every rank holds the vectors of all ranks and uses its own share of them. So DDP's broadcast of buffers
    changes nothing, the checkpoint of rank 0 is complete, and a run may go on with another number of ranks.

    Args:
        length: Vectors per view over all ranks, rounded down to whole global batches; published: 3840.
        from_step: Step of the run at which the queue begins to fill; published: the beginning of epoch 15.
        views: Number of coded views.
        dim: Width of the vectors.

    Raises:
        InputError: If a number makes no sense.
    """

    rows_AND: Tensor
    filled: Tensor

    def __init__(self, length: int = 3840, from_step: int = 0, views: int = 2, dim: int = 128) -> None:
        super().__init__()
        check("queue", COUNT, from_step=from_step)
        check("queue", WIDTH, views=views, dim=dim)
        check("queue", BATCH, length=length)
        self.from_step = from_step
        self.register_buffer("rows_AND", torch.zeros(views, length, dim))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def _kept(self, batch: int) -> int:
        return self.rows_AND.shape[1] // batch * batch

    def full(self, batch: int) -> bool:
        """Whether the queue is full, for global batches of this size.

        Raises:
            InputError: If the queue is shorter than one global batch, and so could never be used.
        """
        if (length := self.rows_AND.shape[1]) < batch:
            raise InputError(
                f"queue.length is {length}, less than one global batch of {batch} clips; "
                "make it a multiple of that, or leave the queue out"
            )
        return self._kept(batch) <= int(self.filled)

    def share(self, batch: int, rank: int, ranks: int) -> Tensor:
        """The share of the vectors that belongs to this rank, (A, N / ranks, D)."""
        return self.rows_AND[:, : self._kept(batch)].chunk(ranks, dim=1)[rank]

    @torch.no_grad()
    def push(self, unit_AGD: Tensor, step: int) -> None:
        """Put a global batch in front and drop the oldest vectors, from step `from_step` on."""
        if step < self.from_step:
            return
        length = self.rows_AND.shape[1]
        self.rows_AND.copy_(torch.cat([unit_AGD, self.rows_AND], dim=1)[:, :length])
        self.filled.add_(unit_AGD.shape[1]).clamp_(max=length)
