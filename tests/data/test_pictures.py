from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sound2scene import images
from sound2scene.data.pictures import PictureFolder, PictureFolderDataModule
from sound2scene.types import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes and a picture without one; a file that is none."""
    dice = np.random.default_rng(0)
    for name in (
        "train/b/2.png",
        "train/a/1.JPG",
        "train/a/0.png",
        "train/loose.webp",
        "val/a/0.png",
        "val/b/0.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(dice.integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(path)
    (tmp_path / "train" / "a" / "notes.txt").write_text("none")
    return tmp_path


def test_a_split_lists_its_pictures_by_class_in_a_fixed_order(folder: Path) -> None:
    split = PictureFolder(folder, "train")
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
def test_batches_hold_the_pictures_and_features_are_cached(
    folder: Path, tmp_path: Path, workers: int
) -> None:
    data = PictureFolderDataModule(
        str(folder), batch_size=2, workers=workers, read=["image"], image_preset="small64"
    )
    (batch,) = list(data.val_dataloader())
    assert batch.key == ["a/0.png", "b/0.png"]
    expected = images.preset("small64")(images.decode_jpeg((folder / "val/b/0.png").read_bytes(), ""))
    assert batch.image_BCHW is not None
    assert torch.equal(batch.image_BCHW[1], expected)
    assert len(list(data.train_dataloader())) == 2
    cache = data.cached(
        "train", lambda image_BCHW: image_BCHW.mean((2, 3)), "net", "small64", str(tmp_path / "cache")
    )
    assert cache.missing() == []
    assert set(data.fingerprints()) == {"train", "val"}


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"test: no such folder; put pictures there"):
        PictureFolder(folder, "test")
    (folder / "test").mkdir()
    with pytest.raises(InputError, match=r"test: no picture"):
        PictureFolder(folder, "test")
    split = PictureFolder(folder, "train")
    with pytest.raises(InputError, match=r"0\.png: a folder of pictures has no flac"):
        split.member(0, "flac")
    with pytest.raises(InputError, match="has no flac"):
        split.waveform(0)
    (folder / "train/a/0.png").unlink()
    with pytest.raises(InputError, match=r"0\.png: cannot be read"):
        split.member(0, "jpg")
