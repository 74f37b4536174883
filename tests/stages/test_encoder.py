from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from drawing import tiny_trainer
from sound2scene import artifacts
from sound2scene.data.augment import MultiCrop, ViewChange
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadCrops
from sound2scene.losses.swapped import SwappedPrediction
from sound2scene.models.heads import FeatureQueue, PrototypeHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.optimization import WarmupCosine
from sound2scene.stages.encoder import EncoderStage
from sound2scene.types import DivergedError, InputError
from tiny import NET, Z_DIM, tiny_dataset


class Adam:
    """A rate at which a network of 8 channels learns in seconds."""

    def __call__(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=1e-2)


def stage(encoder: ImageEncoder | None = None, **settings: Any) -> EncoderStage:
    torch.manual_seed(0)
    encoder = encoder or ImageEncoder("resnet18", NET)
    head = partial(PrototypeHead, hidden_dim=16, out_dim=8, prototypes=6)
    settings = {"frozen_steps": 0, "optimizer": Adam(), "schedule": WarmupCosine(2, None, 0.0)} | settings
    return EncoderStage(encoder, "small64", head, loss=SwappedPrediction(0.2), **settings)


def data(shards: Path, batch_size: int = 6) -> ClipDataModule:
    still = ViewChange(colour=0.0, hue=0.0, grey=0.0)
    crops = MultiCrop([32, 16], [2, 2], [(0.5, 1.0), (0.3, 0.5)], change=still)
    return ClipDataModule(str(shards), batch_size, workers=0, read=ReadCrops("small64", crops))


def measured(shards: Path, folder: Path, encoder: EncoderStage) -> dict[str, float]:
    (figures,) = tiny_trainer(folder).validate(encoder, data(shards), verbose=False)
    return dict(figures)


@pytest.mark.slow
def test_training_finds_the_classes_that_an_untrained_encoder_does_not(tmp_path: Path) -> None:
    # Eight held-out pictures of each of three classes, so that five neighbours can be of one class; chance is
    # 1/3.
    shards = tiny_dataset(tmp_path / "shards", train=24, val=24)
    encoder = stage()
    assert measured(shards, tmp_path, encoder)["val/neighbour_accuracy"] < 1.5 / 3
    run = tiny_trainer(tmp_path, max_epochs=40, limit_val_batches=0)
    run.fit(encoder, data(shards, batch_size=12))
    assert run.callback_metrics["train/loss"] < 0.9 * run.callback_metrics["train/chance"]
    assert measured(shards, tmp_path, encoder)["val/neighbour_accuracy"] > 2 / 3


def test_encoder_and_head_move_and_nothing_else_is_there_to_move(tiny_shards: Path, tmp_path: Path) -> None:
    encoder = stage()
    start = {name: value.detach().clone() for name, value in encoder.named_parameters()}
    tiny_trainer(tmp_path, limit_val_batches=0).fit(encoder, data(tiny_shards))
    assert {name.partition(".")[0] for name in start} == {"image_encoder", "head"}
    assert all(not torch.equal(start[name], value) for name, value in encoder.named_parameters())


@pytest.mark.parametrize("part", ["image_encoder", "head"])
def test_a_nan_stops_the_run_with_step_and_clips(tiny_shards: Path, tmp_path: Path, part: str) -> None:
    encoder = stage()
    with torch.no_grad():
        next(encoder.get_submodule(part).parameters()).fill_(torch.nan)
    with pytest.raises(
        DivergedError,
        match=r"^step 0: swapped prediction is nan for clips (train-0\d\d, ){5}train-0\d\d; l",
    ):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(encoder, data(tiny_shards))


def test_the_export_is_the_encoder_without_its_head(tmp_path: Path) -> None:
    encoder = stage().eval()
    network, kind, preset, notes = encoder.exports()
    assert (kind, preset, notes) == ("image-encoder", "small64", {})
    folder = artifacts.save(network, tmp_path / "artifact", card={"kind": kind, "preset": preset})
    image_BCHW = torch.randn(2, 3, 64, 64)
    loaded = artifacts.load(folder, "image-encoder")
    assert torch.equal(loaded(image_BCHW), encoder.image_encoder(image_BCHW))
    assert loaded(image_BCHW).shape == (2, Z_DIM)


@pytest.mark.costly
def test_prototypes_stand_still_while_they_are_frozen_and_keep_unit_length_afterwards(
    tiny_shards: Path, tmp_path: Path
) -> None:
    for frozen_steps, moves in ((3, False), (2, True)):
        one = stage(frozen_steps=frozen_steps)
        start_KD = one.head.prototypes.weight.detach().clone()
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data(tiny_shards))  # three steps
        one.head.prototypes.renormalise()
        assert torch.allclose(one.head.prototypes.weight, start_KD, atol=1e-6) != moves
        torch.testing.assert_close(one.head.prototypes.weight.detach().norm(dim=1), torch.ones(6))


class Steps(pl.Callback):
    """Keeps the loss of every step, and stops after some."""

    def __init__(self, last: int = 100) -> None:
        self.last, self.kept = last, list[float]()

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: object) -> None:
        self.kept.append(float(trainer.callback_metrics["train/loss"]))
        trainer.should_stop = trainer.global_step >= self.last


@pytest.mark.costly
def test_a_queue_changes_the_codes_once_it_is_full_and_not_before(tiny_shards: Path, tmp_path: Path) -> None:
    # Two batches of six fill it; the third step is the first one that it can change, and the fourth shows it.
    losses = {}
    for name, queue in (("none", None), ("one", FeatureQueue(12, dim=8))):
        one = stage(queue=queue)
        losses[name] = Steps()
        settings: dict[str, Any] = {"max_epochs": 2, "limit_val_batches": 0, "callbacks": [losses[name]]}
        tiny_trainer(tmp_path, **settings).fit(one, data(tiny_shards))
    assert losses["none"].kept[:2] == losses["one"].kept[:2]
    assert losses["none"].kept[2] != losses["one"].kept[2]


def test_a_queue_of_another_width_is_refused() -> None:
    with pytest.raises(InputError, match=r"queue.dim is 5 and the head gives 8"):
        stage(queue=FeatureQueue(12, dim=5))


def test_a_queue_shorter_than_a_batch_is_refused_at_the_first_step(tiny_shards: Path, tmp_path: Path) -> None:
    one = stage(queue=FeatureQueue(5, dim=8, from_step=9))
    with pytest.raises(InputError, match=r"queue\.length is 5, less than one global batch of 6 clips"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data(tiny_shards))


@pytest.mark.slow
def test_a_run_that_goes_on_from_a_checkpoint_equals_one_that_never_stopped(
    tiny_shards: Path, tmp_path: Path
) -> None:
    def run(folder: Path, steps: int, checkpoint: Path | None = None) -> EncoderStage:
        one = stage(queue=FeatureQueue(12, dim=8), frozen_steps=1)
        keep = pl.callbacks.ModelCheckpoint(
            folder, "latest", every_n_train_steps=1, enable_version_counter=False
        )
        settings = {
            "enable_checkpointing": True,
            "callbacks": [keep, Steps(steps)],
            "max_epochs": 2,
            "limit_val_batches": 0,
        }
        # The rate's curve follows from the epochs, so both runs must mean to make two.
        tiny_trainer(folder, **settings).fit(one, data(tiny_shards), ckpt_path=checkpoint, weights_only=True)
        return one

    whole = run(tmp_path / "whole", 6)
    run(tmp_path / "broken", 4)
    saved = tmp_path / "broken" / "latest.ckpt"
    assert torch.load(saved, weights_only=True)["global_step"] == 4
    again = run(tmp_path / "broken", 6, saved)
    expected, found = whole.state_dict(), again.state_dict()
    assert expected.keys() == found.keys()
    assert "queue.rows_AND" in expected
    assert all(torch.equal(expected[name], found[name]) for name in expected)


class Fixed(ImageEncoder):
    """An encoder with one feature vector per class, told by the brightest channel of the picture's middle."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__("resnet18", NET)
        self.pooled_dim = self.z_dim = 3
        self.rows = nn.Parameter(rows)

    def pooled(self, image_BCHW: Tensor) -> Tensor:
        return self.rows[image_BCHW[:, :, 32, 32].argmax(1)]


@pytest.mark.parametrize(
    ("rows", "rank"),
    [(torch.ones(3, 3), 1.0), (torch.eye(3), 3.0), (torch.diag(torch.tensor([9.0, 1.0, 4.0])), 3.0)],
    ids=["collapsed", "orthogonal", "length does not count"],
)
def test_effective_rank_counts_the_directions_that_are_used(
    tiny_shards: Path, tmp_path: Path, rows: Tensor, rank: float
) -> None:
    assert measured(tiny_shards, tmp_path, stage(Fixed(rows)))["val/effective_rank"] == pytest.approx(
        rank, abs=1e-3
    )
