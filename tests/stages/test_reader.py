from functools import partial
from pathlib import Path

import pytest
import torch

from drawing import tiny_trainer
from sound2scene.data.augment import ViewChange
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadScenes
from sound2scene.metrics.scenes import scene_figures
from sound2scene.models.reader import Reader
from sound2scene.optimization import WarmupCosine
from sound2scene.stages.reader import ReaderStage
from sound2scene.types import DivergedError, InputError, Scene
from tiny import NET
from toy_scenes import toy_pictures


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_pictures(tmp_path_factory.mktemp("reader") / "shards", train=24, val=12)


def stage(classes: int = 8) -> ReaderStage:
    torch.manual_seed(0)
    fast = partial(torch.optim.Adam, lr=1e-2)
    reader = Reader(classes, 5, 32, "resnet18", NET | {"channels": [16, 32, 32, 64], "stem_width": 8})
    return ReaderStage(reader, "pixels32", optimizer=fast, schedule=WarmupCosine(2, None, 0.0))


def data(shards: Path, change: ViewChange | None = None) -> ClipDataModule:
    return ClipDataModule(str(shards), 15, 0, read=ReadScenes("pixels32", change))


@pytest.mark.slow
def test_a_step_after_another_lowers_the_loss_and_a_measure_has_every_figure(
    shards: Path, tmp_path: Path
) -> None:
    one = stage()
    first = tiny_trainer(tmp_path, limit_val_batches=0)
    first.fit(one, data(shards))
    last = tiny_trainer(tmp_path, max_epochs=40, limit_val_batches=0)
    last.fit(one, data(shards))
    assert last.callback_metrics["train/loss"] < 0.5 * first.callback_metrics["train/loss"]
    (found,) = tiny_trainer(tmp_path).validate(one, data(shards), verbose=False)
    some = Scene(torch.ones(1, 2), torch.ones(1, 2, 3), torch.zeros(1))
    assert {f"val/{name}" for name in scene_figures(some, some)} == set(found)
    network, kind, preset, notes = one.exports()
    assert (network, kind, preset) == (one.reader, "reader", "pixels32")
    assert len(notes["classes"]) == 8


def test_colours_may_change_in_training_and_never_in_a_measure(shards: Path) -> None:
    still, changed = data(shards), data(shards, ViewChange(flip=0.0))
    for one in (still, changed):
        one.setup("fit")
    alike = [
        torch.equal(*(next(iter(getattr(one, loader)())).image_BCHW for one in (still, changed)))
        for loader in ("train_dataloader", "val_dataloader")
    ]
    assert alike == [False, True]


def test_another_number_of_classes_is_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^reader\.classes is 4 and the data has 8; make them the same$"):
        tiny_trainer(tmp_path).fit(stage(4), data(shards))


def test_a_nan_stops_the_run_with_step_and_clips(shards: Path, tmp_path: Path) -> None:
    one = stage()
    with torch.no_grad():
        one.reader.head.weight.fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"^step 0: scene loss is nan for clips toy-train-"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data(shards))


def test_a_nan_is_no_figure_of_held_out_pictures(shards: Path, tmp_path: Path) -> None:
    one = stage()
    with torch.no_grad():
        one.reader.head.weight.fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"^step 0: what the reader says is NaN .* for clips toy-val-"):
        tiny_trainer(tmp_path).validate(one, data(shards))
