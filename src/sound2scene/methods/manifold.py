"""Sound in, pictures out by the baseline of Pedersoli et al. (arXiv:2208.02337): one picture a sound."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from sound2scene import artifacts, images, ranges
from sound2scene.devices import device_named
from sound2scene.models.manifold_audio import KIND, ManifoldAudio
from sound2scene.models.manifold_autoencoder import FrozenAutoencoder
from sound2scene.types import CLIP_SAMPLES, InputError

SOUNDS_AT_ONCE = 8


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
        _check_sounds(waveform_BT)
        parts = [self.network(filled_BT)[:sounds] for filled_BT, sounds in _filled(waveform_BT, self.device)]
        return torch.cat(parts) if parts else torch.empty(0, self.network.code_dim, *[self.network.grid] * 2)

    @torch.inference_mode()
    def draw(self, z_BDHW: Tensor) -> Tensor:
        """Pictures of maps, one each, uint8 (B, 3, resolution, resolution), on the CPU."""
        decoder = self.frozen.on(self.device)
        drawn = [
            images.to_pixel(decoder.picture(filled_BDHW)[:maps]).cpu()
            for filled_BDHW, maps in _filled(z_BDHW, self.device)
        ]
        return torch.cat(drawn) if drawn else torch.empty(0, 3, *[self.resolution] * 2, dtype=torch.uint8)

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int = 1, seed: int = 0) -> Tensor:
        """Pictures of sounds, uint8 (B, draws, 3, H, W) on the CPU; all draws of a sound are the same.

        Args:
            waveform_BT: 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000).
            keys: Name of each sound; nothing depends on them.
            draws: Pictures of each sound.
            seed: Nothing depends on it.

        Raises:
            InputError: If the sounds have another shape, or a setting is out of its range.
        """
        ranges.check("pictures", ranges.PLENTY, draws=draws)
        ranges.check("pictures", ranges.SEED, seed=seed)
        assert len(keys) == len(waveform_BT), f"{len(keys)} names for {len(waveform_BT)} sounds"
        return self.draw(self.encode(waveform_BT))[:, None].repeat(1, draws, 1, 1, 1)


def _check_sounds(waveform_BT: Tensor) -> None:
    shape = tuple(waveform_BT.shape)
    if len(shape) != 2 or shape[1] != CLIP_SAMPLES or not waveform_BT.is_floating_point():
        raise InputError(
            f"sounds are floats (B, {CLIP_SAMPLES}), not {waveform_BT.dtype} {shape}; read them by "
            "sound2scene.audio.load"
        )


def _filled(rows_B: Tensor, device: torch.device) -> list[tuple[Tensor, int]]:
    """Rows in parts of one size, the last filled up with zeros, and how many of each part count.

    The kernels that a library picks, and so the last bits, depend on the size.
    """
    parts = []
    for part_B in torch.split(rows_B, SOUNDS_AT_ONCE) if len(rows_B) else ():
        filled_B = part_B.new_zeros(SOUNDS_AT_ONCE, *part_B.shape[1:])
        filled_B[: len(part_B)] = part_B
        parts.append((filled_B.to(device), len(part_B)))
    return parts
