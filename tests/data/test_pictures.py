import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor, nn

from sound2scene import artifacts, images
from sound2scene.callbacks.provenance import Origins, Provenance
from sound2scene.data.augment import MultiCrop
from sound2scene.data.pictures import PictureFolder, PictureFolderDataModule
from sound2scene.data.reading import ReadCrops, Reading, ReadInstances, ReadPairs, ReadPictures
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.protocols import Documented, Pictures, Sounds, Telling
from sound2scene.types import CropBatch, DataFacts, InputError, InstanceBatch, PictureBatch
from tiny import Z_DIM, tiny_features

NAMES = (
    "train/b/2.png",
    "train/a/1.JPG",
    "train/a/0.png",
    "train/loose.webp",
    "val/a/0.png",
    "val/b/0.png",
)


def paint(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels_HWC = np.random.default_rng(seed).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels_HWC).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes and a picture without one; a file that is none."""
    for seed, name in enumerate(NAMES):
        paint(tmp_path / "pictures" / name, seed)
    (tmp_path / "pictures" / "train" / "a" / "notes.txt").write_text("none")
    return tmp_path / "pictures"


class Watcher(pl.LightningModule):
    """Trains nothing and remembers the batches and what the data told."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.trained: list[Any] = []
        self.validated: list[Any] = []

    def training_step(self, batch: Any, _: int) -> Tensor:
        self.trained.append(batch)
        return self.weight * 1.0

    def validation_step(self, batch: Any, _: int) -> None:
        self.validated.append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(data: pl.LightningDataModule, runs: Path, *callbacks: pl.Callback) -> Watcher:
    model = Watcher()
    trainer = pl.Trainer(
        default_root_dir=runs,
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, data)
    return model


def test_a_split_lists_its_pictures_by_class_in_a_fixed_order(folder: Path) -> None:
    split = PictureFolder(folder, "train")
    assert isinstance(split, Pictures)
    assert not isinstance(split, Sounds)
    assert [split.key(number) for number in range(len(split))] == [
        "a/0.png",
        "a/1.JPG",
        "b/2.png",
        "loose.webp",
    ]
    assert split.classes == ["a", "b"]
    assert split.label_N.tolist() == [0, 0, 1, -1]
    assert split.member(2, "jpg") == (folder / "train/b/2.png").read_bytes()
    assert split.where(2) == str(folder / "train/b/2.png")


def test_the_fingerprint_changes_with_names_and_sizes(folder: Path) -> None:
    before = PictureFolder(folder, "train").fingerprint
    assert PictureFolder(folder, "train").fingerprint == before
    (folder / "train/b/2.png").rename(folder / "train/b/3.png")
    renamed = PictureFolder(folder, "train").fingerprint
    with (folder / "train/b/3.png").open("ab") as file:
        file.write(b"0")
    assert len({before, renamed, PictureFolder(folder, "train").fingerprint}) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_hold_the_pictures(folder: Path, workers: int) -> None:
    read = ReadPictures("small64")
    data = PictureFolderDataModule(str(folder), batch_size=2, workers=workers, read=read)
    (batch,) = list(data.val_dataloader())
    assert isinstance(batch, PictureBatch)
    assert batch.key == ["a/0.png", "b/0.png"]
    expected = images.preset("small64")(images.decode_jpeg((folder / "val/b/0.png").read_bytes(), ""))
    assert torch.equal(batch.image_BCHW[1], expected)
    assert len(list(data.train_dataloader())) == 2


CROPS = ReadCrops("small64", MultiCrop([16], [2], [(0.3, 1.0)]))


@pytest.mark.parametrize(
    ("read", "kind"),
    [(CROPS, CropBatch), (ReadPictures("small64"), PictureBatch), (ReadInstances(16, 2), InstanceBatch)],
    ids=["encoder", "judge", "gan"],
)
def test_a_run_starts_where_there_are_no_shards_and_its_record_says_what_it_read(
    folder: Path, tmp_path: Path, tiny_image_encoder: Path, read: Reading, kind: type
) -> None:
    features = tiny_features(tiny_image_encoder, tmp_path / "features")
    data = PictureFolderDataModule(str(folder), batch_size=2, workers=0, read=read, features=features)
    origins = Origins()
    seen = fit(data, tmp_path, Provenance("", origins))
    assert [type(batch) for batch in seen.trained] == [kind] * 2
    assert [batch.key for batch in seen.validated] == [["a/0.png", "b/0.png"]]
    assert isinstance(data, Documented)
    assert isinstance(data, Telling)
    expected = {split: PictureFolder(folder, split).fingerprint for split in ("train", "val")}
    assert origins.data == data.fingerprints() == expected
    assert origins.coverage == data.coverage() == {}
    facts = data.facts()
    assert facts.classes == ("a", "b")
    assert facts.unlabelled == ()
    assert facts.encoder is not None
    assert facts.encoder.fingerprint == artifacts.read_card(tiny_image_encoder).fingerprint
    assert facts.encoder.width == Z_DIM


def test_each_split_is_listed_once_in_a_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    list_split = PictureFolder.__init__

    def listing(self: PictureFolder, root: str | Path, split: str) -> None:
        listed.append(split)
        list_split(self, root, split)

    monkeypatch.setattr(PictureFolder, "__init__", listing)
    data = PictureFolderDataModule(str(folder), batch_size=2, workers=0, read=CROPS)
    assert listed == []
    fit(data, tmp_path, Provenance("", Origins()))
    data.facts()
    assert sorted(listed) == ["train", "val"]


def test_pictures_outside_of_class_folders_have_no_labels(tmp_path: Path) -> None:
    paint(tmp_path / "train" / "cat" / "0.png", 0)
    paint(tmp_path / "val" / "0.png", 1)
    data = PictureFolderDataModule(str(tmp_path), batch_size=1, workers=0, read=CROPS)
    data.setup("fit")
    assert data.facts() == DataFacts(("cat",), ("val",), None, tmp_path.name)


def test_classes_that_differ_between_the_splits_of_a_run_are_refused(folder: Path) -> None:
    (folder / "val" / "a").rename(folder / "val" / "c")
    data = PictureFolderDataModule(str(folder), batch_size=2, workers=0, read=ReadPictures("small64"))
    data.setup("fit")
    line = (
        r"^splits train and val differ in their classes \(a, c\); give each split a folder for every class$"
    )
    with pytest.raises(InputError, match=line):
        data.facts()
    data.setup("validate")
    assert data.facts().classes == ("b", "c")


def test_pairs_of_a_folder_of_pictures_are_refused_in_one_line_before_any_work(
    folder: Path, tmp_path: Path, tiny_image_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageEncoder, "forward", lambda *_: pytest.fail("features were computed"))
    features = tiny_features(tiny_image_encoder, tmp_path / "features")
    line = r"train/a/0\.png: a folder of pictures has no sounds; prepare shards of pairs$"
    for more in ({"read": ReadPairs()}, {}):  # pairs are what is read by default
        data = PictureFolderDataModule(str(folder), batch_size=2, workers=0, features=features, **more)
        with pytest.raises(InputError, match=line):
            fit(data, tmp_path)


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"test: no such folder; put pictures there"):
        PictureFolder(folder, "test")
    (folder / "test").mkdir()
    with pytest.raises(InputError, match=r"test: no picture"):
        PictureFolder(folder, "test")
    split = PictureFolder(folder, "train")
    with pytest.raises(InputError, match=r"0\.png: a folder of pictures has no flac; prepare shards"):
        split.member(0, "flac")
    (folder / "train/a/0.png").unlink()
    with pytest.raises(InputError, match=r"0\.png: cannot be read"):
        split.member(0, "jpg")


LEFTOVERS = ("._1.jpg", ".DS_Store", ".ipynb_checkpoints/1.jpg", "__MACOSX/1.jpg", "Thumbs.db", ".hidden.png")


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_systems_leave_behind_is_no_picture_and_no_class(folder: Path, name: str) -> None:
    before = PictureFolder(folder, "train")
    for parent in (folder / "train", folder / "train" / "a"):
        (parent / name).parent.mkdir(exist_ok=True)
        (parent / name).write_bytes((folder / "val" / "a" / "0.png").read_bytes())
    after = PictureFolder(folder, "train")
    assert (after.classes, len(after), after.fingerprint) == (["a", "b"], len(before), before.fingerprint)


def test_a_folder_of_pictures_that_another_system_has_touched_is_read(real_data: Path) -> None:
    folder = real_data / "hostile" / "picture_folder"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    pictures = PictureFolder(folder, "train")
    assert [pictures.key(position) for position in range(len(pictures))] == ["a/1.jpg", "b/2.jpg"]
    assert pictures.classes == ["a", "b"]


def test_names_that_are_no_utf_8_are_pictures_like_others(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    paint(folder / "train" / "a" / name, 9)
    pictures = PictureFolder(folder, "train")
    (position,) = (one for one in range(len(pictures)) if pictures.key(one) == f"a/{name}")
    assert pictures.member(position, "jpg").startswith(b"\x89PNG")
