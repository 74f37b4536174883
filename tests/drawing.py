"""A GAN and what it needs, so small that a test can train, measure and draw with them in seconds."""

from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from sound2scene import artifacts
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadInstances
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.models.judge import Judge
from sound2scene.stages.gan import GanStage
from sound2scene.stages.gan_phases import Phases
from tiny import CLASSES, NET, Z_DIM, tiny_features

GENERATOR: dict[str, Any] = {"resolution": 32, "channels": 4, "attention": [], "z_dim": 8, "feature_dim": 8}
GENERATOR |= {"z_image_dim": Z_DIM}
DISCRIMINATOR: dict[str, Any] = {"resolution": 32, "channels": 4, "attention": [], "z_image_dim": Z_DIM}


def tiny_gan(phases: dict[str, Any] | None = None, **settings: Any) -> GanStage:
    """A GAN stage with seeded weights."""
    torch.manual_seed(0)
    fast = partial(torch.optim.Adam, lr=2e-3, betas=(0.0, 0.99))
    settings = {"generator_optimizer": fast, "discriminator_optimizer": fast} | settings
    whole = Phases(**({"ema_decay": 0.5} | (phases or {})))
    return GanStage(Generator(**GENERATOR), Discriminator(**DISCRIMINATOR), phases=whole, **settings)


def tiny_generator(folder: Path, encoder: Path | None, seed: int = 0) -> Path:
    """A generator artifact with random weights, for features of that encoder."""
    torch.manual_seed(seed)
    notes = {"image_encoder": artifacts.read_card(encoder).fingerprint} if encoder else {}
    card = {"kind": "generator", "preset": "small64", "notes": notes}
    return artifacts.save(Generator(**GENERATOR), folder, card=card)


def tiny_judge(folder: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """A judge artifact with random weights."""
    torch.manual_seed(0)
    card = {"kind": "judge", "preset": "pixels32", "notes": {"classes": list(classes)}}
    return artifacts.save(Judge(len(classes), 32, "resnet18", NET), folder, card=card)


def pair_data(shards: Path, encoder: Path, cache: Path, **settings: Any) -> ClipDataModule:
    """Sounds with features, in batches of six."""
    settings = {"batch_size": 6, "workers": 0} | settings
    return ClipDataModule(str(shards), features=tiny_features(encoder, cache), **settings)


def instance_data(
    shards: Path, encoder: Path, cache: Path, *, own: bool = False, **settings: Any
) -> ClipDataModule:
    """Instances of 32 px, each with three neighbours, in batches of six."""
    return pair_data(shards, encoder, cache, read=ReadInstances(32, neighbours=3, own=own), **settings)


def tiny_trainer(folder: Path, **settings: Any) -> pl.Trainer:
    """One epoch on the CPU, without files of Lightning's own."""
    defaults: dict[str, Any] = {"max_epochs": 1, "accelerator": "cpu", "devices": 1, "logger": False}
    defaults |= {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return pl.Trainer(default_root_dir=folder, **(defaults | {"use_distributed_sampler": False} | settings))
