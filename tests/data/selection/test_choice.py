from pathlib import Path

import pytest

from sound2scene.data.selection.choice import MomentChoice
from sound2scene.data.selection.file import Selection
from sound2scene.moments import Choice
from sound2scene.types import InputError

SCORER = {"name": "tests", "fingerprint": "ab", "settings": {}}
CHOSEN = Selection(
    SCORER,
    {"dog/a": Choice((4.2, 9.0), (0.75, 0.5), 12.0), "b": Choice((1.5,), (), 10.0)},
    {"mute": ("silent", "mute.mp4: is silent")},
)
VIDEO = Path("videos/x.mp4")


def test_a_selected_video_gets_its_best_moment_and_what_is_known_of_it() -> None:
    choice = MomentChoice(CHOSEN, side_px=128)
    assert choice.job("dog/a", VIDEO, "dog-a", "dog") == {
        "key": "dog-a",
        "label": "dog",
        "video": str(VIDEO),
        "side_px": 128,
        "moment_s": 4.2,
        "duration_s": 12.0,
        "metadata": {"scorer": "tests", "score": 0.75},
    }
    assert choice.job("b", VIDEO, "b", None)["metadata"] == {"scorer": "tests"}


def test_a_video_that_was_rejected_stays_so_whatever_the_rule() -> None:
    for frame in (None, "middle"):
        job = MomentChoice(CHOSEN, frame).job("mute", VIDEO, "mute", None)  # type: ignore[arg-type]
        assert job["rejected"] == ("silent", "mute.mp4: is silent")
        assert "moment_s" not in job


def test_a_video_that_is_not_selected_is_left_out_or_has_its_moment_by_the_rule() -> None:
    kind, reason = MomentChoice(CHOSEN).job("new", VIDEO, "new", None)["rejected"]
    assert (kind, reason) == (
        "not_selected",
        f"{VIDEO}: not in the selection; select its moment or give --frame",
    )
    assert MomentChoice(CHOSEN, "random").job("new", VIDEO, "new", None)["moment_s"] == "random"


def test_without_a_selection_the_middle_is_taken_unless_a_rule_says_otherwise() -> None:
    assert MomentChoice().job("new", VIDEO, "new", None)["moment_s"] == "middle"
    assert MomentChoice(None, "random").job("new", VIDEO, "new", None)["moment_s"] == "random"


def test_videos_and_selection_are_matched_in_their_spelling_and_other_names_are_passed_over() -> None:
    def spelling(name: str) -> str | None:
        return name.rpartition("/")[2].upper() if name != "b" else None

    choice = MomentChoice(CHOSEN, spelling=spelling)
    assert choice.job("A", VIDEO, "a", None)["moment_s"] == 4.2
    assert choice.job("MUTE", VIDEO, "mute", None)["rejected"][0] == "silent"
    assert choice.job("b", VIDEO, "b", None)["rejected"][0] == "not_selected"


def test_two_entries_of_one_name_are_refused_by_name() -> None:
    twice = Selection(SCORER, {name: Choice((1.0,), (), 10.0) for name in ("x/a", "y/a")}, {})
    assert MomentChoice(twice)
    with pytest.raises(InputError, match="y/a: stands twice in the selection, in two spellings; keep one"):
        MomentChoice(twice, spelling=lambda name: name[2:])


def test_a_side_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="side 0: give"):
        MomentChoice(side_px=0)


def test_the_notes_say_who_chose_and_what_else_was_asked_for() -> None:
    assert MomentChoice(CHOSEN, "random", 64).notes() == {
        "frame": "random",
        "side_px": 64,
        "scorer": SCORER,
    }
    assert MomentChoice().notes() == {"frame": "middle", "side_px": 256}
