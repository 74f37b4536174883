from typing import Any

import numpy as np
import pytest
import torch

from sound2scene.stages.s2i_objective import Objective
from sound2scene.types import InputError


def test_the_pixel_loss_is_the_mean_error_over_all_values() -> None:
    one, other = torch.rand(2, 3, 3, 4, 4).unbind()
    difference = (one - other).numpy()
    squared = Objective().pixel_loss(one, other)
    absolute = Objective("absolute").pixel_loss(one, other)
    assert float(squared) == pytest.approx(np.square(difference).mean(), rel=1e-5)
    assert float(absolute) == pytest.approx(np.abs(difference).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"pixel_weight": -1.0}, r"objective\.pixel_weight is -1"),
        ({"moving_average": 1.0}, r"objective\.moving_average is 1\.0"),
        ({"pixel": "huber"}, r"^objective\.pixel is 'huber'; choose squared or absolute$"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(setting: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Objective(**setting).checked()
