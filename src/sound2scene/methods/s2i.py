"""The baseline S2I: sound in, pictures out (Fanzeres and Nadeu, *Sound-to-Imagination*, arXiv:2106.01266)."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from sound2scene import artifacts, images
from sound2scene.devices import device_named
from sound2scene.latent import seed_of_clip, uniform_rows
from sound2scene.methods.parts import by_parts, check_asked
from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.models.s2i_generator import DenseGenerator
from sound2scene.types import InputError


class S2I:
    """Draws pictures of sounds by S2I's audio encoder and densely connected generator.

    The generator drops channels as it draws, as published: that is all by which two draws differ. What is
    dropped depends on the seed, the key of the sound and the number of the draw; see
    `sound2scene.latent.uniform_rows`. Batch norms use their running statistics.

    Args:
        audio: Folder of an `s2i-audio` artifact.
        generator: Folder of an `s2i-generator` artifact that was trained with it.
        device: Device of torch; by default a GPU where there is one; see `sound2scene.devices`.

    Attributes:
        deterministic: Draws of one sound differ.
        resolution: Height and width of the pictures.
        fingerprints: Fingerprints of the `audio` and of the `generator`.

    Raises:
        InputError: If an artifact or the device is missing, or the two were not trained together.
    """

    deterministic = False

    def __init__(
        self,
        audio: str | os.PathLike[str],
        generator: str | os.PathLike[str],
        device: str | None = None,
    ) -> None:
        self.device = device_named(device)
        heard, drawn = artifacts.read_card(audio), artifacts.read_card(generator)
        encoder, network = artifacts.load(audio, "s2i-audio"), artifacts.load(generator, "s2i-generator")
        assert isinstance(encoder, AudioAutoencoder)
        assert isinstance(network, DenseGenerator)
        stated = str(drawn.origin.notes.get("s2i_audio", "none"))
        if stated != heard.fingerprint:
            raise InputError(
                f"{os.fspath(generator)}: belongs to audio encoder {stated[:12]}, not to "
                f"{heard.fingerprint[:12]}; take the pair that was trained together"
            )
        self.encoder = encoder.to(self.device).requires_grad_(False)
        self.generator = network.to(self.device).requires_grad_(False)
        self.resolution = network.resolution
        self.fingerprints = {"audio": heard.fingerprint, "generator": drawn.fingerprint}

    @torch.inference_mode()
    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """Pictures of sounds, uint8 (B, J, 3, H, W) on the CPU; the rest is as `protocols.Method` says."""
        check_asked(waveform_BT, keys, draws, seed)
        seeds = [seed_of_clip(seed, key) for key in keys for _ in range(draws)]
        chance_NZ = uniform_rows(seeds, [*range(draws)] * len(keys), self.generator.dropout_dim)
        heard = list(by_parts(self.encoder.embed, self.device, waveform_BT))
        side = self.resolution
        if not heard:
            return torch.empty(0, draws, 3, side, side, dtype=torch.uint8)
        z_audio_ND = torch.cat(heard).repeat_interleave(draws, dim=0)
        parts = by_parts(self.generator, self.device, z_audio_ND, chance_NZ)
        whole_NCHW = torch.cat([images.to_pixel(part_NCHW).cpu() for part_NCHW in parts])
        return whole_NCHW.view(len(keys), draws, 3, side, side)
