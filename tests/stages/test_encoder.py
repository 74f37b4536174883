from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from sound2scene import artifacts
from sound2scene.data.augment import PictureViews
from sound2scene.data.module import ClipDataModule
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.stages.encoder import EncoderStage
from sound2scene.types import DivergedError
from tiny import NET, Z_DIM, tiny_dataset


class Adam:
    """A rate at which a network of 8 channels learns in seconds."""

    def __call__(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=1e-2)


def stage(encoder: nn.Module | None = None) -> EncoderStage:
    torch.manual_seed(0)
    encoder = encoder or ImageEncoder("resnet18", NET)
    return EncoderStage(encoder, "small64", hidden=16, projection=8, optimizer=Adam())


def data(shards: Path, batch_size: int = 6) -> ClipDataModule:
    views = PictureViews(side=32, smallest_crop=0.5, colour=0.0, hue=0.0, grey=0.0)
    return ClipDataModule(
        str(shards), batch_size, workers=0, read=["image"], image_preset="small64", picture_views=views
    )


def trainer(folder: Path, **settings: Any) -> pl.Trainer:
    defaults: dict[str, Any] = {"max_epochs": 1, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    defaults |= {"enable_progress_bar": False, "enable_model_summary": False, "use_distributed_sampler": False}
    return pl.Trainer(default_root_dir=folder, **(defaults | settings))


def measured(shards: Path, folder: Path, encoder: EncoderStage) -> dict[str, float]:
    (figures,) = trainer(folder).validate(encoder, data(shards), verbose=False)
    return dict(figures)


def test_training_finds_the_classes_that_an_untrained_encoder_does_not(tmp_path: Path) -> None:
    # Eight held-out pictures of each of three classes, so that five neighbours can be of one class; chance is 1/3.
    shards = tiny_dataset(tmp_path / "shards", train=24, val=24)
    encoder = stage()
    assert measured(shards, tmp_path, encoder)["val/neighbour_accuracy"] < 1.5 / 3
    run = trainer(tmp_path, max_epochs=20, limit_val_batches=0)
    run.fit(encoder, data(shards, batch_size=24))
    assert run.callback_metrics["train/loss"] < 0.9 * run.callback_metrics["train/chance"]
    assert measured(shards, tmp_path, encoder)["val/neighbour_accuracy"] > 2 / 3


def test_encoder_and_head_move_and_nothing_else_is_there_to_move(tiny_shards: Path, tmp_path: Path) -> None:
    encoder = stage()
    start = {name: value.detach().clone() for name, value in encoder.named_parameters()}
    trainer(tmp_path, limit_val_batches=0).fit(encoder, data(tiny_shards))
    assert {name.partition(".")[0] for name in start} == {"image_encoder", "head"}
    assert all(not torch.equal(start[name], value) for name, value in encoder.named_parameters())


@pytest.mark.parametrize("part", ["image_encoder", "head"])
def test_a_nan_stops_the_run_with_step_and_clips(tiny_shards: Path, tmp_path: Path, part: str) -> None:
    encoder = stage()
    with torch.no_grad():
        next(encoder.get_submodule(part).parameters()).fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"^step 0: contrast is nan for clips (train-0\d\d, ){5}train-0\d\d$"):
        trainer(tmp_path, limit_val_batches=0).fit(encoder, data(tiny_shards))


def test_the_export_is_the_encoder_without_its_head(tmp_path: Path) -> None:
    encoder = stage().eval()
    network, kind, preset, notes = encoder.exports()
    assert (kind, preset, notes) == ("image-encoder", "small64", {})
    folder = artifacts.save(network, tmp_path / "artifact", card={"kind": kind, "preset": preset})
    image_BCHW = torch.randn(2, 3, 64, 64)
    loaded = artifacts.load(folder, "image-encoder")
    assert torch.equal(loaded(image_BCHW), encoder.image_encoder(image_BCHW))
    assert loaded(image_BCHW).shape == (2, Z_DIM)


class Fixed(nn.Module):
    """An encoder with one feature vector per class, told by the brightest channel of the picture's middle."""

    z_dim = 3

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        return self.rows[image_BCHW[:, :, 32, 32].argmax(1)]


@pytest.mark.parametrize(
    ("rows", "rank"),
    [(torch.ones(3, 3), 1.0), (torch.eye(3), 3.0), (torch.diag(torch.tensor([9.0, 1.0, 4.0])), 3.0)],
    ids=["collapsed", "orthogonal", "length does not count"],
)
def test_effective_rank_counts_the_directions_that_are_used(
    tiny_shards: Path, tmp_path: Path, rows: Tensor, rank: float
) -> None:
    assert measured(tiny_shards, tmp_path, stage(Fixed(rows)))["val/effective_rank"] == pytest.approx(rank, abs=1e-3)
