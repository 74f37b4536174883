import math

import pytest

from sound2scene import ranges
from sound2scene.ranges import Range, check
from sound2scene.types import InputError


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "words"),
    [
        (Range(at_least=2), [2, 3.5], [1.9], "at least 2"),
        (Range(above=0), [1e-9], [0, -1], "above 0"),
        (Range(between=(0, 1)), [0, 0.5, 1], [-0.1, 1.1], "between 0 and 1"),
        (Range(at_least=0, below=1), [0, 0.99], [1, -0.1], "at least 0 and below 1"),
        (Range(), [-1e300, 0], [], "finite"),
    ],
)
def test_a_range_holds_what_lies_in_it_and_says_so(
    limits: Range, inside: list[float], outside: list[float], words: str
) -> None:
    check("x", limits, **{f"n{number}": value for number, value in enumerate(inside)})
    for value in [*outside, math.nan, math.inf, -math.inf, True, "1", [1]]:
        with pytest.raises(InputError, match=rf"^x\.width is .*; it must be {words}$"):
            check("x", limits, width=value)


def test_what_is_left_out_will_do_and_a_long_number_is_cut() -> None:
    check("x", ranges.WIDTH, width=None)
    with pytest.raises(InputError) as caught:
        check("x", ranges.WIDTH, width=10**4000)
    assert len(str(caught.value)) < 200
