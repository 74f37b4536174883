import math
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from scripted import SANITY_SCORE, ScriptedStage, fit, mark, scripted_data, scripted_trainer
from sound2scene.callbacks.improvement import Best, BestCheckpoint, Improving, held_out
from sound2scene.callbacks.sample_grid import SampleGrid
from sound2scene.runs import Aim
from sound2scene.types import InputError

AIM = Aim("val/score")


class Recorder:
    """Notes the epochs that were better than all before."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epochs.append(trainer.current_epoch)


def told(
    stage: ScriptedStage, aim: Aim, shards: Path, folder: Path, **settings: Any
) -> tuple[list[int], Best]:
    """Epochs at which a listener was told, and who told it."""
    recorder = Recorder()
    best = Best(aim, [recorder])
    fit(stage, shards, folder, best, **({"max_epochs": len(stage.scores)} | settings))
    return recorder.epochs, best


@pytest.mark.parametrize(
    ("scores", "epochs"),
    [
        ([0.2, 0.5, 0.5, 0.4, 0.6], [0, 1, 4]),
        ([-3.0, -4.0, -2.0], [0, 2]),
        ([math.nan, 0.1, math.nan, 0.2], [1, 3]),
    ],
    ids=["a tie is no improvement", "negative", "nan is never the best"],
)
def test_listeners_are_told_of_a_better_score_than_all_before_alone(
    tiny_shards: Path, tmp_path: Path, scores: list[float], epochs: list[int]
) -> None:
    assert told(ScriptedStage(scores), AIM, tiny_shards, tmp_path)[0] == epochs


@pytest.mark.costly
def test_where_smaller_is_better_the_smallest_is_the_best(tiny_shards: Path, tmp_path: Path) -> None:
    stage = ScriptedStage([30.0, 12.5, 14.0, math.nan, 12.5, 3.0])
    assert told(stage, Aim("val/score", smaller_is_better=True), tiny_shards, tmp_path)[0] == [0, 1, 5]


@pytest.mark.parametrize("smaller_is_better", [False, True])
def test_the_tie_break_decides_between_equals_and_the_earliest_stays_among_those_equal_in_both(
    tiny_shards: Path, tmp_path: Path, smaller_is_better: bool
) -> None:
    # Epoch 1 wins the tie, 2 is equal in both, 3 is better in the second figure of a worse first one.
    scores, second = [0.5, 0.5, 0.5, 0.4, 0.5], [0.1, 0.3, 0.3, 0.9, 0.2]
    stage = ScriptedStage([-score if smaller_is_better else score for score in scores], second=second)
    aim = Aim("val/score", smaller_is_better, tie_break="val/second")
    assert told(stage, aim, tiny_shards, tmp_path)[0] == [0, 1]


def test_a_second_figure_that_is_nan_wins_no_tie_and_loses_the_next(
    tiny_shards: Path, tmp_path: Path
) -> None:
    aim = Aim("val/score", tie_break="val/second")
    stage = ScriptedStage([0.5, 0.5, 0.5], second=[math.nan, 0.1, math.nan])
    assert told(stage, aim, tiny_shards, tmp_path)[0] == [0, 1]


def test_listeners_are_told_in_their_order(tiny_shards: Path, tmp_path: Path) -> None:
    order: list[str] = []

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def improved(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            order.append(self.name)

    best = Best(AIM, [Named("first"), Named("second")])
    fit(ScriptedStage([0.2, 0.1]), tiny_shards, tmp_path, best, max_epochs=2)
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("patience", "epochs"), [(None, 6), (2, 5), (1, 2)], ids=["none", "two in a row", "one"]
)
def test_patience_ends_a_run_after_as_many_validations_in_a_row_without_a_better_one(
    tiny_shards: Path, tmp_path: Path, patience: int | None, epochs: int
) -> None:
    stage = ScriptedStage([0.5, 0.4, 0.6, 0.6, 0.5, 0.9])
    told(stage, Aim("val/score", patience=patience), tiny_shards, tmp_path)
    assert len(stage.states) == epochs


def test_the_sanity_check_is_no_improvement(tiny_shards: Path, tmp_path: Path) -> None:
    epochs, best = told(ScriptedStage([0.1]), AIM, tiny_shards, tmp_path, num_sanity_val_steps=2)
    assert epochs == [0]
    assert best.best == (pytest.approx(0.1), 0.0) != (SANITY_SCORE, 0.0)


def test_a_dry_run_improves_nothing(tiny_shards: Path, tmp_path: Path) -> None:
    assert told(ScriptedStage([0.1]), AIM, tiny_shards, tmp_path, fast_dev_run=True)[0] == []


def test_validation_outside_a_fit_is_no_improvement(tiny_shards: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = ScriptedStage([0.1, 0.9])
    trainer = fit(stage, tiny_shards, tmp_path, Best(AIM, [recorder]), max_epochs=1)
    stage.scores = [0.9, 0.9]
    trainer.validate(stage, scripted_data(tiny_shards), verbose=False)
    assert trainer.callback_metrics["val/score"] == pytest.approx(0.9)
    assert recorder.epochs == [0]


@pytest.mark.costly
def test_a_run_that_goes_on_remembers_the_best_and_how_long_it_has_waited(
    tiny_shards: Path, tmp_path: Path
) -> None:
    first = fit(ScriptedStage([0.7, 0.5]), tiny_shards, tmp_path, Best(AIM, []), max_epochs=2)
    first.save_checkpoint(tmp_path / "half.ckpt")
    for scores, patience, epochs, last in (
        ([0.7, 0.5, 0.6, 0.8], None, [3], 4),
        ([0.7, 0.5, 0.6, 0.8], 2, [], 3),  # the second without a better one, over both runs
    ):
        recorder = Recorder()
        stage = ScriptedStage(scores)
        best = Best(Aim("val/score", patience=patience), [recorder])
        trainer = scripted_trainer(tmp_path, best, max_epochs=4)
        trainer.fit(stage, scripted_data(tiny_shards), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
        assert recorder.epochs == epochs
        assert trainer.current_epoch == last


def test_the_best_checkpoint_is_the_state_of_the_best_validation_and_measures_it(
    tiny_shards: Path, tmp_path: Path
) -> None:
    stage = ScriptedStage([0.2, 0.5, 0.3])
    trainer = fit(stage, tiny_shards, tmp_path, Best(AIM, [BestCheckpoint()]))
    path = tmp_path / "checkpoints" / "best.ckpt"
    assert [file.name for file in path.parent.iterdir()] == ["best.ckpt"]
    kept = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(kept[f"network.{name}"], tensor) for name, tensor in stage.states[1].items())
    marks = [mark(state) for state in stage.states]
    assert len(set(marks)) == 3
    (tested,) = trainer.test(
        stage, scripted_data(tiny_shards), ckpt_path=path, verbose=False, weights_only=True
    )
    assert tested["test/mark"] == pytest.approx(marks[1], rel=1e-6)


def test_a_run_that_goes_on_from_its_best_checkpoint_ends_as_one_that_never_stopped(
    tiny_shards: Path, tmp_path: Path
) -> None:
    whole = ScriptedStage([0.2, 0.5, 0.3])
    fit(whole, tiny_shards, tmp_path, Best(AIM, [BestCheckpoint()]))
    again, recorder = ScriptedStage([0.2, 0.5, 0.3]), Recorder()
    trainer = scripted_trainer(tmp_path, Best(AIM, [recorder]))
    path = tmp_path / "checkpoints" / "best.ckpt"
    trainer.fit(again, scripted_data(tiny_shards), ckpt_path=path, weights_only=True)
    assert trainer.global_step == 9
    assert recorder.epochs == []
    assert mark(again.network.state_dict()) == mark(whole.network.state_dict())


FIGURES = {
    "val/fid/n256_val_judge_64px": 12.0,
    "val/fid_from_z_image/n256_val_judge_64px": 9.0,
    "val/fid_of_class_means/n256_val_judge_64px": 80.0,
    "val/recall": 0.5,
}


def test_a_beginning_finds_the_figure_whose_name_ends_in_its_protocol_and_no_other() -> None:
    assert Aim("val/fid", smaller_is_better=True).score(FIGURES) == (-12.0, 0.0)
    assert Aim("val/fid_from_z_image").score(FIGURES) == (9.0, 0.0)
    assert Aim("val/recall", tie_break="val/fid").score(FIGURES) == (0.5, 12.0)


@pytest.mark.parametrize(
    ("monitor", "told"),
    [
        ("val/scroe", r"nothing logs 'val/scroe'"),
        ("val/fi", r"nothing logs 'val/fi'"),
        ("val", r"4 figures begin with 'val'"),
    ],
)
def test_a_name_that_no_figure_or_more_than_one_has_is_refused_with_those_there_are(
    monitor: str, told: str
) -> None:
    known = ", ".join(sorted(FIGURES))
    with pytest.raises(
        InputError, match=rf"^run\.best: {told}; set it to one of the held-out figures: {known}$"
    ):
        Aim(monitor).score(FIGURES)


def test_a_figure_that_nothing_logs_stops_the_run_at_its_first_validation(
    tiny_shards: Path, tmp_path: Path
) -> None:
    for aim in (Aim("val/scroe"), Aim("val/score", tie_break="val/scroe")):
        with pytest.raises(InputError, match=r"^run\.best: nothing logs 'val/scroe'; .*: val/score$"):
            told(ScriptedStage([0.1]), aim, tiny_shards, tmp_path)


def test_held_out_figures_are_those_of_the_last_validation_and_none_of_training(
    tiny_shards: Path, tmp_path: Path
) -> None:
    stage = ScriptedStage([0.1, 0.2], extra={"val/other": 4.0, "train/seen": 1.0})
    trainer = fit(stage, tiny_shards, tmp_path, max_epochs=2)
    assert held_out(trainer) == pytest.approx({"val/score": 0.2, "val/other": 4.0})


def test_callbacks_with_something_to_do_at_each_best_validation_are_known_by_it() -> None:
    assert isinstance(SampleGrid(), Improving)
    assert isinstance(BestCheckpoint(), Improving)
    assert not isinstance(pl.Callback(), Improving)
