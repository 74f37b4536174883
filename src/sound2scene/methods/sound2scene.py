"""Sound in, pictures out: an audio encoder and a generator that belong together (paper section 2)."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import TypeAlias, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from sound2scene import artifacts, audio, images, ranges
from sound2scene.defaults import AUDIO_ENCODER, GENERATOR
from sound2scene.latent import draw_pictures, noise_rows, seed_of_clip
from sound2scene.methods.hearing import FrozenAudioEncoder
from sound2scene.methods.parts import ROWS_AT_ONCE, by_parts, check_asked
from sound2scene.protocols import whole_number
from sound2scene.samples import Samples, to_waveform
from sound2scene.types import InputError

SOUNDS_AT_ONCE = ROWS_AT_ONCE

Sound: TypeAlias = str | os.PathLike[str] | bytes | Samples
Pictures: TypeAlias = list[Image.Image]


class FrozenGenerator:
    """Pictures from latents by the generator of an artifact; see `protocols.Drawing`.

    The network is loaded when it is first needed, on the device of the latents; a recipe that names it costs
    nothing.

    Args:
        generator: Folder of a generator artifact.

    Attributes:
        folder: The artifact.
        fingerprint: Fingerprint of the generator.
        image_encoder: Fingerprint of the image encoder whose features it draws.

    Raises:
        InputError: If the artifact is missing, or its card does not say to which image encoder it belongs.
    """

    def __init__(self, generator: str) -> None:
        card = artifacts.read_card(generator)
        self.folder, self.fingerprint = generator, card.fingerprint
        self.image_encoder = artifacts.encoder_of(card, generator)

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
        return torch.cat(list(self._parts(z_BD, noise_rows(self.network, seeds, [draw] * len(seeds)))))

    @torch.no_grad()
    def draw_many(self, z_D: Tensor, draws: int, seed: int, truncation: float = 1.0) -> Tensor:
        """Pictures of one latent, (J, 3, H, W) in [-1, 1]; number j is what `draw` gives for draw j.

        Args:
            z_D: Latent.
            draws: Number J of pictures.
            seed: Seed of the noise.
            truncation: Truncation of the noise, 0 to 1; 1 is none.
        """
        return self.draw_from(z_D, noise_rows(self.network, [seed] * draws, range(draws), truncation))

    @torch.no_grad()
    def draw_from(self, z_D: Tensor, noise_JZ: Tensor) -> Tensor:
        """Pictures of one latent from given noise, (J, 3, H, W) in [-1, 1].

        Args:
            z_D: Latent.
            noise_JZ: Noise of each picture, on any device.
        """
        return torch.cat(list(self._parts(z_D.expand(len(noise_JZ), -1), noise_JZ)))

    @torch.no_grad()
    def pixels(self, z_BD: Tensor, seeds: Sequence[int], draws: int, truncation: float = 1.0) -> Tensor:
        """Pictures of latents, uint8 (B, J, 3, H, W) on the CPU; number j of each is that of `draw_many`.

        Args:
            z_BD: Latents of any length.
            seeds: Seed for each latent.
            draws: Number J of pictures of each.
            truncation: Truncation of the noise.
        """
        rows = {
            seed: noise_rows(self.network, [seed] * draws, range(draws), truncation) for seed in set(seeds)
        }
        side = self.resolution
        if not len(z_BD):
            return torch.empty(0, draws, 3, side, side, dtype=torch.uint8)
        noise_NZ = torch.cat([rows[seed] for seed in seeds])
        parts = self._parts(z_BD.repeat_interleave(draws, dim=0), noise_NZ)
        whole_NCHW = torch.cat([images.to_pixel(part_NCHW).cpu() for part_NCHW in parts])
        return whole_NCHW.view(len(z_BD), draws, 3, side, side)

    def _parts(self, z_ND: Tensor, noise_NZ: Tensor) -> Iterator[Tensor]:
        """Pictures of rows, one each, part by part."""
        network = self.network.to(z_ND.device)
        return by_parts(partial(draw_pictures, network), z_ND.device, z_ND, noise_NZ)


class SoundToScene:
    """Draws pictures of sounds.

    Args:
        audio_encoder: Folder of an audio-encoder artifact; by default the toy one in git. Or an audio encoder
            that is there already, on its own device.
        generator: Folder of a generator artifact for features of the same image encoder; by default the toy
            one in git. Or a generator that is there already.
        device: Device of torch; by default a GPU where there is one; see `sound2scene.devices`.

    Attributes:
        hearing: The audio encoder.
        drawing: The generator.
        resolution: Height and width of the pictures.
        deterministic: Draws of one sound differ.
        familiar: Tells which sounds lie far from those that the audio encoder was validated on; None where
            its card keeps nothing that could.
        fingerprints: Fingerprints of the `audio_encoder` and of the `generator`.

    Raises:
        InputError: If an artifact or the device is missing, or the two belong to different image encoders.
    """

    deterministic = False

    def __init__(
        self,
        audio_encoder: str | os.PathLike[str] | FrozenAudioEncoder = AUDIO_ENCODER,
        generator: str | os.PathLike[str] | FrozenGenerator = GENERATOR,
        device: str | None = None,
    ) -> None:
        if not isinstance(audio_encoder, FrozenAudioEncoder):
            audio_encoder = FrozenAudioEncoder(os.fspath(audio_encoder), device)
        self.hearing = audio_encoder
        if not isinstance(generator, FrozenGenerator):
            generator = FrozenGenerator(os.fspath(generator))
        self.drawing = generator
        self.device, self.familiar = self.hearing.device, self.hearing.familiar
        self.resolution = self.drawing.resolution
        artifacts.check_same_encoder(
            self.drawing.image_encoder, self.hearing.image_encoder, self.drawing.folder
        )
        heard, wanted = (
            whole_number(self.hearing.network, "z_dim"),
            whole_number(self.drawing.network, "z_image_dim"),
        )
        if heard != wanted:
            raise InputError(
                f"{self.drawing.folder}: draws from latents of width {wanted}, and {self.hearing.folder} "
                f"gives {heard}; take the pair that was trained together"
            )
        self.fingerprints = {
            "audio_encoder": self.hearing.fingerprint,
            "generator": self.drawing.fingerprint,
        }

    @overload
    def __call__(
        self,
        sound: list[Sound] | tuple[Sound, ...],
        draws: int = ...,
        seed: int = ...,
        truncation: float = ...,
        sample_rate_hz: float | None = ...,
    ) -> list[Pictures]: ...

    @overload
    def __call__(
        self,
        sound: Sound,
        draws: int = ...,
        seed: int = ...,
        truncation: float = ...,
        sample_rate_hz: float | None = ...,
    ) -> Pictures: ...

    def __call__(
        self,
        sound: Sound | list[Sound] | tuple[Sound, ...],
        draws: int = 8,
        seed: int = 0,
        truncation: float = 1.0,
        sample_rate_hz: float | None = None,
    ) -> Pictures | list[Pictures]:
        """Pictures of a sound; of a list of sounds a list of their pictures.

        Args:
            sound: Path or bytes of any sound file, or an array or tensor of samples, of any length, with one
                axis or with channels (see `sound2scene.samples.to_waveform`); or a list of these.
            draws: Pictures of each sound.
            seed: Seed of the noise.
            truncation: How much of the noise is kept, 0 to 1; 1 truncates nothing.
            sample_rate_hz: Sample rate of what comes as samples; a file states its own.

        Raises:
            InputError: If a sound cannot be read, samples come without their rate, or a setting is out of
                its range.
        """
        draws, seed = _settings(draws, seed, truncation)
        if isinstance(sound, (list, tuple)):
            named = [(f"sound {number}", one) for number, one in enumerate(sound)]
        else:
            named = [("sound", sound)]
        if sample_rate_hz is not None and not any(isinstance(one, (np.ndarray, Tensor)) for _, one in named):
            raise InputError(f"sample_rate_hz={sample_rate_hz}: files state their own rate; leave it out")
        heard = [torch.from_numpy(_waveform(one, name, sample_rate_hz)) for name, one in named]
        z_BD = self.encode(torch.stack(heard)) if heard else None
        drawn = () if z_BD is None else self.draw(z_BD, draws, seed, truncation)
        pictures = [[Image.fromarray(one.permute(1, 2, 0).numpy()) for one in row] for row in drawn]
        return pictures if isinstance(sound, (list, tuple)) else pictures[0]

    def encode(self, waveform_BT: Tensor) -> Tensor:
        """z_audio as rows of unit length, (B, D), of 16 kHz mono sounds of 10 s in [-1, 1], (B, 160000).

        Raises:
            InputError: If the sounds have another shape.
        """
        return self.hearing.encode(waveform_BT)

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """Pictures of sounds, uint8 (B, J, 3, H, W) on the CPU; the rest is as `protocols.Method` says.

        They are what `draw` gives with the seed that `sound2scene.latent.seed_of_clip` makes of seed and key,
        so that the noise, too, varies over a split.
        """
        check_asked(waveform_BT, keys, draws, seed)
        seeds = [seed_of_clip(seed, key) for key in keys]
        return self.drawing.pixels(self.encode(waveform_BT), seeds, draws)

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

        Raises:
            InputError: If a setting is out of its range, or the latents have another width.
        """
        draws, seed = _settings(draws, seed, truncation)
        width = whole_number(self.drawing.network, "z_image_dim")
        if z_BD.ndim != 2 or z_BD.shape[1] != width:
            raise InputError(f"draw takes latents (B, {width}), not {tuple(z_BD.shape)}; see `encode`")
        return self.drawing.pixels(z_BD, [seed] * len(z_BD), draws, truncation)


def _settings(draws: int, seed: int, truncation: float) -> tuple[int, int]:
    """Draws and seed as Python's own numbers; NumPy's will do, too."""
    whole = {}
    for name, value in (("draws", draws), ("seed", seed)):
        try:
            whole[name] = operator.index(value)
        except TypeError:
            raise InputError(f"draw.{name} is {str(value)[:40]}; set it to a whole number") from None
    ranges.check("draw", ranges.PLENTY, draws=whole["draws"])
    ranges.check("draw", ranges.SEED, seed=whole["seed"])
    ranges.check("draw", ranges.PART, truncation=truncation)
    return whole["draws"], whole["seed"]


def _waveform(sound: object, name: str, sample_rate_hz: float | None) -> NDArray[np.float32]:
    if isinstance(sound, (np.ndarray, Tensor)):
        return to_waveform(sound, sample_rate_hz, name)
    if isinstance(sound, (str, os.PathLike, bytes)):
        return audio.load(sound)
    raise InputError(
        f"{name}: a {type(sound).__name__} is no sound; give a path, an array or a tensor, or a list of these"
    )
