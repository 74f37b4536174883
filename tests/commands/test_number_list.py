import pytest

from sound2scene.commands.number_list import MOST, numbers_of
from sound2scene.ranges import Range
from sound2scene.types import InputError

ANY = Range()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("-16:16:8", [-16, -8, 0, 8, 16]),
        ("0,12", [0, 12]),
        ("1:0:-0.25", [1, 0.75, 0.5, 0.25, 0]),
        ("0:1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("0:5:2, 7", [0, 2, 4, 7]),
        ("3:3:1", [3]),
        ("-0.5", [-0.5]),
    ],
)
def test_ranges_and_lists_are_read_with_both_ends(text: str, numbers: list[float]) -> None:
    assert numbers_of(text, "--db", ANY) == numbers


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "--db: an empty list"),
        (" , ", "--db: an empty list"),
        ("nan", "'nan' is no finite number"),
        ("0:inf:1", "'inf' is no finite number"),
        ("1:2", "neither a number nor a range"),
        ("1:2:0", "a step of 0 leads nowhere"),
        ("1:2:-1", "the step leads away from 2"),
        ("0:1e9:1", f"more than {MOST} numbers"),
        (",".join(["0:900:1"] * 2), f"more than {MOST} numbers"),
        ("5", "--db: 5 is out of its range; set it below 5"),
    ],
)
def test_what_is_no_list_of_numbers_is_one_line(text: str, line: str) -> None:
    with pytest.raises(InputError) as caught:
        numbers_of(text, "--db", Range(below=5))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
