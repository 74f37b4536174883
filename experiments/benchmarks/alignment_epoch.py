"""Time an alignment epoch with cached z_image and batched spectrograms against the published loop.

The published loop (Sound2Scene `train.py`, `a2s_dataloader.py`) reads WAV and JPEG files, computes a scipy
spectrogram per clip, and runs the image encoder in every step without `no_grad`, so that gradients reach it
and are thrown away. Both loops use the same generated clips, networks (random weights), loader processes and
threads.

Run `python experiments/benchmarks/alignment_epoch.py`; it takes a few minutes on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image
from scipy.signal import spectrogram as scipy_spectrogram
from timing import compare, print_table
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from sound2scene import artifacts, images
from sound2scene.data.batches.frozen_encoder import Features
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.prepare import prepare_folder
from sound2scene.losses.infonce import L2InfoNCE
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.spectrogram import spectrogram

SMALL = {"channels": [16, 32, 64, 128], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 8}


class PublishedClips(Dataset[tuple[Tensor, Tensor]]):
    """Files as the published loader reads them: one WAV and one JPEG per clip, scipy in float64."""

    def __init__(self, folder: Path) -> None:
        self.names = sorted(path.stem for path in folder.glob("images/*.jpg"))
        self.folder = folder

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        name = self.names[number]
        samples_T, rate_hz = soundfile.read(self.folder / "audios" / f"{name}.wav")
        samples_T = np.clip(np.tile(samples_T, 10)[: 10 * rate_hz], -1, 1)
        log_FT = np.log(scipy_spectrogram(samples_T, rate_hz, nperseg=512, noverlap=353)[2] + 1e-7)
        log_FT = (log_FT - log_FT.mean()) / (log_FT.std() + 1e-9)
        image_CHW = images.preset("squeeze")(
            Image.open(self.folder / "images" / f"{name}.jpg").convert("RGB")
        )
        return torch.from_numpy(log_FT), image_CHW


def write_files(folder: Path, clips: int) -> None:
    """Noise of 10 s and a 224 px picture per clip, in the published layout."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "audios").mkdir()
    for number in range(clips):
        name = f"clip{number:05d}"
        soundfile.write(
            folder / "audios" / f"{name}.wav", 0.1 * rng.standard_normal(160_000), 16_000, subtype="PCM_16"
        )
        picture = Image.fromarray(rng.integers(0, 255, (14, 14, 3), dtype=np.uint8)).resize((224, 224))
        picture.save(folder / "images" / f"{name}.jpg", quality=90)


def published_epoch(folder: Path, batch_size: int, audio: nn.Module, image: nn.Module, workers: int) -> None:
    """One epoch of the published loop."""
    loss, optimizer = L2InfoNCE(), torch.optim.Adam(audio.parameters(), lr=1e-3, weight_decay=1e-5)
    for spectrogram_BFT, image_BCHW in DataLoader(
        PublishedClips(folder), batch_size, True, num_workers=workers
    ):
        value = loss(audio(spectrogram_BFT.float()), image(image_BCHW))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()


def our_epoch(data: ClipDataModule, audio: nn.Module) -> None:
    """One epoch of our loop, on the same clips."""
    paper = spectrogram("paper")
    audio = audio.to(memory_format=torch.channels_last)
    loss, optimizer = L2InfoNCE(), torch.optim.Adam(audio.parameters(), lr=1e-3, weight_decay=1e-5)
    for batch in data.train_dataloader():
        with torch.no_grad():
            spectrogram_BFT = paper(batch.waveform_BT)
        value = loss(audio(spectrogram_BFT), batch.z_image_BD)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()


def main() -> None:
    """Print one table: the published audio encoder and the toy recipe's, with the published image encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    # The smaller the audio encoder, which both loops have to train, the more the cache is worth.
    audio: dict[str, Callable[[], nn.Module]] = {
        "ResNet-18 audio (published)": lambda: AudioEncoder(2048),
        "small audio (toy recipe)": lambda: AudioEncoder(2048, "resnet18", SMALL),
    }
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "files"
        write_files(files, arguments.clips)
        prepare_folder(Path(scratch) / "shards", files, val_share=0.0)
        image = ImageEncoder().eval()
        card = {"kind": "image-encoder", "preset": "squeeze"}
        features = Features(
            str(artifacts.save(image, Path(scratch) / "encoder", card=card)), f"{scratch}/features"
        )
        data = ClipDataModule(f"{scratch}/shards", arguments.batch_size, arguments.workers, features=features)
        data.setup("fit")
        rows = {}
        for name, make in audio.items():
            ours, theirs = make(), make()
            rows[f"{name}, ResNet-50 image"] = compare(
                lambda: our_epoch(data, ours),  # noqa: B023 (called before the loop goes on)
                lambda: published_epoch(files, arguments.batch_size, theirs, image, arguments.workers),  # noqa: B023
                arguments.repeats,
            )
    print(
        f"epoch of {arguments.clips} clips, batch {arguments.batch_size}, {torch.get_num_threads()} threads"
    )
    print_table(rows, arguments.clips, "clip")


if __name__ == "__main__":
    main()
