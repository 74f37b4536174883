from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from sound2scene import images
from sound2scene.callbacks import retrieval_pictures
from sound2scene.callbacks.retrieval_pictures import OWN, RIGHT, WRONG, RetrievalPictures, spread
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.shards.read import ShardDataset
from sound2scene.types import Retrieved
from tiny import tiny_stage

NAMES = ("reals.png", "retrieval_untrained.png", "retrieval.png")


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        ([0, 0, 0, 1, 2, 1], 4, [0, 3, 4, 1]),
        ([2, 2, 0, 0, 1], 3, [2, 4, 0]),
        ([-1, -1, -1], 2, [0, 1]),
        ([0, 1], 8, [0, 1]),
    ],
    ids=["rare classes first", "classes in order", "no labels", "fewer than asked for"],
)
def test_sounds_shown_take_turns_through_the_classes(
    labels: list[int], count: int, expected: list[int]
) -> None:
    assert spread(torch.tensor(labels), count) == expected


@pytest.fixture(scope="module")
def run_folder(tiny_shards: Path, tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    logger = CSVLogger(folder, "run")
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=logger,
        callbacks=[RetrievalPictures("val/recall", 3, 4)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_train_batches=1,
        log_every_n_steps=1,
    )
    stage = tiny_stage(tiny_image_encoder, folder / "features")
    trainer.fit(stage, ClipDataModule(str(tiny_shards), batch_size=6, workers=0))
    return Path(logger.log_dir)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_draws_its_reals_its_untrained_and_its_best_state(run_folder: Path, name: str) -> None:
    with Image.open(run_folder / name) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200
        assert np.asarray(picture.convert("L")).std() > 20


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures that would have been written."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    return figures


def found(label: int | None = None) -> Retrieved:
    """Latents of four clips, the first of which finds itself, then its class (position 6), then 4 and 5."""
    index_N = torch.tensor([3, 4, 5, 6])
    label_N = torch.tensor([0, 1, 2, 0]) if label is None else torch.full((4,), label)
    z_audio_ND = torch.tensor([[0.9, 0.5, 0.3, 0.7], *[[1.0, 0.0, 0.0, 0.0]] * 3])
    return Retrieved(index_N, label_N, z_audio_ND, torch.eye(4))


def frame(axes: Axes) -> tuple[float, ...] | None:
    spine = axes.spines["left"]
    return to_rgb(spine.get_edgecolor()) if spine.get_visible() else None


def test_frames_tell_the_own_picture_from_its_class_and_from_others(
    tiny_shards: Path, tmp_path: Path, drawn: list[Figure]
) -> None:
    retrieval_pictures._draw_retrieval(found(), ShardDataset(tiny_shards, "val"), tmp_path / "r.png", 1, 4)
    assert [frame(axes) for axes in drawn[0].axes] == [None, None, *map(to_rgb, (OWN, RIGHT, WRONG, WRONG))]


def test_without_labels_only_the_own_picture_is_right(
    tiny_shards: Path, tmp_path: Path, drawn: list[Figure]
) -> None:
    retrieval_pictures._draw_retrieval(found(-1), ShardDataset(tiny_shards, "val"), tmp_path / "r.png", 1, 4)
    assert [frame(axes) for axes in drawn[0].axes] == [None, None, *map(to_rgb, (OWN, WRONG, WRONG, WRONG))]


def test_pictures_are_those_of_the_clips_found_nearest_first(
    tiny_shards: Path, tmp_path: Path, drawn: list[Figure]
) -> None:
    shards = ShardDataset(tiny_shards, "val")
    retrieval_pictures._draw_retrieval(found(), shards, tmp_path / "r.png", 1, 4)
    for axes, position in zip(drawn[0].axes[1:], (3, 3, 6, 4, 5), strict=True):
        picture = images.decode_jpeg(shards.member(position, "jpg"), "clip").resize((128, 128))
        np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), np.asarray(picture))


def test_more_neighbours_than_there_are_leave_empty_places(
    tiny_shards: Path, tmp_path: Path, drawn: list[Figure]
) -> None:
    retrieval_pictures._draw_retrieval(found(), ShardDataset(tiny_shards, "val"), tmp_path / "r.png", 2, 6)
    assert [axes.axison for axes in drawn[0].axes] == ([True] * 6 + [False] * 2) * 2
