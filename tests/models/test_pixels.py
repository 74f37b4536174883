import pytest
import torch

from sound2scene.images import MEAN, STD
from sound2scene.models.pixels import prepared


def test_pixels_are_scaled_normalised_and_resized() -> None:
    flat_BCHW = torch.tensor([0, 128, 255], dtype=torch.uint8)[None, :, None, None].expand(2, 3, 8, 6)
    found = prepared(flat_BCHW, 5)
    assert found.shape == (2, 3, 5, 5)
    expected_C = (torch.tensor([0, 128 / 255, 1]) - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(found, expected_C[None, :, None, None].expand_as(found), rtol=1e-5, atol=1e-5)


def test_pictures_of_the_right_size_are_not_resampled() -> None:
    pixels_BCHW = torch.randint(256, (1, 3, 7, 7), dtype=torch.uint8)
    torch.testing.assert_close(prepared(pixels_BCHW, 7, (0.0,) * 3, (1.0,) * 3), pixels_BCHW / 255)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bfloat16])
def test_anything_but_uint8_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match="only uint8 pixels can be measured"):
        prepared(torch.zeros(1, 3, 4, 4, dtype=dtype), 4)
