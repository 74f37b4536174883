from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from looked_up import labelled, silence, sounds_of
from sound2scene.data.shards.read import ShardDataset
from sound2scene.methods import floors
from sound2scene.methods.floors import ClassMean, Shuffled, class_means
from sound2scene.methods.oracles import square_pictures
from sound2scene.protocols import Lacking, Loading, Method
from sound2scene.types import InputError

CLASSES = ("a", "b", "c")


class Echo:
    """Keeps what it is asked for, and draws the first sample of each sound."""

    resolution, deterministic = 1, True

    def __init__(self) -> None:
        self.fingerprints = {"echo": "e"}
        self.asked: list[tuple[list[str], int, int]] = []

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        self.asked.append(([*keys], draws, seed))
        grey_B = (1000 * waveform_BT[:, 0]).round().to(torch.uint8)
        return grey_B[:, None, None, None, None].expand(-1, draws, 3, 1, 1)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = {
        "train": ["b", "a", "b", None, "a", "b"],
        "test": ["b", None, "a", "a", "c", None, "b", "a"],
        "val": ["c", "c"],
    }
    return labelled(tmp_path_factory.mktemp("grey") / "shards", CLASSES, labels)


@pytest.fixture(scope="module")
def split(shards: Path) -> ShardDataset:
    return ShardDataset(shards, "test")


def test_a_partner_has_another_class_and_every_such_clip_may_be_it(split: ShardDataset) -> None:
    method = Shuffled(Echo(), split)
    label_N = split.label_N.tolist()
    for position in range(len(split)):
        found = {method.partner(split.key(position), seed) for seed in range(300)}
        others = [other for other in range(len(split)) if other != position]
        if label_N[position] >= 0:
            others = [one for one in others if label_N[one] not in (-1, label_N[position])]
        assert found == set(others)


def test_partners_are_spread_evenly(split: ShardDataset) -> None:
    method = Shuffled(Echo(), split)
    counts = np.bincount([method.partner("test-0", seed) for seed in range(4000)], minlength=8)
    assert counts[[2, 3, 4, 7]] == pytest.approx(1000, rel=0.15)


def test_another_clips_sound_is_drawn_with_the_clips_own_key(split: ShardDataset) -> None:
    echo = Echo()
    method = Shuffled(echo, split)
    assert isinstance(method, Method)
    assert not method.deterministic
    assert method.fingerprints == {"echo": "e", "clips": split.fingerprint}
    keys = [split.key(position) for position in range(len(split))]
    drawn = method.pictures(sounds_of(split, keys), keys, 2, 3)
    assert echo.asked == [(keys, 2, 3)]
    assert drawn[:, 0, 0, 0, 0].tolist() == pytest.approx(
        [10 * method.partner(key, 3) for key in keys], abs=1
    )
    assert torch.equal(method.pictures(silence(1), keys[4:5], 2, 3), drawn[4:5])
    assert method.pictures(silence(0), [], 2, 3).shape == (0, 2, 3, 1, 1)


def test_a_split_of_one_class_has_no_sound_of_another(shards: Path) -> None:
    with pytest.raises(InputError, match=r"^split val: 2 clips of 1 classes leave no sound of another class"):
        Shuffled(Echo(), ShardDataset(shards, "val"))


@pytest.fixture
def means(shards: Path, split: ShardDataset, tmp_path: Path) -> ClassMean:
    return ClassMean(split, ShardDataset(shards, "train"), 16, str(tmp_path / "cache"))


def test_a_class_is_shown_as_the_mean_of_its_training_pictures(means: ClassMean) -> None:
    assert isinstance(means, Method)
    assert isinstance(means, Loading)
    drawn = means.pictures(silence(3), ["test-0", "test-2", "test-3"], 2, 0)
    assert drawn.shape == (3, 2, 3, 16, 16)
    # b: 100, 120, 150; a: 110, 140.
    assert drawn.flatten(1).float().mean(1).tolist() == pytest.approx([123.3, 125, 125], abs=1.5)
    assert torch.equal(drawn[1], drawn[2])


def test_clips_without_a_class_or_whose_class_has_no_picture_are_missing(means: ClassMean) -> None:
    assert isinstance(means, Lacking)
    keys = [f"test-{number}" for number in range(8)]
    assert [(one.key, one.reason) for one in means.missing(keys, 1)] == [
        ("test-1", "has no class, so that no class's mean is its picture"),
        ("test-4", "no training picture has its class 'c'"),
        ("test-5", "has no class, so that no class's mean is its picture"),
    ]
    with pytest.raises(
        InputError, match=r"^test-4: no training picture has its class 'c'; leave the clip out"
    ):
        means.pictures(silence(1), ["test-4"], 1, 0)


def test_means_equal_a_loop_in_floats(tiny_shards: Path) -> None:
    training = ShardDataset(tiny_shards, "train")
    found_KCHW = class_means(training, 24)
    whole_NCHW = square_pictures(training, range(18), 24).double()
    for label in range(3):
        expected_CHW = whole_NCHW[training.label_N == label].mean(0)
        assert (found_KCHW[label] - expected_CHW).abs().max() <= 0.5


def test_means_are_computed_once_and_again_where_their_file_is_damaged(
    means: ClassMean, shards: Path, split: ShardDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    means.load()
    (path,) = (tmp_path / "cache").iterdir()
    again = ClassMean(split, ShardDataset(shards, "train"), 16, str(tmp_path / "cache"))
    with monkeypatch.context() as patch:
        patch.setattr(floors, "class_means", lambda *_: pytest.fail("computed again"))
        assert torch.equal(
            again.pictures(silence(1), ["test-0"], 1, 0), means.pictures(silence(1), ["test-0"], 1, 0)
        )
    path.write_bytes(path.read_bytes()[:100])
    third = ClassMean(split, ShardDataset(shards, "train"), 16, str(tmp_path / "cache"))
    assert torch.equal(
        third.pictures(silence(1), ["test-0"], 1, 0), means.pictures(silence(1), ["test-0"], 1, 0)
    )


def test_a_dataset_without_classes_has_no_means(tmp_path: Path) -> None:
    shards = labelled(tmp_path / "shards", (), {"train": [None, None], "test": [None, None]})
    training, split = (ShardDataset(shards, name) for name in ("train", "test"))
    with pytest.raises(
        InputError, match=r"^split test: has no classes to take means of; leave out `class_mean`"
    ):
        ClassMean(split, training, 16, str(tmp_path))
    assert Shuffled(Echo(), split).partner("test-0", 0) == 1
