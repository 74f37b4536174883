import json
from typing import Any

import pytest
import torch

from listening import Blind, Loudest
from sound2scene.moments import Choice, Known, Moments, Scored, Scorer, windows
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


def test_windows_of_a_long_video_take_the_memory_of_themselves_alone() -> None:
    found_ST = windows(torch.ones(16_000), torch.tensor([1e6], dtype=torch.float64), 0.5)
    assert found_ST.shape == (1, 8_000)


def repeated(steps: int, side_px: int = 4) -> Moments:
    frames_UCHW = torch.arange(2, dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, side_px, side_px)
    second_S, shown_S = torch.arange(steps, dtype=torch.float64) / 10, torch.arange(steps) * 2 // steps
    return Moments("k", second_S, frames_UCHW, torch.zeros(steps * 1600), shown_S)


def test_a_scorer_sees_the_frame_of_every_step_though_each_is_held_once() -> None:
    moments = repeated(6)
    assert moments.frames_SCHW.shape == (6, 3, 4, 4)
    assert moments.frames_SCHW[:, 0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert moments.frames_at(torch.tensor([5, 0]))[:, 0, 0, 0].tolist() == [1, 0]
    own = Moments("k", moments.second_S, moments.frames_SCHW, moments.waveform_T)
    assert torch.equal(own.frames_SCHW, moments.frames_SCHW)
    assert torch.equal(own.frames_at(torch.tensor([5, 0])), moments.frames_at(torch.tensor([5, 0])))


def test_frames_of_every_step_that_take_gigabytes_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"k: its frames at 36000 steps take 5168 MiB; cut it") as caught:
        repeated(36_000, 224).frames_SCHW  # noqa: B018 (the look is the act)
    assert caught.value.kind == "too_large"


def test_a_map_of_a_step_is_spread_where_a_scorer_says_how() -> None:
    map_SHW = torch.arange(8.0).view(2, 2, 2)
    assert Scored(torch.zeros(2)).map_at(1) is None
    assert torch.equal(Scored(torch.zeros(2), map_SHW).map_at(1), map_SHW[1])
    assert torch.equal(Scored(torch.zeros(2), map_SHW, lambda maps: -maps).map_at(1), -map_SHW[1])


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
