"""The words that every floor shares: the shape legend, one clip, one batch, and the protocols parts satisfy.

Shape legend. A tensor that crosses a function border ends in its axes:

====  ==========================================================
``B``  clips in this process's batch
``G``  clips in the global batch (all ranks)
``N``  clips in a whole split, or items of a gallery
``T``  samples of a waveform, or frames of a spectrogram
``F``  frequency bins
``C``  channels of an image
``H``  rows of an image
``W``  columns of an image
``D``  width of the latent space (2048 in the paper)
``Z``  width of a generator's noise
``J``  draws per clip
``K``  neighbours, or classes
====  ==========================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

SAMPLE_RATE_HZ = 16_000
CLIP_S = 10.0
CLIP_SAMPLES = 160_000


class InputError(ValueError):
    """Something a user can mend: one line that names the file or key and the remedy."""

    def __str__(self) -> str:
        """That line. A DataLoader's worker hands an error on with its whole traceback as text, which ends in it."""
        return super().__str__().strip().rpartition(f"{type(self).__name__}: ")[2]


@dataclass(frozen=True)
class Clip:
    """One example as it is written to a shard.

    Attributes:
        key: Unique name inside its split; letters, digits, ``_`` and ``-`` only.
        jpeg: The picture of the chosen moment as an encoded JPEG file.
        waveform_T: 160,000 float32 samples at 16 kHz in [-1, 1] (10 s, mono).
        moment_s: Second of the video at which the picture was taken; None where there is no video.
        label: Class name, or None where the clip has none.
        metadata: Anything else that JSON can hold (true box, loudness, source file ...).
    """

    key: str
    jpeg: bytes
    waveform_T: NDArray[np.float32]
    moment_s: float | None
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Rejected(NamedTuple):
    """A clip that could not be prepared; it is counted and listed by reason, never dropped silently."""

    key: str
    reason: str


class Batch(NamedTuple):
    """What a stage sees of the data. Fields that a DataModule was not asked for are None.

    Attributes:
        key: Names of the clips, B of them.
        index_B: Position of each clip in its split, int64.
        label_B: Class index of each clip, int64, -1 where the clip has no label.
        image_BCHW: Normalised pictures, float32.
        waveform_BT: 16 kHz mono sound in [-1, 1], float32, 10 s.
        z_image_BD: Cached image features, float32.
        z_drawn_JBD: Features of J times B clips drawn at random from the whole split, float32: what fakes are for.
        crops: Random crops of each picture instead of the picture: for each resolution, largest first, normalised
            pictures (crops * B, C, h, w), crop by crop.
    """

    key: list[str]
    index_B: Tensor
    label_B: Tensor
    image_BCHW: Tensor | None = None
    waveform_BT: Tensor | None = None
    z_image_BD: Tensor | None = None
    z_drawn_JBD: Tensor | None = None
    crops: tuple[Tensor, ...] | None = None


class DivergedError(RuntimeError):
    """A loss that is no longer finite; names the step, the loss and the clips, and nothing is repaired silently."""


class AlignmentLoss(Protocol):
    """A loss that pulls paired latents together; pure tensors in, scalar out, never a collective call.

    A contrastive one may also say what it is worth without learning and at best, as `chance(pairs)` and `floor(pairs)`.
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


class Measured(NamedTuple):
    """What a network sees in pictures.

    Attributes:
        feature_BD: Features, float32; distances between sets of pictures (FID, KID) are taken here.
        logits_BK: Scores of its classes, float32, for the inception score; None where it has none.
    """

    feature_BD: Tensor
    logits_BK: Tensor | None


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


class Export(NamedTuple):
    """What a stage leaves to others.

    Attributes:
        network: Module whose weights are written.
        kind: Of the artifact: "audio-encoder", "image-encoder" ...
        preset: Spectrogram or image preset that the network was trained with.
        notes: What else its user must know, for the card.
    """

    network: nn.Module
    kind: str
    preset: str
    notes: dict[str, Any]


class Exporting(Protocol):
    """A stage with something to export."""

    def exports(self) -> Export:
        """What to write as an artifact."""
        ...


class Retrieved(NamedTuple):
    """Latents of a whole split, in its order, as the last evaluation collected them."""

    index_N: Tensor
    label_N: Tensor
    z_audio_ND: Tensor
    z_image_ND: Tensor


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

        The noise of a picture follows from its clip's index and the number of the draw alone: the same clips give the
        same pictures forever, on any number of processes.
        """
        ...


@runtime_checkable
class CeilingSampling(Protocol):
    """A stage that can also draw what it would draw if it had nothing left to learn."""

    def sample_ceiling(self, batch: Batch, draw: int = 0) -> Tensor:
        """As `sample`, from the true z_image of each clip."""
        ...
