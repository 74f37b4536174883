import pytest
import torch

from sound2scene.models.scorers import Middle, Random
from sound2scene.moments import Moments, Scorer


def moments(key: str, steps: int) -> Moments:
    second_S = torch.arange(steps, dtype=torch.float64) / 10
    return Moments(key, second_S, torch.zeros(steps, 3, 32, 32, dtype=torch.uint8), torch.zeros(steps * 1600))


@pytest.mark.parametrize("scorer", [Middle(), Random()])
def test_a_scorer_gives_one_finite_score_for_each_step_and_no_map(scorer: Scorer) -> None:
    assert isinstance(scorer, Scorer)
    for steps in (1, 7, 100):
        scored = scorer.score(moments("a", steps))
        assert scored.score_S.shape == (steps,)
        assert scored.score_S.dtype == torch.float32
        assert scored.score_S.isfinite().all()
        assert scored.map_SHW is None


@pytest.mark.parametrize(("steps", "best"), [(100, 50), (20, 10), (1, 0)])
def test_middle_prefers_half_of_the_length_and_falls_off_to_both_sides(steps: int, best: int) -> None:
    score_S = Middle().score(moments("a", steps)).score_S
    assert int(score_S.argmax()) == best
    assert (score_S[: best + 1].diff() > 0).all()
    assert (score_S[best:].diff() < 0).all()


def test_random_is_a_function_of_seed_and_key_alone() -> None:
    first = Random(1).score(moments("a", 50)).score_S
    torch.rand(3)
    assert torch.equal(Random(1).score(moments("a", 50)).score_S, first)
    assert not torch.equal(Random(2).score(moments("a", 50)).score_S, first)
    assert not torch.equal(Random(1).score(moments("b", 50)).score_S, first)


def test_random_prefers_no_moment() -> None:
    best = [int(Random(0).score(moments(str(number), 10)).score_S.argmax()) for number in range(1000)]
    counts = torch.bincount(torch.tensor(best), minlength=10)
    assert 60 < counts.min() <= counts.max() < 140  # four standard deviations of a fair draw
