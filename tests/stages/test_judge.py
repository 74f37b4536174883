from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import cross_entropy

from sound2scene.data.augment import PixelCrop
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadPictures
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.models.judge import Judge
from sound2scene.optimization import WarmupCosine
from sound2scene.stages.judge import JudgeStage
from sound2scene.types import Clip, DataFacts, DivergedError, InputError, PictureBatch
from tiny import CLASSES, NET, make_clip, tiny_dataset
from two_ranks import on_two_ranks


def stage(classes: int = 3) -> JudgeStage:
    torch.manual_seed(0)
    fast = partial(torch.optim.Adam, lr=1e-2)
    return JudgeStage(Judge(classes, 32, "resnet18", NET), "pixels32", fast, WarmupCosine(2, None, 0.0))


def data(shards: Path) -> ClipDataModule:
    return ClipDataModule(str(shards), 12, 0, read=ReadPictures("pixels32", PixelCrop(32)))


def trainer(folder: Path, **settings: Any) -> pl.Trainer:
    defaults: dict[str, Any] = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
    }
    defaults |= {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }
    return pl.Trainer(default_root_dir=folder, **(defaults | settings))


@pytest.mark.slow
def test_a_judge_learns_the_classes_of_held_out_pictures(tmp_path: Path) -> None:
    shards = tiny_dataset(tmp_path / "shards", train=24, val=24)
    one = stage()
    run = trainer(tmp_path, max_epochs=30)
    (before,) = run.validate(one, data(shards), verbose=False)
    run.fit(one, data(shards))
    (after,) = run.validate(one, data(shards), verbose=False)
    (tested,) = run.test(one, data(shards), verbose=False)
    assert before["val/accuracy"] < 0.7
    assert after["val/accuracy"] > 0.95
    assert after["val/chance"] == pytest.approx(1 / 3)
    assert tested["test/accuracy"] > 0.95
    network, kind, preset, notes = one.exports()
    assert (network, kind, preset, notes) == (one.judge, "judge", "pixels32", {"classes": list(CLASSES)})


def test_another_number_of_classes_is_refused(tiny_shards: Path, tmp_path: Path) -> None:
    told = r"^judge\.classes is 4 and the data has 3; make them the same$"
    with pytest.raises(InputError, match=told):
        trainer(tmp_path).fit(stage(4), data(tiny_shards))
    with pytest.raises(InputError, match=told):
        stage(4).check(DataFacts(classes=CLASSES))


def test_a_nan_stops_the_run_with_step_and_clips(tiny_shards: Path, tmp_path: Path) -> None:
    one = stage()
    with torch.no_grad():
        one.judge.classifier.weight.fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"^step 0: cross-entropy is nan for clips train-"):
        trainer(tmp_path, limit_val_batches=0).fit(one, data(tiny_shards))


def unlabelled(job: dict[str, Any]) -> Clip:
    """As `make_clip`, with labels for those that the job says alone."""
    clip = make_clip(job)
    return clip if job["labelled"] else replace(clip, label=None)


def partly_labelled(folder: Path, train: int, val: int, clips: int = 6) -> Path:
    """A dataset with this many labelled clips in each split."""
    splits = {
        split: [
            {"key": f"{split}-{number}", "number": number, "seed": 0, "labelled": number < labelled}
            for number in range(clips)
        ]
        for split, labelled in {"train": train, "val": val, "test": 0}.items()
    }
    return write_dataset(folder, splits, unlabelled, Plan("partly", CLASSES, clips_per_shard=8, workers=1))


def test_a_split_without_any_label_is_refused_before_a_step(tmp_path: Path) -> None:
    shards = partly_labelled(tmp_path / "shards", 0, 0)
    run = trainer(tmp_path)
    for split, start in {"train": run.fit, "val": run.validate, "test": run.test}.items():
        told = rf"^split '{split}' has no labels, from which a judge learns; give a dataset with labels$"
        with pytest.raises(InputError, match=told):
            start(stage(), data(shards))


@pytest.mark.costly
def test_batches_without_a_label_or_with_one_are_trained_and_measured(tmp_path: Path) -> None:
    shards = partly_labelled(tmp_path / "shards", 1, 1)
    one = stage()
    run = trainer(tmp_path, max_epochs=3)
    run.fit(one, ClipDataModule(str(shards), 2, 0, read=ReadPictures("pixels32")))
    assert run.global_step == 9
    assert all(bool(torch.isfinite(weight).all()) for weight in one.judge.parameters())
    assert 0 <= float(run.callback_metrics["val/accuracy"]) <= 1
    assert float(run.callback_metrics["train/loss"]) > 0


def batch(labels: list[int]) -> PictureBatch:
    pixels = torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return PictureBatch([str(n) for n in range(8)], torch.arange(8), torch.tensor(labels), pixels)


def gradients(one: JudgeStage, given: PictureBatch) -> dict[str, Tensor]:
    """Gradients of a step here, the judge in evaluation, where batch norms do not tie pictures together."""
    one.judge.eval()
    one.log = lambda *rest, **more: None  # type: ignore[assignment,method-assign]
    one.training_step(given, 0).backward()
    return {name: cast(Tensor, weight.grad) for name, weight in one.judge.named_parameters()}


LABELS = [0, -1, -1, 2, -1, -1, -1, -1]


def test_pictures_without_a_label_have_no_part_in_the_loss() -> None:
    whole = batch(LABELS)
    known_B = whole.label_B >= 0
    one = stage()
    found = gradients(one, whole)
    expected = stage()
    expected.judge.eval()
    scores_BK = expected.judge(whole.image_BCHW[known_B])
    cross_entropy(scores_BK, whole.label_B[known_B], label_smoothing=0.1).backward()
    for name, weight in expected.judge.named_parameters():
        torch.testing.assert_close(found[name], weight.grad, rtol=1e-4, atol=1e-6)
    assert all(not gradient.any() for gradient in gradients(stage(), batch([-1] * 8)).values())


def on_a_rank(rank: int) -> dict[str, Tensor]:
    whole, half = batch(LABELS), slice(4 * rank, 4 * rank + 4)
    share = PictureBatch(whole.key[half], whole.index_B[half], whole.label_B[half], whole.image_BCHW[half])
    found = gradients(stage(), share)
    for gradient in found.values():
        dist.all_reduce(gradient)
    return {name: gradient / 2 for name, gradient in found.items()}  # as DDP does


@pytest.mark.costly
def test_two_processes_of_which_one_has_no_label_have_the_gradient_of_one(tmp_path: Path) -> None:
    expected = gradients(stage(), batch(LABELS))
    one, other = on_two_ranks(on_a_rank, tmp_path)
    for name, gradient in expected.items():
        assert torch.equal(one[name], other[name])
        torch.testing.assert_close(one[name], gradient, rtol=1e-4, atol=1e-6)
