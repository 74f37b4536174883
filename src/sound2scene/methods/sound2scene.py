"""Sound in, pictures out: an audio encoder and a generator that belong together (paper section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sound2scene import artifacts, images
from sound2scene.devices import device_named
from sound2scene.latent import draw_pictures, noise_rows
from sound2scene.protocols import whole_number
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES

SOUNDS_AT_ONCE = 8
DRAWS_AT_ONCE = 64


class FrozenGenerator:
    """Pictures from latents by the generator of an artifact; see `protocols.Drawing`.

    The network is loaded when it is first needed, on the device of the latents; a recipe that names it costs
    nothing.

    Args:
        generator: Folder of a generator artifact.

    Attributes:
        folder: The artifact.
        image_encoder: Fingerprint of the image encoder whose features it draws.

    Raises:
        InputError: If the artifact is missing, or its card does not say to which image encoder it belongs.
    """

    def __init__(self, generator: str) -> None:
        self.folder = generator
        self.image_encoder = artifacts.encoder_of(artifacts.read_card(generator), generator)

    @cached_property
    def network(self) -> nn.Module:
        """The generator, folded for inference."""
        return artifacts.load(self.folder, kind="generator").requires_grad_(False)

    @property
    def resolution(self) -> int:
        """Height and width of the pictures."""
        return whole_number(self.network, "resolution")

    @torch.no_grad()
    def draw(self, z_BD: Tensor, seeds: Sequence[int], draw: int = 0) -> Tensor:
        """Pictures of latents of any length, one each, (B, 3, H, W) in [-1, 1], on the device of the latents.

        Args:
            z_BD: Latents.
            seeds: Seed for each latent; see `sound2scene.latent.noise`.
            draw: Number of the draw.
        """
        noise_BZ = noise_rows(self.network, seeds, [draw] * len(seeds))
        return draw_pictures(self.network.to(z_BD.device), z_BD, noise_BZ)

    @torch.no_grad()
    def draw_many(self, z_D: Tensor, draws: int, seed: int, truncation: float = 1.0) -> Tensor:
        """Pictures of one latent, (J, 3, H, W) in [-1, 1]; number j is what `draw` gives for draw j.

        Args:
            z_D: Latent.
            draws: Number J of pictures.
            seed: Seed of the noise.
            truncation: Truncation of the noise, 0 to 1; 1 is none.
        """
        noise_JZ = noise_rows(self.network, [seed] * draws, range(draws), truncation)
        network = self.network.to(z_D.device)
        parts = torch.split(noise_JZ, DRAWS_AT_ONCE)
        return torch.cat([draw_pictures(network, z_D.expand(len(part_JZ), -1), part_JZ) for part_JZ in parts])


class SoundToScene:
    """Draws pictures of sounds.

    Args:
        audio_encoder: Folder of an audio-encoder artifact.
        generator: Folder of a generator artifact for features of the same image encoder.
        device: Device of torch; by default a GPU where there is one; see `sound2scene.devices`.

    Attributes:
        drawing: The generator.
        resolution: Height and width of the pictures.

    Raises:
        InputError: If an artifact or the device is missing, or the two belong to different image encoders.
    """

    def __init__(self, audio_encoder: str, generator: str, device: str | None = None) -> None:
        self.device = device_named(device)
        card = artifacts.read_card(audio_encoder)
        stated = artifacts.encoder_of(card, audio_encoder)
        encoder = artifacts.load(audio_encoder, kind="audio-encoder")
        self.drawing = FrozenGenerator(generator)
        self.resolution = self.drawing.resolution
        artifacts.check_same_encoder(self.drawing.image_encoder, stated, generator)
        self.audio_encoder = encoder.to(self.device).requires_grad_(False)
        self.spectrogram = spectrogram(str(card.preset))

    @torch.inference_mode()
    def encode(self, waveform_BT: Tensor) -> Tensor:
        """z_audio as rows of unit length, (B, D), of 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000)."""
        rows = []
        for part_BT in torch.split(waveform_BT, SOUNDS_AT_ONCE):
            # Always one size: the kernels that a library picks, and so the last bits, depend on it.
            filled_BT = torch.zeros(SOUNDS_AT_ONCE, CLIP_SAMPLES)
            filled_BT[: len(part_BT)] = part_BT
            rows.append(self.audio_encoder(self.spectrogram(filled_BT.to(self.device)))[: len(part_BT)])
        return normalize(torch.cat(rows).float(), dim=1)

    @torch.inference_mode()
    def draw(self, z_BD: Tensor, draws: int = 8, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """Pictures of latents, uint8 (B, draws, 3, resolution, resolution).

        Draw j of every latent has the same noise, so that a picture depends on its own sound, `seed` and j
        alone.

        Args:
            z_BD: Latents, as from `encode`.
            draws: Pictures per latent.
            seed: Seed of the noise.
            truncation: Truncation of the noise; see `sound2scene.latent.noise`.
        """
        drawn = [images.to_pixel(self.drawing.draw_many(z_D, draws, seed, truncation)).cpu() for z_D in z_BD]
        return torch.stack(drawn)
