import pytest

from scoring import EXTENT, DeafBench, IdealBench, IdealClips
from sound2scene.control.score_bench import Part
from sound2scene.control.score_sounds import mixtures, scenes, volume


def values(part: Part) -> dict[str, tuple[float, int]]:
    return {figure.name: (figure.estimate.value, figure.estimate.items) for figure in part.figures}


def test_networks_that_hear_and_draw_well_find_every_scene(ideal_clips: IdealClips) -> None:
    found = values(scenes(IdealBench(), ideal_clips, EXTENT))
    assert found["kind_from_sound"] == (1, 8)
    assert found["kind_from_z_image"] == found["kind_of_real_pictures"] == (1, 8)
    assert found["spread_of_draws"] == (0, 8)  # its draws are all the same
    assert "spread_of_real_pictures" not in found  # every kind is there once


def test_a_deaf_network_finds_the_scenes_of_one_kind_alone(ideal_clips: IdealClips) -> None:
    part = scenes(DeafBench(), ideal_clips, EXTENT)
    found = values(part)
    assert found["kind_from_sound"] == (pytest.approx(1 / 8), 8)
    assert found["kind_from_z_image"] == (1, 8)
    assert part.figures[0].without == 1 / 8


def test_louder_is_bigger_where_it_is_heard_and_nothing_where_it_is_not(ideal_clips: IdealClips) -> None:
    ideal, deaf = (volume(bench, ideal_clips, EXTENT) for bench in (IdealBench(), DeafBench()))
    assert values(ideal)["gain_and_diameter_rank"] == (pytest.approx(1), 8)
    assert values(deaf)["gain_and_diameter_rank"] == (0, 8)
    (course,) = ideal.courses
    assert list(course.at) == [-12, -8, -4, 0, 4, 8, 12]
    assert course.lines["diameter"] == sorted(course.lines["diameter"])
    assert course.lines["share_found"] == [1] * 7


def test_two_sounds_are_both_there_between_the_ends_of_a_mixture_and_never_at_them(
    ideal_clips: IdealClips,
) -> None:
    part = mixtures(IdealBench(), ideal_clips, EXTENT)
    assert values(part) == {"both_at_equal_level": (1, 8), "both_of_two": (1, 3)}
    assert part.figures[0].without == 0
    assert part.figures[1].without == 0
    (course,) = part.courses
    assert list(course.at) == [1, 0.75, 0.5, 0.25, 0]
    assert course.lines["first_found"] == [1, 1, 1, 1, 0]
    assert course.lines["second_found"] == [0, 1, 1, 1, 1]
    assert course.lines["both_found"] == [0, 1, 1, 1, 0]


def test_a_deaf_network_shows_no_two_sounds(ideal_clips: IdealClips) -> None:
    found = values(mixtures(DeafBench(), ideal_clips, EXTENT))
    assert found == {"both_at_equal_level": (0, 8), "both_of_two": (0, 3)}
