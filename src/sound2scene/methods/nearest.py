"""Retrieval instead of generation: of each sound the training picture that lies nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene import artifacts
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.frozen_encoder import FrozenFeatures
from sound2scene.methods.hearing import FrozenAudioEncoder
from sound2scene.methods.oracles import repeated, square_pictures
from sound2scene.methods.parts import by_parts, check_asked
from sound2scene.protocols import Pictures

QUERIES_AT_ONCE = 64


class Nearest:
    """Shows the training picture whose z_image points most nearly where z_audio points.

    Lengths play no part: a generator, too, sees latents at unit length. Of pictures that lie equally near,
    the first one is taken.

    Args:
        hearing: The audio encoder.
        training: Pictures that may be shown.
        features: Features of the image encoder to which the audio encoder belongs.
        resolution: Height and width of the pictures: the centred square, resized.

    Attributes:
        deterministic: A sound has one nearest picture.
        fingerprints: Fingerprints of the `audio_encoder`, the `image_encoder` and the `training` pictures.

    Raises:
        InputError: If the audio encoder belongs to another image encoder.
    """

    deterministic = True

    def __init__(
        self, hearing: FrozenAudioEncoder, training: Pictures, features: FrozenFeatures, resolution: int
    ) -> None:
        artifacts.check_same_encoder(hearing.image_encoder, features.facts.fingerprint, hearing.folder)
        self._hearing, self._training, self._features = hearing, training, features
        self.resolution = resolution
        self.fingerprints = {
            "audio_encoder": hearing.fingerprint,
            "image_encoder": features.facts.fingerprint,
            "training": training.fingerprint,
        }

    def load(self) -> None:
        """Compute the features of the training pictures, unless they are on disk."""
        assert self._gallery is not None

    @cached_property
    def _gallery(self) -> FeatureCache:
        return self._features.of(self._training)

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """Pictures for sounds, uint8 (B, draws, 3, H, W); nothing depends on keys or seed.

        Raises:
            InputError: If what is asked for makes no sense, or a picture cannot be read.
        """
        check_asked(waveform_BT, keys, draws, seed)
        positions = self.positions(waveform_BT)
        return repeated(square_pictures(self._training, positions, self.resolution), draws)

    @torch.inference_mode()
    def positions(self, waveform_BT: Tensor) -> list[int]:
        """Position of the nearest training picture of each sound."""
        z_audio_BD = self._hearing.encode(waveform_BT).cpu()
        found = by_parts(self._nearest, torch.device("cpu"), z_audio_BD, rows_at_once=QUERIES_AT_ONCE)
        return [int(position) for part_B in found for position in part_B]

    def _nearest(self, z_audio_BD: Tensor) -> Tensor:
        """One pass over all training pictures, block by block: memory does not grow with their number."""
        best_B = torch.full((len(z_audio_BD),), -torch.inf)
        position_B = torch.zeros(len(z_audio_BD), dtype=torch.int64)
        for block in range(self._gallery.blocks):
            z_image_KD = normalize(torch.from_numpy(self._gallery.rows(block).copy()), dim=1)
            cosine_B, row_B = (z_audio_BD @ z_image_KD.T).max(dim=1)
            is_nearer_B = cosine_B > best_B
            best_B = torch.where(is_nearer_B, cosine_B, best_B)
            position_B = torch.where(is_nearer_B, row_B + self._gallery.positions(block).start, position_B)
        return position_B
