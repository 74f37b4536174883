from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from sound2scene.data.splits import ToyVideos
from sound2scene.data.toy import world as toy
from sound2scene.data.videos import MomentsDataModule
from sound2scene.moments import Known, MomentBatch, Moments, Scored, WholeVideo
from sound2scene.stages.localizer import LocalizerStage
from sound2scene.types import DataFacts, DivergedError, InputError
from tiny import tiny_localizer
from two_ranks import on_two_ranks


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy.write_videos(folder, {"train": 8, "val": 4, "test": 2}, 0, 0, workers=1)
    return folder


def data_of(world: Path, batch_size: int, **settings: Any) -> MomentsDataModule:
    """Toy videos as `tiny_localizer` looks at them and hears them."""
    settings = {"workers": 0, "side_px": 32, "window_s": 0.5} | settings
    return MomentsDataModule(ToyVideos(str(world)), batch_size, **settings)


def trainer(folder: Path, **settings: Any) -> pl.Trainer:
    plain: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
    }
    plain |= {"enable_model_summary": False, "use_distributed_sampler": False, "num_sanity_val_steps": 0}
    return pl.Trainer(default_root_dir=folder, **plain | {"enable_checkpointing": False} | settings)


def drawn(videos: int = 4, moments: int = 2, seed: int = 0) -> MomentBatch:
    dice = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (videos, moments, 3, 32, 32), dtype=torch.uint8, generator=dice)
    sounds = torch.rand(videos, moments, 8_000, generator=dice) - 0.5
    return MomentBatch([f"v{i}" for i in range(videos)], torch.arange(videos) % 3, frames, sounds, [])


@pytest.mark.costly
@pytest.mark.parametrize(("mode", "classes"), [("contrastive", 0), ("classification", len(toy.KINDS))])
def test_a_run_measures_whole_videos_and_moves_every_parameter(
    mode: str, classes: int, world: Path, tmp_path: Path
) -> None:
    stage = LocalizerStage(tiny_localizer(classes=classes), mode)  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in stage.localizer.named_parameters()}
    run = trainer(tmp_path, max_epochs=1)
    run.fit(stage, data_of(world, 4, moments=2))
    still = [name for name, value in stage.localizer.named_parameters() if torch.equal(value, before[name])]
    assert still == []
    found = run.callback_metrics
    assert 0 <= found["val/top1_inside"] <= 1
    assert found["val/ciou_videos"] == 4
    assert found["val/localization"] == pytest.approx(
        float(found["val/top1_inside"] + found["val/ciou_at_50"]) / 2
    )
    truths = toy.read_truth(world, "val")
    inside = [truth.sources[0].start_s <= 5.0 <= truth.sources[0].end_s for truth in truths]
    assert found["val/middle_inside"] == pytest.approx(sum(inside) / len(inside))


class Scripted(torch.nn.Module):
    """Scores a given step highest and points to the left half."""

    side_px = 8

    def __init__(self, best: dict[str, int]) -> None:
        super().__init__()
        self.best = best

    def score(self, moments: Moments) -> Scored:
        score_S = torch.zeros(len(moments.second_S))
        score_S[self.best[moments.key]] = 5.0
        map_SHW = torch.zeros(len(score_S), 8, 8)
        map_SHW[:, :, :4] = 1
        return Scored(score_S, map_SHW)


def watched(key: str, known: Known) -> WholeVideo:
    moments = Moments(
        key, torch.arange(50, dtype=torch.float64) / 10, torch.zeros(50, 3, 8, 8), torch.zeros(80_000)
    )
    return WholeVideo(moments, known, -1, [])


def test_figures_of_a_localizer_whose_answers_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = LocalizerStage(tiny_localizer())
    stage.localizer = Scripted({"a": 10, "b": 49, "c": 0})  # type: ignore[assignment]
    logged: dict[str, float] = {}
    monkeypatch.setattr(stage, "log_dict", lambda found, **_: logged.update(found))
    left, right = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
    stage.validation_step(watched("a", Known((0.5, 1.5), (left,), 1.0)), 0)
    stage.validation_step(watched("b", Known((2.0, 3.0), (right,), 2.5)), 1)
    stage.validation_step(watched("c", Known()), 2)
    stage.validation_step(WholeVideo(None, Known(), -1, [("d", "silent")]), 3)
    stage.on_validation_epoch_end()
    assert logged["val/top1_inside"] == 0.5
    assert logged["val/middle_inside"] == 0.5
    assert logged["val/random_inside"] == pytest.approx(11 / 50)
    assert logged["val/ciou_at_50"] == 0.5
    assert logged["val/ciou_videos"] == 2
    assert logged["val/rejected"] == 1


def test_a_video_that_cannot_be_read_counts_once_an_epoch_and_is_listed_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = LocalizerStage(tiny_localizer())
    stage.localizer = Scripted({"a": 10})  # type: ignore[assignment]
    logged: dict[str, float] = {}
    monkeypatch.setattr(stage, "log_dict", lambda found, **_: logged.update(found))
    for times, counted in ((2, 1), (1, 1), (0, 0)):
        stage.validation_step(watched("a", Known()), 0)
        for number in range(times):
            stage.validation_step(WholeVideo(None, Known(), -1, [("d", "silent")]), 1 + number)
        stage.on_validation_epoch_end()
        assert logged["val/rejected"] == counted
    assert capsys.readouterr().out == "cannot be read, left out: d (silent)\n"


def test_classes_that_do_not_fit_are_one_line(world: Path, tmp_path: Path) -> None:
    data = data_of(world, 4)
    for mode, classes, needed in (("classification", 3, len(toy.KINDS)), ("contrastive", 3, 0)):
        stage = LocalizerStage(tiny_localizer(classes=classes), mode)  # type: ignore[arg-type]
        with pytest.raises(
            InputError, match=f"localizer.classes is 3; the mode {mode} on this data needs {needed}"
        ):
            trainer(tmp_path, max_epochs=1).fit(stage, data)
        with pytest.raises(InputError, match=r"localizer\.classes is 3"):
            stage.check(DataFacts(classes=data.facts().classes))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"side_px": 48}, r"side_px is 48 and window_s 0\.5, and the localizer looks at 32 and 0\.5; make"),
        (
            {"window_s": 0.75},
            r"side_px is 32 and window_s 0\.75, and the localizer looks at 32 and 0\.5; make",
        ),
    ],
)
def test_moments_of_another_look_than_the_networks_are_refused_with_both(
    change: dict[str, float], told: str, world: Path, tmp_path: Path
) -> None:
    run = trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    with pytest.raises(InputError, match=rf"^data\.init_args\.{told} them the same$"):
        run.fit(LocalizerStage(tiny_localizer()), data_of(world, 4, **change))


def test_whole_videos_of_another_side_are_refused_and_not_measured(world: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^data\.init_args\.side_px is 48, and the localizer looks at 32; make"
    ):
        trainer(tmp_path).validate(LocalizerStage(tiny_localizer()), data_of(world, 4, side_px=48))


def test_a_video_without_label_is_named_in_the_mode_that_needs_one() -> None:
    stage = LocalizerStage(tiny_localizer(classes=3), "classification")
    batch = drawn()._replace(label_B=torch.tensor([0, -1, 2, 0]))
    with pytest.raises(InputError, match="v1: no label"):
        stage.training_step(batch, 0)


def test_a_loss_that_is_not_finite_names_step_and_videos() -> None:
    stage = LocalizerStage(tiny_localizer())
    with torch.no_grad():
        stage.localizer.audio.project.bias.fill_(float("nan"))
    with pytest.raises(DivergedError, match="contrastive loss is nan for clips v0, v1, v2, v3"):
        stage.training_step(drawn(), 0)


def _gradient(rank: int) -> list[torch.Tensor]:
    stage = LocalizerStage(tiny_localizer().eval())  # eval: batch norm of half a batch is another one
    stage.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    whole = drawn()
    rows = slice(2 * rank, 2 * rank + 2)
    half = MomentBatch(
        whole.key[rows], whole.label_B[rows], whole.frames_BMCHW[rows], whole.window_BMT[rows], []
    )
    stage.training_step(half, 0).backward()
    gradients = [parameter.grad for parameter in stage.localizer.parameters() if parameter.grad is not None]
    for gradient in gradients:
        torch.distributed.all_reduce(gradient)
        gradient.div_(2)
    return gradients


@pytest.mark.costly
def test_two_processes_have_the_gradient_of_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = LocalizerStage(tiny_localizer().eval())
    monkeypatch.setattr(stage, "log", lambda *_, **__: None)
    stage.training_step(drawn(), 0).backward()
    expected = [parameter.grad for parameter in stage.localizer.parameters() if parameter.grad is not None]
    for found in on_two_ranks(_gradient, tmp_path):
        for one, other in zip(found, expected, strict=True):
            assert other is not None
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_bitwise(world: Path, tmp_path: Path) -> None:
    keep = ModelCheckpoint(
        tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1, enable_version_counter=False
    )

    def run(checkpoint: Path | None = None) -> dict[str, torch.Tensor]:
        stage = LocalizerStage(tiny_localizer())
        torch.manual_seed(0 if checkpoint is None else 1)  # chance of before must not matter
        data = data_of(world, 2, moments=2)
        fit = trainer(
            tmp_path, max_epochs=2, limit_val_batches=0, callbacks=[keep], enable_checkpointing=True
        )
        fit.fit(stage, data, ckpt_path=checkpoint, weights_only=True)
        assert fit.global_step == 8
        return stage.state_dict()

    whole, gone_on = run(), run(tmp_path / "step=3.ckpt")
    assert all(torch.equal(whole[name], gone_on[name]) for name in whole)
