"""What parts satisfy: the protocols by which stages, callbacks, networks and data know each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sound2scene.types import About, DataFacts, Export, InputError, Measured, Rejected, Retrieved

Batch_contra = TypeVar("Batch_contra", contravariant=True)


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
    """Something whose constructor leaves its weights, or what else takes long, where they are."""

    def load(self) -> None:
        """Fetch, read or compute them, unless that is done; every process calls it."""
        ...


@runtime_checkable
class Method(Protocol):
    """A way from sounds to pictures, whatever it is made of.

    Attributes:
        resolution: Height and width of the pictures.
        deterministic: All draws of a sound are one picture; seed and number change nothing.
    """

    resolution: int
    deterministic: bool

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of whatever the pictures rest on, by what it is."""
        ...

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """Pictures, uint8 (B, draws, 3, H, W), on the CPU.

        A picture depends on its own sound, the seed and its number alone, never on the sounds beside it.

        Args:
            waveform_BT: 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000).
            keys: Name of each sound, for methods that look something up and for messages.
            draws: Pictures of each sound.
            seed: Seed of what is random.

        Raises:
            InputError: If the sounds have another shape, or a setting is out of its range.
        """
        ...


@runtime_checkable
class Lacking(Protocol):
    """A method that has no pictures of some clips."""

    def missing(self, keys: Sequence[str], draws: int) -> list[Rejected]:
        """Those of these clips of which it cannot give so many draws, and why; `pictures` refuses them."""
        ...


class Drawing(Protocol):
    """Pictures from latents: a frozen generator with its law of noise.

    Attributes:
        resolution: Height and width of the pictures.
        folder: Artifact of the generator, for messages.
        image_encoder: Fingerprint of the image encoder whose features it draws.
    """

    resolution: int
    folder: str
    image_encoder: str

    def draw(self, z_BD: Tensor, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """Pictures of latents of any length, one each, (B, 3, H, W) in [-1, 1], where the latents lie.

        Args:
            z_BD: Latents.
            seeds: One for each latent.
            draw: Number of the draw; with the seed it is all that the noise depends on.
        """
        ...


@runtime_checkable
class Exporting(Protocol):
    """A stage with something to export."""

    def exports(self) -> Export:
        """What to write as an artifact."""
        ...


@runtime_checkable
class Retrieving(Protocol):
    """A stage that aligns sounds with pictures.

    Attributes:
        retrieved: Latents of the split that was evaluated last; None before that.
    """

    retrieved: Retrieved | None


@runtime_checkable
class Sampling(Protocol[Batch_contra]):
    """A stage that draws pictures.

    Attributes:
        resolution: Height and width of the pictures.
    """

    resolution: int

    def sample(self, batch: Batch_contra, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """Pictures for the clips of a batch, (B, 3, H, W) in [-1, 1]; seeds and draw as for `Drawing`."""
        ...


@runtime_checkable
class CeilingSampling(Sampling[Batch_contra], Protocol[Batch_contra]):
    """A stage that can also draw what it would draw if it had nothing left to learn."""

    def sample_ceiling(self, batch: Batch_contra, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """As `sample`, from the true z_image of each clip."""
        ...


@runtime_checkable
class Pictures(Protocol):
    """A split of pictures with labels, wherever they lie.

    Attributes:
        split: Name of the split.
        classes: Class names; `label_N` indexes them.
        label_N: Class index of each picture, int64, -1 for none.
        fingerprint: Changes whenever the split changes.
    """

    split: str
    classes: list[str]
    label_N: Tensor
    fingerprint: str

    def __len__(self) -> int:
        """How many there are."""
        ...

    def key(self, position: int) -> str:
        """Name of a picture inside the split."""
        ...

    def where(self, position: int) -> str:
        """Where a picture lies, for messages."""
        ...

    def member(self, position: int, kind: str) -> bytes:
        """Bytes of the picture's file (`jpg`)."""
        ...


@runtime_checkable
class Sounds(Pictures, Protocol):
    """A split of pictures that come with sounds."""

    def waveform(self, position: int) -> NDArray[np.float32]:
        """The sound, 160,000 float32 samples at 16 kHz in [-1, 1]."""
        ...


@runtime_checkable
class Expecting(Pictures, Protocol):
    """A split that may lie far away, and is told early what will be read."""

    def expect(self, wanted: Iterable[tuple[int, str]]) -> None:
        """Begin to read files (`jpg`, `flac` or `json`) by their position and kind."""
        ...


@runtime_checkable
class Described(Pictures, Protocol):
    """A split of pictures of which more is known than their labels."""

    def metadata(self, position: int) -> About:
        """What is known of a clip."""
        ...


@runtime_checkable
class Telling(Protocol):
    """Data that tells a stage, before its first batch, what it must know of it."""

    def facts(self) -> DataFacts:
        """What there is to know."""
        ...


@runtime_checkable
class Documented(Protocol):
    """Data that says what it is, for the record of a run."""

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of each split."""
        ...

    def coverage(self) -> dict[str, dict[str, int]]:
        """How much of its source it covers, per split of the source; empty where that was not counted."""
        ...


def whole_number(network: nn.Module, name: str) -> int:
    """An attribute such as `z_dim` that a recipe's network has to have.

    Raises:
        InputError: If it has none, or one that is no whole number.
    """
    found: Any = getattr(network, name, None)
    if not isinstance(found, int) or isinstance(found, bool):
        raise InputError(
            f"{type(network).__name__} has no whole number {name!r}; add the attribute to the class"
        )
    return found
