import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from sound2scene.types import (
    Clip,
    CropBatch,
    DataFacts,
    FeatureBatch,
    InputError,
    InstanceBatch,
    PairBatch,
    PictureBatch,
    Rejected,
    SoundPictureBatch,
)

HEAVY = {
    "pytorch_lightning",
    "torchmetrics",
    "torchvision",
    "torchaudio",
    "timm",
    "librosa",
    "wandb",
    "matplotlib",
}


@pytest.mark.costly
def test_importing_a_part_does_not_import_the_world() -> None:
    parts = {
        f"sound2scene.{part}"
        for part in ("types", "images", "distributed", "losses.infonce", "losses.regression")
    }
    code = f"import sys, {', '.join(parts)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded >= parts
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("sound2scene.")} == parts | {"sound2scene.losses"}


class Unreadable(Dataset[int]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, position: int) -> int:
        raise InputError(f"{position}.jpg: not a picture; remove it")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_input_error_stays_one_line_through_a_loaders_worker(workers: int) -> None:
    with pytest.raises(InputError) as caught:
        next(iter(DataLoader(Unreadable(), num_workers=workers)))
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == "0.jpg: not a picture; remove it"


def test_a_clip_that_could_not_be_prepared_is_counted_under_the_word_of_its_error() -> None:
    class SilentError(InputError):
        kind = "silent"

    assert Rejected("a", "cannot be decoded").kind == InputError.kind == "unreadable"
    assert Rejected("a", "no sound", SilentError.kind) == ("a", "no sound", "silent")


def test_every_batch_names_its_clips_first_so_that_callbacks_can_count_them() -> None:
    for kind in (PairBatch, PictureBatch, SoundPictureBatch, CropBatch, InstanceBatch, FeatureBatch):
        assert kind._fields[0] == "key"


def test_batches_that_are_measured_tell_position_and_label_in_the_same_places() -> None:
    for kind in (PairBatch, PictureBatch, SoundPictureBatch, FeatureBatch):
        assert kind._fields[:3] == ("key", "index_B", "label_B")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_comes_out_of_a_loaders_worker_as_what_it_is(workers: int) -> None:
    def collate(rows: list[torch.Tensor]) -> FeatureBatch:
        return FeatureBatch(["a", "b"], torch.arange(2), torch.tensor([0, -1]), torch.stack(rows))

    loader = DataLoader([torch.zeros(3), torch.ones(3)], 2, num_workers=workers, collate_fn=collate)
    (batch,) = loader
    assert isinstance(batch, FeatureBatch)
    assert batch.z_image_BD.tolist() == [[0, 0, 0], [1, 1, 1]]


def test_data_tells_nothing_unless_it_says_so() -> None:
    assert DataFacts() == ((), (), None, "")


def test_clips_share_no_metadata_by_accident() -> None:
    one, other = (Clip(key, b"", np.zeros(1, np.float32), None) for key in "ab")
    assert one.label is None
    assert one.metadata == {}
    assert one.metadata is not other.metadata
