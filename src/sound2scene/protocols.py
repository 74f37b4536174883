"""What parts satisfy: the protocols by which stages, callbacks, networks and data know each other."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from sound2scene.types import Batch, Export, Measured, Retrieved


class AlignmentLoss(Protocol):
    """A loss that pulls paired latents together; pure tensors in, scalar out, never a collective call.

    A contrastive one may also say what it is worth without learning and at best, as `chance(pairs)` and
    `floor(pairs)`.
    """

    def forward(self, z_audio_GD: Tensor, z_image_GD: Tensor) -> Tensor:
        """Mean loss over G pairs."""
        ...


class AdversarialLoss(Protocol):
    """What a discriminator and a generator minimise, from raw scores; higher means more real."""

    def discriminator(self, real_B: Tensor, fake_B: Tensor) -> Tensor:
        """Mean loss of the discriminator."""
        ...

    def generator(self, fake_B: Tensor) -> Tensor:
        """Mean loss of the generator."""
        ...


@runtime_checkable
class Foldable(Protocol):
    """A network with work in its forward pass that inference can do once and for all."""

    def folded(self) -> nn.Module:
        """A copy that computes the same in evaluation without that work."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """A frozen network whose view of pictures is a measure of them.

    Attributes:
        feature_dim: Width of its features.
        protocol: What a figure's name says of it: network and size to which pictures are resized.
    """

    feature_dim: int
    protocol: str

    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features and scores of uint8 pictures of any size; any other dtype is a ValueError."""
        ...


@runtime_checkable
class Loading(Protocol):
    """A network whose constructor leaves its weights where they are, on disk or on the web."""

    def load(self) -> None:
        """Fetch and read the weights, unless that is done."""
        ...


class Exporting(Protocol):
    """A stage with something to export."""

    def exports(self) -> Export:
        """What to write as an artifact."""
        ...


class Retrieving(Protocol):
    """A stage that aligns sounds with pictures."""

    retrieved: Retrieved | None


class Sampling(Protocol):
    """A stage that draws pictures.

    Attributes:
        resolution: Height and width of the pictures.
    """

    resolution: int

    def sample(self, batch: Batch, draw: int = 0) -> Tensor:
        """Pictures for the clips of a batch, (B, 3, H, W) in [-1, 1].

        The noise of a picture follows from its clip's index and the number of the draw alone: the same clips
        give the same pictures forever, on any number of processes.
        """
        ...


@runtime_checkable
class CeilingSampling(Protocol):
    """A stage that can also draw what it would draw if it had nothing left to learn."""

    def sample_ceiling(self, batch: Batch, draw: int = 0) -> Tensor:
        """As `sample`, from the true z_image of each clip."""
        ...
