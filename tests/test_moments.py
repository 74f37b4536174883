import json
from typing import Any

import pytest
import torch

from listening import Blind, Loudest
from sound2scene.moments import Choice, Known, Scored, Scorer, windows
from sound2scene.types import InputError


def test_a_window_is_centred_on_its_second() -> None:
    waveform_T = torch.arange(160_000.0)
    found_ST = windows(waveform_T, torch.tensor([2.0, 5.5], dtype=torch.float64), 1.0)
    assert found_ST.shape == (2, 16_000)
    assert torch.equal(found_ST[0], waveform_T[24_000:40_000])
    assert torch.equal(found_ST[1], waveform_T[80_000:96_000])


def test_beyond_both_ends_is_silence() -> None:
    waveform_T = torch.ones(16_000)
    first_T, last_T, beyond_T = windows(waveform_T, torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64), 1.0)
    assert first_T[:8_000].sum() == 0
    assert first_T[8_000:].sum() == 8_000
    assert last_T[:8_000].sum() == 8_000
    assert last_T[8_000:].sum() == 0
    assert beyond_T.sum() == 0


def test_each_step_of_a_tenth_of_a_second_moves_the_window_by_1600_samples() -> None:
    waveform_T = torch.arange(48_000.0)
    second_S = torch.arange(10, 20, dtype=torch.float64) / 10
    assert windows(waveform_T, second_S, 0.5)[:, 0].diff().tolist() == [1600.0] * 9


def test_a_choice_survives_json_rounded_to_a_microsecond() -> None:
    choice = Choice((2.1234567, 7.0), (0.75, -0.25), 10.04)
    written = json.loads(json.dumps(choice.as_json()))
    assert written == {"moments_s": [2.123457, 7.0], "scores": [0.75, -0.25], "duration_s": 10.04}
    assert Choice.from_json(written, "clip") == Choice((2.123457, 7.0), (0.75, -0.25), 10.04)
    unscored = Choice((3.0,), (), 10.0)
    assert Choice.from_json(unscored.as_json(), "clip") == unscored
    assert str(Choice((-0.0000001,), (), 1.0).as_json()["moments_s"]) == "[0.0]"  # no minus zero


WHOLE: dict[str, Any] = {"moments_s": [1.0], "scores": [0.5], "duration_s": 10.0}


@pytest.mark.parametrize(
    "damage",
    [
        None,
        [1.0],
        WHOLE | {"scores": 10**6 * [[]]},
        {"moments_s": [1.0], "scores": [0.5]},
        WHOLE | {"moments_s": 1.0},
        WHOLE | {"moments_s": ["1"]},
        WHOLE | {"scores": [float("nan")]},
        WHOLE | {"scores": [True]},
        WHOLE | {"duration_s": float("inf")},
        WHOLE | {"moments_s": []},
        WHOLE | {"moments_s": [-0.1]},
        WHOLE | {"moments_s": [1.0, 2.0]},
    ],
)
def test_a_damaged_choice_is_one_line_with_its_name_and_the_remedy(damage: object) -> None:
    with pytest.raises(InputError, match=r"^clip-7: .+; select again$"):
        Choice.from_json(damage, "clip-7")


def test_nothing_is_known_of_a_video_and_a_score_needs_no_map_unless_told() -> None:
    assert Known() == (None, (), None)
    assert Scored(torch.ones(3)).map_SHW is None


def test_a_scorer_is_whatever_scores_frames_of_a_side() -> None:
    assert isinstance(Loudest(), Scorer)
    assert not isinstance(Blind(), Scorer)
