"""Rows of `published.py` about data: reading, spectrograms, and sounds to files of pictures."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from alignment_epoch import write_files
from published_networks import Bench, Line, our_audio_encoder, our_generator
from spectrogram import scipy_clip
from torch.utils.data import DataLoader

from sound2scene import artifacts
from sound2scene.commands.generate import draw_files
from sound2scene.commands.picture_files import PictureFiles
from sound2scene.commands.picture_order import USUAL, Asked
from sound2scene.data.batches.frozen_encoder import Features
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.prepare import prepare_folder
from sound2scene.data.reading import Reading, ReadSoundPictures
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES

SMALL = {"channels": [16, 32, 64, 64], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 8}


def reading(bench: Bench) -> Iterator[Line]:
    """Clips one by one from the readers, then batches from the loaders with two workers.

    Their reader makes a spectrogram and two pictures of each clip; ours hands over the sound and the cached
    feature, and in a line of its own the sound and one picture.
    """
    clips, batch = (8, 4) if bench.small else (64, 16)
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "files"
        write_files(files, clips)
        prepare_folder(Path(scratch) / "shards", files, val_share=0.0)
        small = ImageEncoder("resnet18", SMALL)  # its features are cached before anything is timed
        artifact = artifacts.save(
            small, Path(scratch) / "encoder", card={"kind": "image-encoder", "preset": "squeeze"}
        )
        features = Features(str(artifact), f"{scratch}/features")
        theirs = bench.published.clips(files)
        kinds: dict[str, Reading | None] = {"": None, ", with the picture": ReadSoundPictures("pixels128")}
        for name, read in kinds.items():
            data = ClipDataModule(f"{scratch}/shards", batch, 2, read=read, features=features)
            data.setup("fit")
            yield from _readers(bench, name, data, theirs, clips)


def _readers(bench: Bench, name: str, data: ClipDataModule, theirs: Any, clips: int) -> Iterator[Line]:
    loader = data.train_dataloader()
    dataset: Any = loader.dataset
    split = dataset.split
    flacs = [io.BytesIO(split.member(position, "flac")) for position in range(clips)]

    def decode() -> None:
        for flac in flacs:
            flac.seek(0)
            soundfile.read(flac, dtype="float32")

    def ours() -> None:
        for position in range(clips):
            dataset[Draw(0, position)]

    times = bench.compare(ours, lambda: [theirs[position] for position in range(clips)])
    limit = f"decoding FLAC alone: {bench.share(ours, decode)} of ours"
    yield Line(f"reading, one by one{name}", times, clips, limit)
    published = DataLoader(theirs, loader.batch_size, shuffle=True, num_workers=2)
    times = bench.compare(_epoch(loader), _epoch(published))
    yield Line(f"reading, loader of 2 workers{name}", times, clips, "the same, on as many cores as there are")


def _epoch(loader: Any) -> Callable[[], object]:
    return lambda: sum(1 for _ in loader)


def spectrograms(bench: Bench) -> Iterator[Line]:
    """Batches of sounds that wait in memory; scipy goes clip by clip and stacks, as their loader does."""
    clips = 8 if bench.small else 64
    chain = spectrogram("paper").to(bench.device)
    waveform_BT = (0.1 * torch.randn(clips, CLIP_SAMPLES)).clamp(-1, 1)
    given_BT, single_BT, double_BT = (
        waveform_BT.to(bench.device),
        waveform_BT.numpy(),
        waveform_BT.double().numpy(),
    )

    @torch.inference_mode()
    def ours() -> torch.Tensor:
        return chain(given_BT)  # type: ignore[no-any-return]

    gap = abs(ours()[0].cpu().double().numpy() - scipy_clip(double_BT[0])).max()
    assert gap < 1e-4, f"spectrograms differ by {gap}"
    limit = bench.share(ours, lambda: np.stack([scipy_clip(one_T) for one_T in single_BT]))
    times = bench.compare(ours, lambda: np.stack([scipy_clip(one_T) for one_T in double_BT]))
    yield Line(f"spectrogram of {clips} clips", times, clips, f"scipy in float32: {limit} of ours")


def generate(bench: Bench) -> Iterator[Line]:
    """Sounds to PNG files of eight pictures with networks loaded, as `generate` and `test.py` write them."""
    sounds, size = (2, (32, 4, 64)) if bench.small else (bench.sounds, (128, 96, 64))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_files(folder / "files", sounds)
        audio, drawing = bench.published.audio_network(), bench.published.generator(*size)
        networks = {"audio-encoder": our_audio_encoder(audio), "generator": our_generator(drawing, *size)}
        for kind, network in networks.items():
            card = {"kind": kind, "preset": "paper", "notes": {"image_encoder": "0" * 64}}
            artifacts.save(network, folder / kind, card=card)
        scene = SoundToScene(folder / "audio-encoder", folder / "generator", str(bench.device))
        asked = [Asked(path, path.stem) for path in sorted((folder / "files/audios").iterdir())]

        def ours() -> None:
            shutil.rmtree(folder / "ours", ignore_errors=True)
            writer = PictureFiles(folder / "ours", USUAL["layout"])
            assert not writer.write(draw_files(scene, asked, USUAL))

        waveform_BT = torch.rand(sounds, CLIP_SAMPLES) - 0.5
        theirs = bench.published.generate(folder / "files/audios", folder / "theirs", audio, drawing)
        times = bench.compare(ours, theirs, long=True)
        alone = bench.share(ours, lambda: scene.draw(scene.encode(waveform_BT), USUAL["draws"]), long=True)
        yield Line(
            f"generate, {sounds} sounds x {USUAL['draws']}",
            times,
            sounds,
            f"encoding and drawing alone: {alone} of ours, the rest reading, PNG and a page of all sounds",
        )
