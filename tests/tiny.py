"""A dataset, an image encoder and an alignment so small that a test can train them in seconds."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sound2scene import artifacts, images
from sound2scene.data.batches.frozen_encoder import Features
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.models.localizer import Localizer
from sound2scene.stages.align import AlignStage
from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip

CLASSES = ("low", "middle", "high")
NET = {"channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 4}
Z_DIM = 8


def make_clip(job: dict[str, Any]) -> Clip:
    """A tone of the class's pitch, and a patch of the class's colour; both with seeded noise."""
    label = job["number"] % len(CLASSES)
    rng = np.random.default_rng([job["seed"], job["number"]])
    second_T = np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ
    tone_T = 0.3 * np.sin(2 * np.pi * 200 * 4**label * second_T * rng.uniform(0.97, 1.03))
    waveform_T = (tone_T + 0.01 * rng.standard_normal(CLIP_SAMPLES)).astype(np.float32)
    pixels_HWC = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
    pixels_HWC[8:24, 8:24, label] += 180
    return Clip(
        job["key"], images.encode_jpeg(pixels_HWC), waveform_T, 5.0, CLASSES[label], {"number": job["number"]}
    )


def tiny_dataset(folder: Path, train: int = 18, val: int = 9) -> Path:
    """Shards of `train`, `val` and as many `test` clips."""
    splits = {
        split: [{"key": f"{split}-{number:03d}", "number": number, "seed": seed} for number in range(count)]
        for seed, (split, count) in enumerate({"train": train, "val": val, "test": val}.items())
    }
    return write_dataset(folder, splits, make_clip, Plan("tiny", CLASSES, clips_per_shard=8, workers=1))


def counted(shards: Path, folder: Path, coverage: dict[str, dict[str, int]]) -> Path:
    """A copy of a dataset whose source was counted."""
    shutil.copytree(shards, folder)
    card = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(card | {"notes": {"coverage": coverage}}))
    return folder


def tiny_encoder(folder: Path, seed: int = 0) -> Path:
    """An image-encoder artifact with random weights and 8 features."""
    torch.manual_seed(seed)
    card = {"kind": "image-encoder", "preset": "small64"}
    return artifacts.save(ImageEncoder("resnet18", NET), folder, card=card)


def tiny_localizer(**settings: Any) -> Localizer:
    """A localizer of 32 px frames and half-second windows, with seeded weights."""
    torch.manual_seed(0)
    image = {"side_px": 32, "backbone": "resnet18", "backbone_options": NET | {"output_stride": 8}}
    audio = {"window_s": 0.5, "backbone": "resnet18", "backbone_options": NET}
    return Localizer(**{"dim": 16, "image": image, "audio": audio} | settings)


def tiny_stage(**settings: Any) -> AlignStage:
    """An alignment on log-mel spectrograms, with seeded weights."""
    torch.manual_seed(0)
    settings = {"spectrogram": "log_mel"} | settings
    return AlignStage(AudioEncoder(Z_DIM, "resnet18", NET), **settings)


def tiny_features(encoder: Path, cache: Path) -> Features:
    """Features of an image encoder, for a DataModule."""
    return Features(str(encoder), str(cache))


def tiny_recipe(path: Path, shards: Path, encoder: Path, **run: Any) -> Path:
    """The same as a recipe file, to lie on top of `experiments/trainer.yaml`."""
    lines = [
        f"run: {{name: align/tiny, folder: {path.parent / 'runs'}, "
        "best: {monitor: val/class/audio_to_image/recall_at_1}, "
        + "".join(f"{key}: {value}, " for key, value in run.items())
        + "}",
        "trainer: {max_epochs: 3, accelerator: cpu, devices: 1, enable_progress_bar: false,",
        "  log_every_n_steps: 1}",
        "model:",
        "  class_path: sound2scene.stages.align.AlignStage",
        "  init_args:",
        "    spectrogram: log_mel",
        "    schedule:",
        "      class_path: sound2scene.optimization.WarmupCosine",
        "      init_args: {warmup_steps: 0, start_share: null, final_share: 0.0}",
        "    audio_encoder:",
        "      class_path: sound2scene.models.audio_encoder.AudioEncoder",
        f"      init_args: {{z_dim: {Z_DIM}, backbone: resnet18, backbone_options: {NET}}}",
        "data:",
        "  class_path: sound2scene.data.clips.ClipDataModule",
        "  init_args:",
        f"    shards: {shards}",
        "    batch_size: 4",
        "    workers: 0",
        f"    features: {{image_encoder: {encoder}, cache: {path.parent / 'features'}}}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
