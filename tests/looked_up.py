"""Features and splits of the tiny dataset, for methods that look clips up."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sound2scene import artifacts, images
from sound2scene.data.batches.frozen_encoder import FrozenFeatures
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.types import CLIP_SAMPLES, Clip
from tiny import NET, Z_DIM, tiny_features


def split_features(encoder: Path, cache: Path) -> FrozenFeatures:
    """True latents of any split, on the CPU."""
    return FrozenFeatures(tiny_features(encoder, cache), 0, torch.device("cpu"))


def tiny_hearing(folder: Path, encoder: Path) -> Path:
    """An audio-encoder artifact with random weights, for the latent space of an image encoder."""
    torch.manual_seed(0)
    notes = {"image_encoder": artifacts.read_card(encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    return artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder, card=card)


def sounds_of(split: ShardDataset, keys: list[str]) -> Tensor:
    """Sounds of clips."""
    position = {split.key(number): number for number in range(len(split))}
    return torch.from_numpy(np.stack([split.waveform(position[key]) for key in keys]))


def silence(count: int) -> Tensor:
    """Sounds, for methods that do not listen."""
    return torch.zeros(count, CLIP_SAMPLES)


def labelled(folder: Path, classes: tuple[str, ...], labels: dict[str, list[str | None]]) -> Path:
    """Shards of clips of these labels, each of one grey: 10 times its number, plus 100 in `train`."""
    splits = {
        split: [
            {"key": f"{split}-{number}", "label": label, "grey": 10 * number + 100 * (split == "train")}
            for number, label in enumerate(of)
        ]
        for split, of in labels.items()
    }
    return write_dataset(folder, splits, _grey_clip, Plan("grey", classes, workers=1))


def _grey_clip(job: dict[str, object]) -> Clip:
    pixels_HWC = np.full((16, 16, 3), job["grey"], np.uint8)
    tone_T = np.full(CLIP_SAMPLES, int(str(job["grey"])) / 1000, np.float32)
    label = None if job["label"] is None else str(job["label"])
    return Clip(str(job["key"]), images.encode_jpeg(pixels_HWC, 100), tone_T, None, label)
