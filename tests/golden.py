"""Golden losses: the first steps of each stage on a tiny generated dataset, to the last digits that machines share.

`make golden` rewrites `tests/golden.json`; a change that moves a number says so in CHANGELOG.md under
"Numbers".
"""

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from sound2scene.data.augment import MultiCrop
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadCrops
from sound2scene.losses.infonce import CosineInfoNCE
from sound2scene.models.heads import PrototypeHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.stages.encoder import EncoderStage
from tiny import NET, tiny_dataset, tiny_encoder, tiny_features, tiny_stage

FILE = Path(__file__).with_suffix(".json")
STEPS = 6


class Losses(pl.Callback):
    """Keeps the loss of every step."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: object) -> None:
        self.found.append(float(trainer.callback_metrics["train/loss"]))


def losses_of(stage: pl.LightningModule, data: ClipDataModule) -> list[float]:
    """The losses of the first steps."""
    losses = Losses()
    trainer = pl.Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        callbacks=[losses],
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )
    trainer.fit(stage, data)
    return losses.found


def encoder_stage() -> EncoderStage:
    """A tiny image encoder with seeded weights."""
    torch.manual_seed(0)
    head = partial(PrototypeHead, hidden_dim=16, out_dim=8, prototypes=6)
    rates = partial(torch.optim.Adam, lr=1e-3)
    return EncoderStage(ImageEncoder("resnet18", NET), "small64", head, frozen_steps=2, optimizer=rates)


def measure() -> dict[str, list[float]]:
    """Losses by name."""
    with tempfile.TemporaryDirectory() as scratch:
        shards = str(tiny_dataset(Path(scratch) / "shards"))
        encoder, cache = tiny_encoder(Path(scratch) / "encoder"), Path(scratch) / "features"
        loading: dict[str, Any] = {"batch_size": 6, "workers": 0, "seed": 0}
        pairs = loading | {"features": tiny_features(encoder, cache)}
        crops = ReadCrops("small64", MultiCrop([32, 16], [2, 2], [(0.3, 1.0), (0.1, 0.3)]))
        learnable = tiny_stage(loss=CosineInfoNCE(0.1, learnable=True))
        return {
            "align, L2InfoNCE, paper": losses_of(
                tiny_stage(spectrogram="paper"), ClipDataModule(shards, **pairs)
            ),
            "align, CosineInfoNCE learnable, log_mel": losses_of(learnable, ClipDataModule(shards, **pairs)),
            "encoder": losses_of(encoder_stage(), ClipDataModule(shards, **loading, read=crops)),
        }


if __name__ == "__main__":
    torch.set_num_threads(1)
    FILE.write_text(json.dumps(measure(), indent=1) + "\n")
    print(f"{FILE}: rewritten; say so in CHANGELOG.md under Numbers")
