from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from sound2scene import images
from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.retrieval import OWN, RIGHT, WRONG, draw_reals, draw_retrieval
from sound2scene.types import Retrieved


@pytest.fixture
def split(tiny_shards: Path) -> ShardDataset:
    return ShardDataset(str(tiny_shards), "val")


def found(label: int | None = None) -> Retrieved:
    """Latents of four clips, the first of which finds itself, then its class (position 6), then 4 and 5."""
    index_N = torch.tensor([3, 4, 5, 6])
    label_N = torch.tensor([0, 1, 2, 0]) if label is None else torch.full((4,), label)
    z_audio_ND = torch.tensor([[0.9, 0.5, 0.3, 0.7], *[[1.0, 0.0, 0.0, 0.0]] * 3])
    return Retrieved(index_N, label_N, z_audio_ND, torch.eye(4))


def frame(axes: Axes) -> tuple[float, ...] | None:
    spine = axes.spines["left"]
    return to_rgb(spine.get_edgecolor()) if spine.get_visible() else None


def picture(split: ShardDataset, position: int) -> np.ndarray:
    return np.asarray(images.decode_jpeg(split.member(position, "jpg"), "clip").resize((128, 128)))


@pytest.mark.parametrize(
    ("label", "frames"),
    [(None, (OWN, RIGHT, WRONG, WRONG)), (-1, (OWN, WRONG, WRONG, WRONG))],
    ids=["own, class, others", "without labels only the own one is right"],
)
def test_frames_tell_the_own_picture_from_its_class_and_from_others(
    split: ShardDataset, label: int | None, frames: tuple[str, ...]
) -> None:
    figure = draw_retrieval(found(label), split, 1, 4)
    assert [frame(axes) for axes in figure.axes] == [None, None, *map(to_rgb, frames)]


def test_pictures_are_those_of_the_clips_found_nearest_first(split: ShardDataset) -> None:
    figure = draw_retrieval(found(), split, 1, 4)
    assert np.asarray(figure.axes[0].images[0].get_array()).ndim == 2  # the sound
    for axes, position in zip(figure.axes[1:], (3, 3, 6, 4, 5), strict=True):
        np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), picture(split, position))


def test_more_neighbours_than_there_are_leave_empty_places(split: ShardDataset) -> None:
    figure = draw_retrieval(found(), split, 2, 6)
    assert [axes.axison for axes in figure.axes] == ([True] * 6 + [False] * 2) * 2


def test_the_length_of_a_latent_does_not_count(split: ShardDataset) -> None:
    plain = found()
    longer = plain._replace(z_image_ND=plain.z_image_ND * torch.tensor([[1.0], [50.0], [9.0], [2.0]]))
    for one, other in zip(
        draw_retrieval(plain, split, 1, 4).axes, draw_retrieval(longer, split, 1, 4).axes, strict=True
    ):
        assert one.get_title() == other.get_title()
        assert (np.asarray(one.images[0].get_array()) == np.asarray(other.images[0].get_array())).all()


def test_reals_are_pictures_over_their_own_sounds_that_take_turns_through_the_classes(
    split: ShardDataset,
) -> None:
    figure = draw_reals(split, 4)
    above, below = figure.axes[:4], figure.axes[4:]
    assert [axes.get_title() for axes in above] == ["low", "middle", "high", "low"]
    for axes, position in zip(above, (0, 1, 2, 3), strict=True):
        np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), picture(split, position))
    loudest = [int(np.asarray(axes.images[0].get_array()).mean(1).argmax()) for axes in below]
    assert loudest[0] < loudest[1] < loudest[2]  # the pitches of the classes
    assert loudest[3] == pytest.approx(loudest[0], abs=2)
