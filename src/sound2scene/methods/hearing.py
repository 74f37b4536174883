"""Sound to the latent space of pictures: the audio encoder of an artifact, frozen, with its spectrogram."""

from __future__ import annotations

import hashlib
import os

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene import artifacts
from sound2scene.devices import device_named
from sound2scene.methods.parts import by_parts
from sound2scene.metrics import familiarity
from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES, InputError

NUMBERS_KEPT = 2**25  # of latents that are remembered: 128 MiB, 16,384 sounds of width 2,048
_NUMBERS_AT_ONCE = 2**18  # for which room is made


class FrozenAudioEncoder:
    """z_audio of sounds.

    Args:
        folder: Folder of an audio-encoder artifact.
        device: Device of torch; by default a GPU where there is one; see `sound2scene.devices`.

    Attributes:
        folder: The artifact.
        fingerprint: Fingerprint of the encoder.
        image_encoder: Fingerprint of the image encoder in whose latent space it places sounds.
        familiar: Tells which sounds lie far from those that the encoder was validated on; None where its card
            keeps nothing that could.

    Raises:
        InputError: If the artifact or the device is missing, or the card does not say to which image encoder
            it belongs.
    """

    def __init__(self, folder: str, device: str | None = None) -> None:
        self.device = device_named(device)
        card = artifacts.read_card(folder)
        self.folder, self.fingerprint = folder, card.fingerprint
        self.image_encoder = artifacts.encoder_of(card, folder)
        encoder = artifacts.load(folder, kind="audio-encoder")
        self.network = encoder.to(self.device).requires_grad_(False)
        self.spectrogram = spectrogram(str(card.preset))
        self.familiar = familiarity.of_notes(card.origin.notes, os.path.join(folder, artifacts.CARD))

    @torch.inference_mode()
    def encode(self, waveform_BT: Tensor) -> Tensor:
        """z_audio as rows of unit length, (B, D), of 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000).

        Raises:
            InputError: If the sounds have another shape.
        """
        _check_sounds(waveform_BT)
        rows = list(by_parts(self._heard, self.device, waveform_BT))
        return torch.cat(rows) if rows else self._nothing()

    def _heard(self, waveform_BT: Tensor) -> Tensor:
        z_BD: Tensor = self.network(self.spectrogram(waveform_BT.float()))
        return normalize(z_BD.float(), dim=1)

    def _nothing(self) -> Tensor:
        """No latents, of the width that all have."""
        silence_BT = torch.zeros(1, CLIP_SAMPLES)
        return torch.cat(list(by_parts(self._heard, self.device, silence_BT)))[:0]


class RememberingAudioEncoder(FrozenAudioEncoder):
    """An audio encoder that hears a sound once, however many methods ask for it.

    A sound is known by its samples. Its latent is kept, the sound is not; where latents take too much memory,
    the oldest go. One that is heard again is the same to the last bit, because nothing depends on the sounds
    beside it.

    Args:
        folder: As for `FrozenAudioEncoder`.
        device: As for `FrozenAudioEncoder`.
        scratch: Room for the latents.
    """

    def __init__(self, folder: str, device: str | None = None, scratch: Scratch = IN_MEMORY) -> None:
        super().__init__(folder, device)
        self._latents: dict[bytes, Tensor] = {}
        self._scratch, self._free_MD = scratch, torch.empty(0, 0)

    @torch.inference_mode()
    def encode(self, waveform_BT: Tensor) -> Tensor:
        """As `FrozenAudioEncoder.encode`, of which only sounds that are new take time."""
        _check_sounds(waveform_BT)
        if not len(waveform_BT):
            return super().encode(waveform_BT)
        sounds = waveform_BT.float().cpu().contiguous().numpy()
        names = [hashlib.sha256(sound_T).digest() for sound_T in sounds]
        if new := {name: row for row, name in enumerate(names) if name not in self._latents}:
            heard_MD = super().encode(waveform_BT[list(new.values())]).cpu()
            for name, z_D in zip(new, heard_MD, strict=True):
                self._latents[name] = self._kept(z_D)
        z_BD = torch.stack([self._latents[name] for name in names])
        for name in list(self._latents)[: -max(NUMBERS_KEPT // z_BD.shape[1], 1)]:
            del self._latents[name]
        return z_BD.to(self.device)

    def _kept(self, z_D: Tensor) -> Tensor:
        """A copy of a latent where latents are kept; a room is given back with the last one in it."""
        if not len(self._free_MD):
            rows = -(-_NUMBERS_AT_ONCE // len(z_D))
            self._free_MD = self._scratch.zeros(rows, len(z_D))
        kept_D, self._free_MD = self._free_MD[0], self._free_MD[1:]
        return kept_D.copy_(z_D)


def _check_sounds(waveform_BT: Tensor) -> None:
    shape = tuple(waveform_BT.shape)
    if len(shape) != 2 or shape[1] != CLIP_SAMPLES or not waveform_BT.is_floating_point():
        raise InputError(
            f"encode takes floats (B, {CLIP_SAMPLES}), not {waveform_BT.dtype} {shape}; read sounds by "
            "sound2scene.audio.load, or call the SoundToScene itself"
        )
