import pytest

from scoring import EXTENT, IdealBench, IdealClips
from sound2scene.control.score import measure


@pytest.mark.costly
def test_all_of_control_is_measured_and_every_figure_has_a_name_of_its_own(ideal_clips: IdealClips) -> None:
    measured = measure(IdealBench(), ideal_clips, EXTENT)
    names = [figure.name for figure in measured.figures]
    assert len(set(names)) == len(names)
    claims = list(dict.fromkeys(figure.claim for figure in measured.figures if figure.claim))
    assert claims == [
        "sound finds its scene",
        "louder is bigger",
        "two sounds, both there",
        "interpolation is smooth",
        "sound and picture blend",
        "editing keeps the picture and moves the right way",
    ]
    assert [course.name for course in measured.courses] == ["volume", "mixture", "blend"]
    assert measure(IdealBench(), ideal_clips, EXTENT) == measured  # no chance is left over
