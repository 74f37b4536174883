import math
import pickle

import pytest
import torch
from torch import Tensor

from sound2scene.moments import Choice, Footage, Moments, Refused, Scored
from sound2scene.stages.selection import Chooser, SelectionStage, best_moments
from sound2scene.types import InputError


class Fixed:
    side_px = 8

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores

    def score(self, moments: Moments) -> Scored:
        return Scored(torch.tensor(self.scores))


def moments(steps: int) -> Moments:
    frames_SCHW: Tensor = torch.zeros(steps, 3, 8, 8, dtype=torch.uint8)
    return Moments(
        "dog/a", torch.arange(steps, dtype=torch.float64) / 10, frames_SCHW, torch.zeros(steps * 1600)
    )


def test_the_best_come_first_and_of_equal_ones_the_earlier() -> None:
    scorer = Fixed([1.0, 3.0, 2.0, 3.0, 3.0, -1.0])
    choice = best_moments(scorer, moments(6), 0.65, 4)
    assert choice.moments_s == (0.1, 0.3, 0.4, 0.2)
    assert choice.scores == (3.0, 3.0, 3.0, 2.0)
    assert choice.duration_s == 0.65
    equal = best_moments(Fixed([0.0] * 100), moments(100), 10.0, 10)
    assert equal.moments_s == tuple(step / 10 for step in range(10))


def test_a_video_with_fewer_steps_gives_all_of_them() -> None:
    assert best_moments(Fixed([1.0, 2.0]), moments(2), 0.2, 10).moments_s == (0.1, 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_names_the_video_and_the_scorer(bad: float) -> None:
    with pytest.raises(InputError, match=r"^dog/a: Fixed gave a score that is not finite"):
        best_moments(Fixed([1.0, bad]), moments(2), 0.2, 1)


@pytest.mark.parametrize("scores", [[1.0], [1.0, 2.0, 3.0], []])
def test_scores_of_another_number_name_the_video(scores: list[float]) -> None:
    with pytest.raises(InputError, match=r"^dog/a: Fixed gave scores of shape \(\d,\) for 2 steps"):
        best_moments(Fixed(scores), moments(2), 0.2, 1)


def test_a_refused_video_is_handed_on() -> None:
    refused = Refused("silent", "a.mp4: silent")
    assert SelectionStage(Fixed([]), 1).predict_step(Footage("a", refused, 0.0), 0) == ("a", refused)


def test_what_a_decoding_process_has_chosen_or_found_wrong_is_taken_from_it() -> None:
    stage = SelectionStage(Fixed([1.0, 2.0]), 1)
    footage = Footage("dog/a", moments(2), 0.2)
    chosen = pickle.loads(pickle.dumps(stage.choose))(footage)
    assert stage.predict_step(chosen, 0) == stage.predict_step(footage, 0)
    wrong = pickle.loads(pickle.dumps(Chooser(Fixed([math.nan, 1.0]), 1)(footage)))
    with pytest.raises(InputError, match=r"^dog/a: Fixed gave a score that is not finite"):
        stage.predict_step(wrong, 0)


def test_a_scorer_that_asks_for_too_much_memory_loses_that_video_alone() -> None:
    class Looking(Fixed):
        def score(self, moments: Moments) -> Scored:
            return Scored(moments.frames_SCHW.float().mean((1, 2, 3)))

    one_UCHW, shown_S = torch.zeros(1, 3, 224, 224, dtype=torch.uint8), torch.zeros(36_000, dtype=torch.int64)
    held = moments(1)._replace(second_S=shown_S / 10, frames_UCHW=one_UCHW, shown_S=shown_S)
    stage = SelectionStage(Looking([]), 1)
    found = stage.predict_step(Footage("a", held, 3600.0), 0).found
    assert isinstance(found, Refused)
    assert found.kind == "too_large"
    assert isinstance(stage.predict_step(Footage("b", moments(3), 0.3), 1).found, Choice)


def test_a_network_among_scorers_moves_with_the_stage() -> None:
    class Network(torch.nn.Module):
        side_px = 8

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def score(self, moments: Moments) -> Scored:
            return Scored(self.weight.expand(len(moments.second_S)))

    stage = SelectionStage(Network(), 1)
    assert [name for name, _ in stage.named_parameters()] == ["scorer.weight"]
    found = stage.predict_step(Footage("a", moments(3), 0.3), 0)
    assert found == ("a", Choice((0.0,), (1.0,), 0.3))


def test_no_moment_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="--top-k 0"):
        SelectionStage(Fixed([]), 0)
