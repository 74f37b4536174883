"""Sound to picture: an audio encoder and a generator that belong together, applied to any sound files."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene import artifacts, images
from sound2scene.latent import noise
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES, InputError

SOUNDS_AT_ONCE = 8


class SoundToScene:
    """Draws pictures of sounds.

    Args:
        audio_encoder: Folder of an audio-encoder artifact.
        generator: Folder of a generator artifact for features of the same image encoder.
        device: Of torch; by default a GPU where there is one.

    Attributes:
        resolution: Height and width of the pictures.

    Raises:
        InputError: If an artifact is missing, or the two belong to different image encoders.
    """

    def __init__(self, audio_encoder: str, generator: str, device: str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        card = artifacts.read_card(audio_encoder)
        stated = card.origin.notes.get("image_encoder")
        if stated is None:
            raise InputError(
                f"{audio_encoder}: its card does not say to which image encoder it belongs; import it again "
                "with "
                "--image-encoder"
            )
        encoder = artifacts.load(audio_encoder, kind="audio-encoder")
        network = artifacts.load(generator, kind="generator")
        artifacts.check_pair(artifacts.read_card(generator), str(stated), generator)
        self.audio_encoder = encoder.to(self.device).requires_grad_(False)
        self.generator = network.to(self.device).requires_grad_(False)
        self.spectrogram = spectrogram(str(card.preset))
        self.resolution = cast(int, network.resolution)

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
            z_BD: Rows of unit length, as from `encode`.
            draws: Pictures per latent.
            seed: Of the noise.
            truncation: See `sound2scene.latent.noise`.
        """
        dice = torch.Generator().manual_seed(seed)
        seeds = torch.randint(2**62, (draws,), generator=dice).tolist()
        noise_JZ = noise(seeds, cast(int, self.generator.z_dim), truncation).to(self.device)
        drawn = [self.generator(noise_JZ, z_D.expand(draws, -1)) for z_D in z_BD]
        return images.to_pixel(torch.stack(drawn)).cpu()
