from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from drawing import pair_data, tiny_trainer
from drawn_clips import write_picture
from page_reading import words
from scripted import ScriptedStage, scripted_trainer
from sound2scene.callbacks import retrieval_pictures, run_pictures
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.retrieval_pictures import RetrievalPictures
from sound2scene.data.pictures import PictureFolderDataModule
from sound2scene.data.reading import ReadPictures
from sound2scene.runs import Aim
from sound2scene.types import InputError
from tiny import tiny_stage

NAMES = ("reals.png", "retrieval_untrained.png", "retrieval.png")


@pytest.fixture(scope="module")
def run_folder(tiny_shards: Path, tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    logger, pictures = CSVLogger(folder, "run"), RetrievalPictures(3, 4)
    best = Best(Aim("val/class/audio_to_image/recall_at_1"), [pictures])
    settings = {"logger": logger, "limit_train_batches": 1, "log_every_n_steps": 1}
    trainer = tiny_trainer(folder, callbacks=[pictures, best], **settings)
    trainer.fit(tiny_stage(), pair_data(tiny_shards, tiny_image_encoder, folder / "features"))
    return Path(logger.log_dir)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_draws_its_reals_its_untrained_and_its_best_state(run_folder: Path, name: str) -> None:
    with Image.open(run_folder / name) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200
        assert np.asarray(picture.convert("L")).std() > 20


def test_the_untrained_state_is_another_one_than_the_best(run_folder: Path) -> None:
    assert (run_folder / "retrieval_untrained.png").read_bytes() != (
        run_folder / "retrieval.png"
    ).read_bytes()


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_run_that_goes_on_from_a_checkpoint_has_no_untrained_state_to_draw(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    drawn: list[str] = []
    pictures = RetrievalPictures()
    monkeypatch.setattr(pictures, "draw_as", lambda name, *_: drawn.append(name))
    trainer = scripted_trainer(tmp_path)
    monkeypatch.setattr(trainer, "sanity_checking", True)
    monkeypatch.setattr(pl.Trainer, "global_step", 160 if goes_on else 0)
    pictures.on_validation_end(trainer, tiny_stage())
    assert drawn == ([] if goes_on else ["retrieval_untrained.png"])


@pytest.mark.slow
def test_a_resumed_run_leaves_the_picture_of_its_untrained_state_alone(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    logger, pictures = CSVLogger(tmp_path, "run", version=0), RetrievalPictures(2, 2)
    settings = {
        "logger": logger,
        "limit_train_batches": 1,
        "callbacks": [pictures],
        "num_sanity_val_steps": 1,
    }
    data = pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    trainer, stage = tiny_trainer(tmp_path, **settings), tiny_stage()
    trainer.fit(stage, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    untrained = Path(logger.log_dir) / "retrieval_untrained.png"
    untrained.write_text("the untrained state")
    settings["max_epochs"] = 2
    data = pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    tiny_trainer(tmp_path, **settings).fit(tiny_stage(), datamodule=data, ckpt_path=tmp_path / "last.ckpt")
    assert untrained.read_text() == "the untrained state"


@pytest.mark.costly
def test_titles_say_step_and_seed(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, str] = {}
    monkeypatch.setattr(
        retrieval_pictures, "save", lambda figure, path, _: said.update({path.name: words(figure)[1]})
    )
    monkeypatch.setattr(
        run_pictures, "save", lambda figure, path, _: said.update({path.name: words(figure)[1]})
    )
    pictures = RetrievalPictures(2, 2)
    best = Best(Aim("val/class/audio_to_image/recall_at_1"), [pictures])
    settings = {"logger": CSVLogger(tmp_path, "run"), "limit_train_batches": 1, "callbacks": [pictures, best]}
    tiny_trainer(tmp_path, **settings).fit(
        tiny_stage(), pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features", seed=5)
    )
    assert said["reals.png"].endswith(" clips, seed 5")
    assert said["retrieval_untrained.png"].endswith("split val, step 0 (untrained), seed 5")
    assert said["retrieval.png"].endswith("split val, step 1, seed 5")


def test_before_a_validation_there_is_nothing_to_draw(tmp_path: Path) -> None:
    assert RetrievalPictures().draw(scripted_trainer(tmp_path), tiny_stage()) is None


def test_a_stage_that_retrieves_nothing_is_told_which_callback_to_remove(tmp_path: Path) -> None:
    told = r"^ScriptedStage retrieves no pictures; remove RetrievalPictures$"
    with pytest.raises(InputError, match=told):
        RetrievalPictures().draw(scripted_trainer(tmp_path), ScriptedStage([0.2]))


def test_pictures_without_sounds_are_told_which_callback_to_remove(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for number in range(6):
            write_picture(tmp_path / "pictures" / split / "bell" / f"{number}.jpg", number)
    silent = PictureFolderDataModule(
        str(tmp_path / "pictures"), batch_size=6, workers=0, read=ReadPictures("pixels32")
    )
    with pytest.raises(InputError, match=r"train/bell/0\.jpg: there are no sounds to show; remove Retr"):
        scripted_trainer(tmp_path, RetrievalPictures()).fit(ScriptedStage([0.2]), silent)
