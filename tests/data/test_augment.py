import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sound2scene.data.augment import MultiCrop, PixelCrop, SoundShift, ViewChange
from sound2scene.images import MEAN, STD
from sound2scene.types import InputError

STILL = {"colour": 0.0, "hue": 0.0, "grey": 0.0, "blur": 0.0}


def picture(seed: int = 0, width: int = 60, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def seeded(change: Callable[[], Tensor], seed: int) -> Tensor:
    torch.manual_seed(seed)
    return change()


def to_pixels(views_VCHW: Tensor) -> Tensor:
    return views_VCHW * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]


def one_size(
    side: int, crops: int, smallest_crop: float = 0.14, **change: float
) -> Callable[[Image.Image], Tensor]:
    multi = MultiCrop([side], [crops], [(smallest_crop, 1.0)], change=ViewChange(**change))
    return lambda image: multi(image)[0]


@pytest.mark.parametrize(("side", "views"), [(32, 1), (64, 2), (224, 3)])
def test_views_have_their_shape_and_the_range_of_a_normalised_picture(side: int, views: int) -> None:
    for seed in range(5):
        views_VCHW = seeded(lambda: one_size(side, views)(picture()), seed)
        assert views_VCHW.shape == (views, 3, side, side)
        assert views_VCHW.dtype == torch.float32
        pixels_VCHW = to_pixels(views_VCHW)
        assert pixels_VCHW.min() >= -1e-5
        assert pixels_VCHW.max() <= 1 + 1e-5


def test_views_are_a_function_of_the_seed_and_differ_from_each_other() -> None:
    change = one_size(32, 2)
    first, again, other = (seeded(lambda: change(picture()), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_without_any_change_a_view_is_the_picture() -> None:
    change = one_size(32, 8, smallest_crop=1.0, **STILL)
    square = picture(width=32, height=32)
    whole_CHW = torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1) / 255
    pixels_VCHW = to_pixels(seeded(lambda: change(square), 0))
    mirrored = [torch.allclose(view_CHW, whole_CHW.flip(2), atol=1e-5) for view_CHW in pixels_VCHW]
    assert [torch.allclose(view_CHW, whole_CHW, atol=1e-5) for view_CHW in pixels_VCHW] == [
        not m for m in mirrored
    ]
    assert 0 < sum(mirrored) < 8


def test_each_change_can_be_turned_on_alone() -> None:
    still = {"smallest_crop": 1.0, **STILL}
    square = picture(width=32, height=32)
    plain_CHW = torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1) / 255

    def views(**on: float) -> Tensor:
        return to_pixels(seeded(lambda: one_size(32, 4, **still | on)(square), 0))

    grey_VCHW = views(grey=1.0)
    assert torch.allclose(grey_VCHW[:, 0], grey_VCHW[:, 1], atol=1e-5)
    blurred_VCHW = views(blur=1.0)
    assert (blurred_VCHW.std((1, 2, 3)) < plain_CHW.std() * 0.99).all()
    for on in ({"colour": 1.0}, {"hue": 0.3}, {"smallest_crop": 0.1}):
        drawn_VCHW = views(**on)
        same = [torch.allclose(v, p, atol=1e-3) for v in drawn_VCHW for p in (plain_CHW, plain_CHW.flip(2))]
        assert sum(same) < 4  # the jitter leaves one view in five as it is


def test_each_resolution_has_its_own_number_of_crops_and_share_of_the_picture() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))
    torch.manual_seed(0)
    crops = MultiCrop([32, 16], [2, 30], [(0.9, 1.0), (0.05, 0.1)], change=ViewChange(**STILL))
    large, small = crops(Image.fromarray(ramp))
    assert large.shape == (2, 3, 32, 32)
    assert small.shape == (30, 3, 16, 16)
    # On a ramp from left to right, the range of grey tells the width of the crop.
    width = (to_pixels(small)[:, 0, 0].amax(1) - to_pixels(small)[:, 0, 0].amin(1)).numpy()
    assert width.max() < math.sqrt(0.1 * 4 / 3)
    assert (to_pixels(large)[:, 0, 0].amax(1) - to_pixels(large)[:, 0, 0].amin(1)).min() > 0.75


def cross(side: int = 64) -> Image.Image:
    """Black left, white right, and a red square in the upper half."""
    pixels_HWC = np.zeros((side, side, 3), np.uint8)
    pixels_HWC[:, side // 2 :] = 255
    pixels_HWC[16:32, 24:40] = (255, 0, 0)
    return Image.fromarray(pixels_HWC)


def red_box(view_CHW: Tensor) -> tuple[int, int]:
    """Height and width of what is red."""
    is_red_HW = (view_CHW[0] > 0.6) & (view_CHW[1] < 0.4)
    return int(is_red_HW.any(1).sum()), int(is_red_HW.any(0).sum())


def test_without_flips_and_at_one_aspect_left_stays_left_and_squares_stay_square() -> None:
    crops = MultiCrop([64], [8], [(0.8, 1.0)], aspect=1.0, change=ViewChange(flip=0.0, **STILL))
    for view_CHW in to_pixels(seeded(lambda: crops(cross())[0], 0)):
        assert view_CHW[:, -1, 0].max() < 0.1
        assert view_CHW[:, -1, -1].min() > 0.9
        height, width = red_box(view_CHW)
        assert abs(height - width) <= 1
        assert 15 <= height <= 19
    usual = MultiCrop([64], [8], [(0.8, 1.0)], change=ViewChange(flip=0.0, **STILL))
    boxes = [red_box(view_CHW) for view_CHW in to_pixels(seeded(lambda: usual(cross())[0], 0))]
    assert max(abs(height - width) for height, width in boxes) > 1


def test_a_shift_moves_what_is_seen_as_far_as_it_may_and_keeps_its_size() -> None:
    pixels_HWC = np.zeros((64, 64, 3), np.uint8)
    pixels_HWC[28:36, 28:36] = 255
    crops = MultiCrop([64], [200], [(1.0, 1.0)], aspect=1.0, change=ViewChange(flip=0.0, **STILL), shift=0.25)
    places = []
    for view_CHW in to_pixels(seeded(lambda: crops(Image.fromarray(pixels_HWC))[0], 0)):
        rows, columns = (view_CHW[0] > 0.5).nonzero().unbind(1)
        assert (rows.max() - rows.min(), columns.max() - columns.min()) == (7, 7)
        places.append((int(rows.min()) - 28, int(columns.min()) - 28))
    for moved in zip(*places, strict=True):
        assert (min(moved), max(moved)) == (-16, 16)


def test_a_wide_picture_is_shifted_by_shares_of_its_own_height_and_width() -> None:
    pixels_HWC = np.zeros((32, 80, 3), np.uint8)
    pixels_HWC[16, 40] = 255
    crops = MultiCrop([32], [300], [(1.0, 1.0)], change=ViewChange(flip=0.0, **STILL), shift=0.25)
    crops.crops[0] = torch.nn.Identity()  # the whole of what is shifted
    places = [
        (int(row) - 16, int(column) - 40)
        for view_CHW in to_pixels(seeded(lambda: crops(Image.fromarray(pixels_HWC))[0], 0))
        for row, column in (view_CHW[0] > 0.5).nonzero()
    ]
    down, right = zip(*places, strict=True)
    assert (min(down), max(down), min(right), max(right)) == (-8, 8, -20, 20)


def test_beyond_the_edge_of_a_shifted_picture_its_edge_goes_on() -> None:
    stripes_HWC = np.zeros((32, 32, 3), np.uint8)
    stripes_HWC[:, :16] = 255
    crops = MultiCrop([32], [50], [(1.0, 1.0)], aspect=1.0, change=ViewChange(flip=0.0, **STILL), shift=0.25)
    for view_CHW in to_pixels(seeded(lambda: crops(Image.fromarray(stripes_HWC))[0], 0)):
        assert ((view_CHW - view_CHW.round()).abs() < 1e-5).all()
        assert (view_CHW[:, :, 0] > 0.5).all()
        assert (view_CHW[:, :, -1] < 0.5).all()


@pytest.mark.parametrize("shift", [-0.1, 1.0])
def test_a_shift_of_the_whole_picture_or_the_other_way_is_refused(shift: float) -> None:
    with pytest.raises(InputError, match=r"MultiCrop\.shift is .*; set it to at least 0 and below 1"):
        MultiCrop([32], [1], [(1.0, 1.0)], shift=shift)


def test_a_tint_takes_the_hue_of_pale_colours_and_leaves_that_of_bright_ones() -> None:
    pixels_HWC = np.zeros((32, 32, 3), np.uint8)
    pixels_HWC[:, :16] = (140, 120, 120)
    pixels_HWC[:, 16:] = (200, 20, 20)
    views_VCHW = to_pixels(
        seeded(lambda: one_size(32, 32, 1.0, flip=0.0, tint=0.3, **STILL)(Image.fromarray(pixels_HWC)), 0)
    )
    pale_V, bright_V = (views_VCHW[:, :, 16, column].argmax(1) for column in (4, 28))
    assert len(set(pale_V.tolist())) == 3
    assert set(bright_V.tolist()) == {0}
    still_VCHW = to_pixels(
        seeded(lambda: one_size(32, 4, 1.0, flip=0.0, **STILL)(Image.fromarray(pixels_HWC)), 0)
    )
    assert (still_VCHW[:, :, 16, 4].argmax(1) == 0).all()


def test_a_pattern_is_another_each_time_and_leaves_the_object_as_it_is() -> None:
    plain_VCHW = to_pixels(seeded(lambda: one_size(64, 64, 1.0, flip=0.0, **STILL)(cross()), 0))
    views_VCHW = to_pixels(seeded(lambda: one_size(64, 64, 1.0, flip=0.0, pattern=0.3, **STILL)(cross()), 0))
    change_VCHW = views_VCHW - plain_VCHW
    assert change_VCHW.abs().max() <= 0.3 * 1.4 + 0.01
    assert (change_VCHW.abs().amax((1, 2, 3)) > 0.02).float().mean() > 0.8
    assert (views_VCHW.flatten(1)[1:] - views_VCHW.flatten(1)[:1]).abs().amax(1).min() > 0.01
    red_V = (views_VCHW[:, 0] - views_VCHW[:, 1])[:, 18:30, 26:38].mean((1, 2))
    assert (red_V > 0.5).all()


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="sides_px, counts and areas have 2, 1 and 1 entries"):
        MultiCrop([32, 16], [2], [(0.5, 1.0)])


def test_a_pixel_crop_is_uint8_a_function_of_the_seed_and_holds_nothing_else() -> None:
    change = PixelCrop(24, smallest_crop=0.3)
    first, again, other = (seeded(lambda: change(picture()), seed) for seed in (1, 1, 2))
    assert (first.dtype, first.shape) == (torch.uint8, (3, 24, 24))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    flat = Image.fromarray(np.full((40, 40, 3), 77, np.uint8))
    assert (seeded(lambda: change(flat), 0) == 77).all()


def waveform(seed: int = 0) -> Tensor:
    return torch.rand(16_000, generator=torch.Generator().manual_seed(seed)) - 0.5


def test_a_shift_without_gain_keeps_every_sample_and_so_the_energy() -> None:
    before_T = waveform()
    after_T = seeded(lambda: SoundShift(0.0)(before_T), 3)
    assert not torch.equal(after_T, before_T)
    assert torch.equal(after_T.sort().values, before_T.sort().values)
    start = int((after_T == before_T[0]).nonzero()[0])
    assert torch.equal(after_T.roll(-start), before_T)


def test_shift_and_gain_are_functions_of_the_seed() -> None:
    first, again, other = (seeded(lambda: SoundShift()(waveform()), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.costly
def test_gains_are_uniform_in_their_range() -> None:
    quiet_T = waveform() * 0.1
    gains_db = [
        20 * math.log10(float(seeded(lambda: SoundShift(6.0)(quiet_T), seed).norm() / quiet_T.norm()))
        for seed in range(300)
    ]
    assert -6 <= min(gains_db) < -5.5
    assert 5.5 < max(gains_db) <= 6
    assert abs(sum(gains_db) / len(gains_db)) < 0.6


def test_a_loud_sound_is_clipped_at_full_scale() -> None:
    loud_T = torch.full((1000,), 0.9)
    found = [seeded(lambda: SoundShift(12.0)(loud_T), seed) for seed in range(20)]
    assert all(after_T.abs().max() <= 1 for after_T in found)
    assert any((after_T == 1).all() for after_T in found)
