from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from page_reading import every_image, frames, legend, pictures, sounds, words
from sound2scene import images
from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.retrieval import OWN, RIGHT, WRONG, Kind, draw_reals, draw_retrieval
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


def picture(split: ShardDataset, position: int) -> np.ndarray:
    return np.asarray(images.decode_jpeg(split.member(position, "jpg"), "clip"))


@pytest.mark.parametrize(
    ("label", "kinds"),
    [(None, (OWN, RIGHT, WRONG, WRONG)), (-1, (OWN, WRONG, WRONG, WRONG))],
    ids=["own, class, others", "without labels only the own one is right"],
)
def test_frames_tell_the_own_picture_from_its_class_and_from_others_in_colour_and_in_print(
    split: ShardDataset, label: int | None, kinds: tuple[Kind, ...]
) -> None:
    figure = draw_retrieval(found(label), split, 1, 4)
    expected = [(to_rgb(kind.colour), "--" if kind.dashed else "-") for kind in kinds]
    assert frames(figure) == expected
    assert legend(figure.axes[0]) == [kind.words for kind in (OWN, RIGHT, WRONG)]


def test_pictures_are_those_of_the_clips_found_nearest_first(split: ShardDataset) -> None:
    figure = draw_retrieval(found(), split, 1, 4)
    assert len(sounds(figure)) == 1
    for shown, position in zip(pictures(figure), (3, 3, 6, 4, 5), strict=True):
        np.testing.assert_array_equal(shown, picture(split, position))
    assert {image.get_interpolation() for image in every_image(figure)} == {"nearest"}


def test_title_and_headings_say_what_is_shown_out_of_how_many(split: ShardDataset) -> None:
    figure = draw_retrieval(found(), split, 1, 2, "step 160, seed 0")
    assert words(figure) == [
        "Sounds and the pictures nearest to them",
        "nearest first, out of 4 pictures of the split val, step 160, seed 0",
        *("sound", "its own picture", "found, 1", "found, 2"),
        *("low", "low", "low"),  # the row, and its two captions
    ]


def test_more_neighbours_than_there_are_leave_empty_places(split: ShardDataset) -> None:
    figure = draw_retrieval(found(), split, 2, 6)
    assert len(pictures(figure)) == 2 * (1 + 4)
    assert "found, 5" not in words(figure)


def test_the_length_of_a_latent_does_not_count(split: ShardDataset) -> None:
    plain = found()
    longer = plain._replace(z_image_ND=plain.z_image_ND * torch.tensor([[1.0], [50.0], [9.0], [2.0]]))
    one, other = draw_retrieval(plain, split, 1, 4), draw_retrieval(longer, split, 1, 4)
    assert words(one) == words(other)
    for left, right in zip(pictures(one), pictures(other), strict=True):
        assert (left == right).all()


@pytest.mark.costly
def test_reals_are_pictures_over_their_own_sounds_that_take_turns_through_the_classes(
    split: ShardDataset,
) -> None:
    figure = draw_reals(split, 4, "seed 3")
    assert words(figure) == [
        "Pairs of picture and sound that go in",
        f"split val, {len(split)} clips, seed 3",
        *("picture", "sound"),
        *("low", "middle", "high", "low"),
    ]
    for shown, position in zip(pictures(figure), (0, 1, 2, 3), strict=True):
        np.testing.assert_array_equal(shown, picture(split, position))
    loudest = [int(np.asarray(axes.images[0].get_array()).mean(1).argmax()) for axes in sounds(figure)]
    assert loudest[0] < loudest[1] < loudest[2]  # the pitches of the classes
    assert loudest[3] == pytest.approx(loudest[0], abs=2)
    assert len({id(axes.images[0].norm) for axes in sounds(figure)}) == 1
