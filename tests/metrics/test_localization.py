import pytest
import torch

from sound2scene.metrics.localization import area_under_curve, box_mask, ciou, foreground, success
from sound2scene.types import DivergedError


def test_a_map_that_is_the_box_has_ciou_1_and_one_elsewhere_0() -> None:
    box = (0.25, 0.5, 0.75, 1.0)
    map_HW = box_mask([box], 16, 16).float()
    assert ciou(map_HW, [box], 0.5) == 1
    assert ciou(map_HW, [(0.0, 0.0, 0.25, 0.25)], 0.5) == 0


def test_ciou_counts_cells_of_the_union_of_boxes() -> None:
    map_HW = torch.zeros(10, 10)
    map_HW[:5, :4] = 1  # 20 cells
    boxes = [(0.0, 0.0, 0.2, 0.5), (0.1, 0.0, 0.3, 0.5), (0.9, 0.9, 1.0, 1.0)]  # 15 cells and 1 far away
    assert ciou(map_HW, boxes, 0.5) == pytest.approx(15 / 21)


def test_a_box_is_rows_by_y_and_columns_by_x() -> None:
    mask_HW = box_mask([(0.5, 0.0, 1.0, 0.25)], 8, 4)
    assert mask_HW.nonzero().tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]


def test_scale_and_offset_of_a_map_change_nothing() -> None:
    torch.manual_seed(0)
    map_HW = torch.rand(12, 12)
    for threshold in (0.3, "median"):
        plain = foreground(map_HW, threshold)  # type: ignore[arg-type]
        assert torch.equal(plain, foreground(map_HW * 50 - 7, threshold))  # type: ignore[arg-type]


def test_the_median_points_to_half_of_the_picture() -> None:
    torch.manual_seed(0)
    assert int(foreground(torch.rand(16, 16), "median").sum()) == 127  # 256 / 2 less the median itself


def test_a_flat_map_points_nowhere() -> None:
    assert not foreground(torch.full((4, 4), 2.0), 0.3).any()


def test_area_under_the_curve_of_known_values() -> None:
    # Success is 1 up to 0.5 and 0 from 0.55 on: 10 whole steps and a falling one.
    assert area_under_curve(torch.tensor([0.5, 0.5])) == pytest.approx(0.5 + 0.025)
    assert area_under_curve(torch.tensor([1.0])) == pytest.approx(1.0)
    assert area_under_curve(torch.tensor([0.0])) == pytest.approx(0.025)
    assert success(torch.tensor([0.49, 0.5, 0.9, 0.1])) == 0.5


def test_a_map_that_is_not_finite_is_no_figure() -> None:
    with pytest.raises(DivergedError, match="NaN or infinity"):
        ciou(torch.full((4, 4), torch.nan), [(0.0, 0.0, 1.0, 1.0)], 0.3)
