from functools import partial
from pathlib import Path

import pytest
import torch

from drawing import tiny_trainer
from sound2scene.data.augment import ViewChange
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadScenes
from sound2scene.models.reader import Reader
from sound2scene.optimization import WarmupCosine
from sound2scene.stages.reader import ReaderStage
from sound2scene.types import DivergedError, InputError
from tiny import NET
from toy_scenes import toy_pictures


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_pictures(tmp_path_factory.mktemp("reader") / "shards", train=96, val=32)


def stage(classes: int = 8) -> ReaderStage:
    torch.manual_seed(0)
    fast = partial(torch.optim.Adam, lr=1e-2)
    reader = Reader(classes, 5, 32, "resnet18", NET)
    return ReaderStage(reader, "pixels32", optimizer=fast, schedule=WarmupCosine(2, None, 0.0))


def data(shards: Path, change: ViewChange | None = None) -> ClipDataModule:
    return ClipDataModule(str(shards), 24, 0, read=ReadScenes("pixels32", change))


def test_a_reader_learns_the_size_and_place_of_what_held_out_pictures_show(
    shards: Path, tmp_path: Path
) -> None:
    one = stage()
    run = tiny_trainer(tmp_path, max_epochs=15, limit_val_batches=0)
    run.fit(one, data(shards))
    (after,) = tiny_trainer(tmp_path).validate(one, data(shards), verbose=False)
    assert after["val/kinds_right"] > 0.3  # of 36 sets of kinds
    assert after["val/left_right_r2"] > 0.5
    assert after["val/diameter_rank"] > 0.4
    assert {name for name in after if name.startswith("val/")} >= {
        "val/number_right",
        "val/background_right",
        "val/both_shown",
    }
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
