"""The words that every floor shares: the shape legend, one clip, and the batches.

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
``M``  some of N, such as pictures of one set
``R``  resamples of a split
====  ==========================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict

if TYPE_CHECKING:  # torch takes seconds, and half of the commands only want words and errors
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

SAMPLE_RATE_HZ = 16_000
CLIP_S = 10.0
CLIP_SAMPLES = 160_000


class InputError(ValueError):
    """Something a user can mend: one line that names the file or key and the remedy.

    Attributes:
        kind: Under which word a clip that it takes out of a dataset is counted.
    """

    kind: ClassVar[str] = "unreadable"

    def __str__(self) -> str:
        """That line. A DataLoader's worker hands an error on with its whole traceback, which ends in it."""
        return super().__str__().strip().rpartition(f"{type(self).__name__}: ")[2]


@dataclass(frozen=True)
class Clip:
    """One example as it is written to a shard.

    Attributes:
        key: Unique name inside its split; letters, digits, ``_``, ``-`` and ``=`` only.
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
    """A clip that could not be prepared; it is counted by kind and listed, never dropped silently."""

    key: str
    reason: str
    kind: str = InputError.kind


class PairBatch(NamedTuple):
    """Sounds with the features of their pictures: what an alignment learns from and is measured on.

    Attributes:
        key: Names of the B clips.
        index_B: Position of each clip in its split, int64.
        label_B: Class index of each clip, int64, -1 where the clip has no label.
        waveform_BT: 16 kHz mono sound in [-1, 1], float32, 10 s.
        z_image_BD: Features of the pictures, float32.
    """

    key: list[str]
    index_B: Tensor
    label_B: Tensor
    waveform_BT: Tensor
    z_image_BD: Tensor


class PictureBatch(NamedTuple):
    """Pictures with their labels: what a judge learns from, and what image encoders are measured on.

    Attributes:
        key: Names of the B clips.
        index_B: Position of each clip in its split, int64.
        label_B: Class index of each clip, int64, -1 where the clip has no label.
        image_BCHW: Pictures as the chain of a preset makes them (normalised float32, or uint8 pixels).
    """

    key: list[str]
    index_B: Tensor
    label_B: Tensor
    image_BCHW: Tensor


class SoundPictureBatch(NamedTuple):
    """Sounds with their pictures: what a baseline learns from that has no image encoder.

    Attributes:
        key: Names of the B clips.
        index_B: Position of each clip in its split, int64.
        label_B: Class index of each clip, int64, -1 where the clip has no label.
        waveform_BT: 16 kHz mono sound in [-1, 1], float32, 10 s.
        image_BCHW: Pictures as the chain of a preset makes them (uint8 pixels for the baselines).
    """

    key: list[str]
    index_B: Tensor
    label_B: Tensor
    waveform_BT: Tensor
    image_BCHW: Tensor


class About(TypedDict):
    """What is known of a clip, its member `json`.

    Attributes:
        label: Class of the clip, or None.
        moment_s: Second of the video at which its picture was taken; None where there is no video.
        metadata: Anything else that JSON can hold.
    """

    label: str | None
    moment_s: float | None
    metadata: dict[str, Any]


class Scene(NamedTuple):
    """What B pictures show, as it is known or as it is read from them; what is absent is 0.

    Attributes:
        present_BK: Whether each of K kinds is there, 0 or 1 (or how likely it is), float32.
        place_BK3: Centre from the left, from the top, and diameter of each kind, in picture sides, float32.
        background_B: Index of the background's kind, int64.
    """

    present_BK: Tensor
    place_BK3: Tensor
    background_B: Tensor


class SceneBatch(NamedTuple):
    """Pictures with all that is known of what they show: what a reader learns from.

    Attributes:
        key: Names of the B clips.
        index_B: Position of each clip in its split, int64.
        image_BCHW: Pictures, uint8 pixels.
        scene: What they show.
    """

    key: list[str]
    index_B: Tensor
    image_BCHW: Tensor
    scene: Scene


class CropBatch(NamedTuple):
    """Random crops of pictures: what self-supervision learns from.

    Attributes:
        key: Names of the B clips.
        crops: For each resolution, largest first, normalised pictures (crops * B, C, h, w), crop by crop.
    """

    key: list[str]
    crops: tuple[Tensor, ...]


class InstanceBatch(NamedTuple):
    """Instances and their neighbours: what an instance-conditioned GAN learns from.

    Attributes:
        key: Names of the B clips.
        image_BCHW: For each instance one of its neighbours, float32 in [-1, 1].
        z_image_BD: Features of the instances, float32.
        z_drawn_JBD: Features of J times B clips drawn at random from the split, float32: what fakes are for.
        own_BCHW: The instances' own pictures, float32 in [-1, 1]; None where they are not asked for.
    """

    key: list[str]
    image_BCHW: Tensor
    z_image_BD: Tensor
    z_drawn_JBD: Tensor
    own_BCHW: Tensor | None = None


class FeatureBatch(NamedTuple):
    """Features of pictures alone: what a generator is sampled from.

    Attributes:
        key: Names of the B clips.
        index_B: Position of each clip in its split, int64.
        label_B: Class index of each clip, int64, -1 where the clip has no label.
        z_image_BD: Features of the pictures, float32.
    """

    key: list[str]
    index_B: Tensor
    label_B: Tensor
    z_image_BD: Tensor


Batch = PairBatch | PictureBatch | SoundPictureBatch | SceneBatch | CropBatch | InstanceBatch | FeatureBatch
HeardBatch = PairBatch | SoundPictureBatch  # whose pictures are drawn of sounds


class EncoderFacts(NamedTuple):
    """What must be known of the frozen image encoder whose features a stage works with.

    Attributes:
        folder: Its artifact, as the recipe names it.
        fingerprint: Fingerprint of its weights.
        preset: Image chain that it was trained with.
        width: Width D of its features.
    """

    folder: str
    fingerprint: str
    preset: str
    width: int


class DataFacts(NamedTuple):
    """What a stage and its artifact must know of the data, told once before the first batch.

    Attributes:
        classes: Class names in the order of their indices; empty where there are none.
        unlabelled: Splits of this run in which no clip has a label.
        encoder: Image encoder whose features come with the batches; None where none do.
        name: What the data is called, such as `toy`; empty where no one says.
    """

    classes: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    encoder: EncoderFacts | None = None
    name: str = ""


class DivergedError(RuntimeError):
    """A loss that is no longer finite, by step, name and clips; nothing is repaired silently."""


class Measured(NamedTuple):
    """What a network sees in pictures.

    Attributes:
        feature_BD: Features, float32; distances between sets of pictures (FID, KID) are taken here.
        logits_BK: Scores of its classes, float32, for the inception score; None where it has none.
    """

    feature_BD: Tensor
    logits_BK: Tensor | None


class Export(NamedTuple):
    """What a stage leaves to others.

    Attributes:
        network: Module whose weights are written.
        kind: Kind of the artifact: "audio-encoder", "image-encoder" ...
        preset: Spectrogram or image preset that the network was trained with.
        notes: What else its user must know, for the card.
    """

    network: nn.Module
    kind: str
    preset: str
    notes: dict[str, Any]


class Retrieved(NamedTuple):
    """Latents of a whole split, in its order, as the last evaluation collected them."""

    index_N: Tensor
    label_N: Tensor
    z_audio_ND: Tensor
    z_image_ND: Tensor
