"""What would be right: the real pictures, and pictures drawn from the true latents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from sound2scene import artifacts, images
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.frozen_encoder import FrozenFeatures
from sound2scene.data.batches.reader import feature, open_picture
from sound2scene.latent import seed_of_clip
from sound2scene.methods.parts import check_asked
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.protocols import Pictures
from sound2scene.types import InputError


class LookedUp:
    """Clips of a split by their keys.

    Args:
        split: The split.
    """

    def __init__(self, split: Pictures) -> None:
        self.split = split

    @cached_property
    def _position(self) -> dict[str, int]:
        return {self.split.key(position): position for position in range(len(self.split))}

    def positions(self, keys: Sequence[str]) -> list[int]:
        """Positions of clips.

        Raises:
            InputError: If the split has no such clip.
        """
        try:
            return [self._position[key] for key in keys]
        except KeyError as error:
            raise InputError(
                f"split {self.split.split}: no clip {error.args[0]!r}; a method that looks clips up draws "
                "those of its own split alone"
            ) from None


def square_pictures(split: Pictures, positions: Sequence[int], side: int) -> Tensor:
    """Pictures of clips as a generator of that size could draw them, uint8 (B, 3, side, side)."""
    rows = [images.square_pixels(open_picture(split, position), side) for position in positions]
    return torch.stack(rows) if rows else torch.empty(0, 3, side, side, dtype=torch.uint8)


def repeated(pixels_BCHW: Tensor, draws: int) -> Tensor:
    """One picture as all draws, (B, draws, 3, H, W)."""
    return pixels_BCHW[:, None].repeat(1, draws, 1, 1, 1)


class Real:
    """The real pictures: what no method can beat, and the other side of every distance.

    Args:
        split: Clips that are asked for, by key.
        resolution: Height and width of the pictures: the centred square, resized.

    Attributes:
        deterministic: A clip has one picture.
        fingerprints: Fingerprint of the `clips`.
    """

    deterministic = True

    def __init__(self, split: Pictures, resolution: int) -> None:
        self.resolution, self._clips = resolution, LookedUp(split)
        self.fingerprints = {"clips": split.fingerprint}

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """The pictures of these clips, uint8 (B, draws, 3, H, W); nothing depends on the sounds or the seed.

        Raises:
            InputError: If there is no such clip, or what is asked for makes no sense.
        """
        check_asked(waveform_BT, keys, draws, seed)
        positions = self._clips.positions(keys)
        return repeated(square_pictures(self._clips.split, positions, self.resolution), draws)


class Ceiling:
    """Pictures from the true z_image: what a generator could draw if sounds told all.

    The noise is that of `SoundToScene.pictures`, so that the two differ by their latents alone.

    Args:
        drawing: The generator.
        split: Clips that are asked for, by key.
        features: Features of the image encoder to which the generator belongs.

    Attributes:
        resolution: Height and width of the pictures.
        deterministic: Draws of one clip differ.
        fingerprints: Fingerprints of the `image_encoder`, the `generator` and the `clips`.

    Raises:
        InputError: If the generator belongs to another image encoder.
    """

    deterministic = False

    def __init__(self, drawing: FrozenGenerator, split: Pictures, features: FrozenFeatures) -> None:
        artifacts.check_same_encoder(drawing.image_encoder, features.facts.fingerprint, drawing.folder)
        self._drawing, self._clips, self._features = drawing, LookedUp(split), features
        self.resolution = drawing.resolution
        self.fingerprints = {
            "image_encoder": features.facts.fingerprint,
            "generator": drawing.fingerprint,
            "clips": split.fingerprint,
        }

    def load(self) -> None:
        """Compute the features of the split, unless they are on disk."""
        assert self._cache is not None

    @cached_property
    def _cache(self) -> FeatureCache:
        return self._features.of(self._clips.split)

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """Pictures for these clips, uint8 (B, draws, 3, H, W); nothing depends on the sounds.

        Raises:
            InputError: If there is no such clip, or what is asked for makes no sense.
        """
        check_asked(waveform_BT, keys, draws, seed)
        rows = [feature(self._cache, position) for position in self._clips.positions(keys)]
        z_BD = torch.stack(rows) if rows else torch.empty(0, self._features.facts.width)
        return self._drawing.pixels(
            z_BD.to(self._features.device), [seed_of_clip(seed, key) for key in keys], draws
        )
