"""Sound to picture: an audio encoder and a generator that belong together, applied to any sound files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from sound2scene import artifacts, audio, images
from sound2scene.callbacks.panels import show_pixels, show_waveform
from sound2scene.latent import noise
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES, InputError, Rejected

SOUNDS_AT_ONCE = 8
GRID_ROWS = 40


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
                f"{audio_encoder}: its card does not say to which image encoder it belongs; import it again with "
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

        Draw j of every latent has the same noise, so that a picture depends on its own sound, `seed` and j alone.

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


class Drawn(NamedTuple):
    """One sound and its pictures.

    Attributes:
        path: Its file.
        waveform_T: As the encoder heard it.
        pixels_JCHW: uint8.
    """

    path: Path
    waveform_T: Tensor
    pixels_JCHW: Tensor


def draw_files(
    scene: SoundToScene, files: Sequence[str | os.PathLike[str]], **settings: Any
) -> Iterator[Drawn | Rejected]:  # fmt: skip
    """Read and draw files in batches, in their order; one that cannot be read comes back with the reason.

    Args:
        scene: The networks.
        files: Any sound files.
        settings: Of `SoundToScene.draw`.
    """
    with tqdm(total=len(files), desc="sounds", unit="file", disable=len(files) <= SOUNDS_AT_ONCE) as progress:
        for start in range(0, len(files), SOUNDS_AT_ONCE):
            part = [Path(file) for file in files[start : start + SOUNDS_AT_ONCE]]
            read = [_read(path) for path in part]
            heard = [waveform_T for waveform_T in read if isinstance(waveform_T, Tensor)]
            pictures = iter([*scene.draw(scene.encode(torch.stack(heard)), **settings)] if heard else list[Tensor]())
            for path, found in zip(part, read, strict=True):
                yield found if isinstance(found, Rejected) else Drawn(path, found, next(pictures))
            progress.update(len(part))


def _read(path: Path) -> Tensor | Rejected:
    try:
        return torch.from_numpy(audio.load(path))
    except InputError as error:
        return Rejected(str(path), str(error))


def write_pictures(drawn: Iterator[Drawn | Rejected], folder: str | os.PathLike[str]) -> tuple[int, list[Rejected]]:
    """Write a PNG per sound, its pictures side by side, and `grid.png` of the first 40 sounds.

    Args:
        drawn: What `draw_files` gives.
        folder: Where to; files of the same names are replaced, sounds of one name are numbered.

    Returns:
        How many sounds were written, and the files that could not be read.

    Raises:
        InputError: If the folder cannot be written.
    """
    folder = Path(folder)
    shown: list[Drawn] = []
    rejected: list[Rejected] = []
    taken = {"grid"}
    try:
        for one in drawn:
            if isinstance(one, Rejected):
                rejected.append(one)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            number, name = 2, one.path.stem
            while name in taken:
                name, number = f"{one.path.stem}-{number}", number + 1
            taken.add(name)
            strip_HWC = torch.cat(list(one.pixels_JCHW), dim=2).permute(1, 2, 0).numpy()
            _save(folder / f"{name}.png", Image.fromarray(strip_HWC).save)
            if len(shown) < GRID_ROWS:
                shown.append(one)
        if shown:
            _save(folder / "grid.png", partial(_grid(shown).savefig, dpi=80))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error}); choose another folder") from None
    return len(taken) - 1, rejected


def _save(path: Path, write: Callable[..., None]) -> None:
    temporary = path.with_suffix(".partial")
    try:
        write(temporary, format="png")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _grid(shown: list[Drawn]) -> Figure:
    draws = len(shown[0].pixels_JCHW)
    figure = Figure(figsize=(1.6 * (draws + 1), 1.75 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), draws + 1, squeeze=False)
    for row, one in zip(grid, shown, strict=True):
        show_waveform(row[0], one.waveform_T)
        row[0].set_ylabel(one.path.stem[:24], fontsize=9)
        for axes, pixels_CHW in zip(row[1:], one.pixels_JCHW, strict=True):
            show_pixels(axes, pixels_CHW)
    return figure
