"""Sound in, pictures out by the baseline of Pedersoli et al. (arXiv:2208.02337): one picture a sound."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from sound2scene import artifacts, images
from sound2scene.devices import device_named
from sound2scene.methods.parts import by_parts, check_asked
from sound2scene.models.manifold_audio import KIND, ManifoldAudio
from sound2scene.models.manifold_autoencoder import FrozenAutoencoder
from sound2scene.types import InputError


class Manifold:
    """Draws a sound's picture: audio network, nearest codes, decoder; see `protocols.Method`.

    Args:
        audio_network: Folder of a manifold-audio artifact.
        autoencoder: Folder of the manifold-autoencoder artifact that it was trained with.
        device: Device of torch; by default a GPU where there is one; see `sound2scene.devices`.

    Attributes:
        resolution: Height and width of the pictures.
        deterministic: Nothing is random here: all draws of a sound are one picture.
        fingerprints: Fingerprints of `audio_network` and `autoencoder`.

    Raises:
        InputError: If an artifact or the device is missing, or the two do not belong together.
    """

    deterministic = True

    def __init__(
        self,
        audio_network: str | os.PathLike[str],
        autoencoder: str | os.PathLike[str],
        device: str | None = None,
    ) -> None:
        self.device = device_named(device)
        card, network = artifacts.read_card(audio_network), artifacts.load(audio_network, kind=KIND)
        if not isinstance(network, ManifoldAudio):
            raise InputError(
                f"{os.fspath(audio_network)}: is no ManifoldAudio; train one by `make train-manifold`"
            )
        self.frozen = FrozenAutoencoder(autoencoder)
        stated = str(card.origin.notes.get("autoencoder"))
        if stated != self.frozen.fingerprint:
            raise InputError(
                f"{os.fspath(audio_network)}: belongs to autoencoder {stated[:12]}, not to "
                f"{self.frozen.fingerprint[:12]}; take the pair that was trained together"
            )
        self.frozen.check_map(network.grid, network.code_dim)
        self.network = network.to(self.device).requires_grad_(False)
        self.resolution = self.frozen.network.side
        self.fingerprints = {"audio_network": card.fingerprint, "autoencoder": self.frozen.fingerprint}

    @torch.inference_mode()
    def encode(self, waveform_BT: Tensor) -> Tensor:
        """Maps before quantisation, float32 (B, D, H, W).

        Args:
            waveform_BT: 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000).

        Raises:
            InputError: If the sounds have another shape.
        """
        check_asked(waveform_BT, [""] * len(waveform_BT), 1, 0)
        parts = list(by_parts(self.network, self.device, waveform_BT))
        return torch.cat(parts) if parts else torch.empty(0, self.network.code_dim, *[self.network.grid] * 2)

    @torch.inference_mode()
    def draw(self, z_BDHW: Tensor) -> Tensor:
        """Pictures of maps, one each, uint8 (B, 3, resolution, resolution), on the CPU."""
        decoder = self.frozen.on(self.device)
        parts = by_parts(decoder.picture, self.device, z_BDHW)
        drawn = [images.to_pixel(part_BCHW).cpu() for part_BCHW in parts]
        return torch.cat(drawn) if drawn else torch.empty(0, 3, *[self.resolution] * 2, dtype=torch.uint8)

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int = 1, seed: int = 0) -> Tensor:
        """Pictures of sounds, uint8 (B, draws, 3, H, W) on the CPU; all draws of a sound are the same.

        Args:
            waveform_BT: 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000).
            keys: Name of each sound; nothing depends on them.
            draws: Pictures of each sound.
            seed: Nothing depends on it.

        Raises:
            InputError: If the sounds have another shape, another number than the keys, or a setting is out
                of its range.
        """
        check_asked(waveform_BT, keys, draws, seed)
        return self.draw(self.encode(waveform_BT))[:, None].repeat(1, draws, 1, 1, 1)
