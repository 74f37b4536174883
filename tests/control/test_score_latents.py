import pytest

from scoring import EXTENT, DeafBench, IdealBench, IdealClips
from sound2scene.control.score_bench import Figure, Part
from sound2scene.control.score_latents import edits, ways_between_sounds, ways_from_pictures


def named(part: Part) -> dict[str, Figure]:
    return {figure.name: figure for figure in part.figures}


def test_ways_whose_pictures_follow_the_latent_are_even_and_straight(ideal_clips: IdealClips) -> None:
    ways = (ways_between_sounds, ways_from_pictures)
    between, from_pictures = (named(way(IdealBench(), ideal_clips, EXTENT)) for way in ways)
    for figure in (between["evenness_between_sounds"], from_pictures["evenness_from_pictures"]):
        assert 1 <= figure.estimate.value < 1.5
        assert (figure.estimate.items, figure.without) == (8, 4)
    for figure in (between["detour_between_sounds"], from_pictures["detour_from_pictures"]):
        assert 1 <= figure.estimate.value < 1.2


def test_a_deaf_network_goes_no_way_between_sounds_and_earns_no_smoothness(ideal_clips: IdealClips) -> None:
    found = named(ways_between_sounds(DeafBench(), ideal_clips, EXTENT))
    assert found["evenness_between_sounds"].estimate.value == pytest.approx(4)
    assert found["detour_between_sounds"].estimate.value == pytest.approx(4)


def test_a_way_from_a_picture_keeps_its_background_while_the_sound_comes_in(ideal_clips: IdealClips) -> None:
    part = ways_from_pictures(IdealBench(), ideal_clips, EXTENT)
    found, (course,) = named(part), part.courses
    assert list(course.at) == [0, 0.25, 0.5, 0.75, 1]
    assert course.lines["pictures_kind_found"] == [1, 1, 1, 1, 0]
    assert course.lines["sounds_kind_found"] == [0, 1, 1, 1, 1]
    assert course.lines["both_found"] == [0, 1, 1, 1, 0]
    assert course.lines["pictures_background_kept"][:4] == [1, 1, 1, 1]
    assert course.lines["pictures_background_kept"][4] < 1
    halfway = found["background_and_sound_halfway"]
    assert (halfway.estimate.value, halfway.without) == (1, course.lines["pictures_background_kept"][4])
    assert found["blend_rank"].estimate.value > 0.7


def test_edits_move_sizes_the_right_way_and_keep_the_picture(ideal_clips: IdealClips) -> None:
    found = named(edits(IdealBench(), ideal_clips, EXTENT))
    assert found["edit_moved_right"].estimate[::3] == (1, 3)
    assert found["edit_louder_grew"].estimate.value == found["edit_quieter_shrank"].estimate.value == 1
    assert found["edit_background_kept"].estimate.value == 1
    assert found["inversion_feature_cosine"].estimate.value == pytest.approx(1)
    cosine = found["edit_feature_cosine"]
    assert cosine.without is not None
    assert cosine.without < cosine.estimate.value < 1


def test_an_edit_that_changes_nothing_has_not_moved_the_right_way(ideal_clips: IdealClips) -> None:
    found = named(edits(DeafBench(), ideal_clips, EXTENT))
    assert found["edit_moved_right"].estimate.value == 0
    assert found["edit_feature_cosine"].estimate.value == pytest.approx(1)
