from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sound2scene.metrics.generation import GenerationScores
from sound2scene.types import DivergedError, InputError, Measured
from two_ranks import on_two_ranks

WIDTH, KINDS = 4, 3


def features(count: int, seed: int, shift: float = 0.0) -> Tensor:
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(count, WIDTH, generator=dice) * torch.tensor([1.0, 2.0, 0.5, 1.5]) + shift


def logits(count: int, seed: int) -> Tensor:
    return 3 * torch.randn(count, KINDS, generator=torch.Generator().manual_seed(seed))


def frechet(one_ND: Tensor, other_ND: Tensor) -> float:
    """arXiv:1706.08500, Eq. 6, by eigenvalues in float64."""
    a, b = one_ND.double().numpy(), other_ND.double().numpy()
    product = np.linalg.eigvals(np.cov(a.T) @ np.cov(b.T))
    gap = a.mean(0) - b.mean(0)
    return float(gap @ gap + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)) - 2 * np.sqrt(product).real.sum())


def filled(
    real_ND: Tensor, fake_ND: Tensor, logits_NK: Tensor | None = None, **settings: int
) -> GenerationScores:
    scores = GenerationScores(WIDTH, **({"splits": 1} | settings))
    for part in real_ND.split(7):
        scores.add_real(part)
    for start in range(0, len(fake_ND), 7):
        rows = slice(start, start + 7)
        scores.add_fake(Measured(fake_ND[rows], None if logits_NK is None else logits_NK[rows]))
    return scores


def test_fid_equals_its_formula() -> None:
    real, fake = features(60, 0), features(40, 1, 0.7)
    count, found = filled(real, fake).compute()
    assert count == 40
    assert found == {"fid": pytest.approx(frechet(real, fake), rel=1e-6)}


def test_inception_score_equals_its_formula_and_spans_one_to_the_number_of_kinds() -> None:
    given = logits(50, 0)
    p = given.double().softmax(1).numpy()
    expected = np.exp((p * np.log(p / p.mean(0))).sum(1).mean())
    _, found = filled(features(9, 0), features(50, 1), given).compute()
    assert found["inception_score"] == pytest.approx(float(expected), rel=1e-5)
    sure = 50 * torch.eye(KINDS)[torch.arange(48) % KINDS]
    assert filled(features(9, 0), features(48, 1), sure).compute()[1]["inception_score"] == pytest.approx(
        KINDS
    )
    same = sure[:1].expand(48, -1)
    assert filled(features(9, 0), features(48, 1), same).compute()[1]["inception_score"] == pytest.approx(1)


def test_judged_as_label_counts_labelled_pictures_alone() -> None:
    scores = GenerationScores(WIDTH, splits=1)
    scores.add_real(features(9, 0))
    seen = Measured(features(4, 1), torch.eye(KINDS)[torch.tensor([0, 1, 2, 0])])
    scores.add_fake(seen, torch.tensor([0, 2, -1, 0]))
    assert scores.compute()[1]["judged_as_label"] == pytest.approx(2 / 3)
    scores.forget_fakes()
    scores.add_fake(seen, torch.full((4,), -1))
    assert "judged_as_label" not in scores.compute()[1]


def test_forgetting_the_fakes_keeps_the_reals() -> None:
    real, fake = features(60, 0), features(40, 1, 0.7)
    scores = filled(real, fake, logits(40, 0), kid_subset=20)
    first = scores.compute()
    scores.forget_fakes()
    for part, part_of_logits in zip(fake.split(11), logits(40, 0).split(11), strict=True):
        scores.add_fake(Measured(part, part_of_logits))
    assert scores.compute()[1] == pytest.approx(first[1], rel=1e-5)


def test_kid_is_about_zero_for_one_distribution_and_large_for_two() -> None:
    near = filled(features(100, 0), features(100, 1), kid_subset=50).compute()[1]["kid"]
    far = filled(features(100, 0), features(100, 1, 2.0), kid_subset=50).compute()[1]["kid"]
    assert far > 10
    assert abs(near) < far / 10


def test_computing_leaves_the_chance_of_the_run_alone() -> None:
    scores = filled(features(60, 0), features(40, 1), logits(40, 0), kid_subset=20)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, again = scores.compute(), scores.compute()
    assert torch.equal(torch.rand(3), expected)
    assert first == again


def _whole() -> GenerationScores:
    scores = GenerationScores(WIDTH, splits=1, kid_subset=30)
    scores.add_real(features(60, 0))
    scores.add_fake(Measured(features(41, 1, 0.7), logits(41, 0)), torch.arange(41) % KINDS)
    return scores


def _scores_of_rank(rank: int) -> list[dict[str, float]]:
    """Where either has its share of the pictures, and where rank 1 has none."""
    real, fake, seen = features(60, 0), features(41, 1, 0.7), logits(41, 0)
    mine = slice(rank, None, 2)
    scores = GenerationScores(WIDTH, splits=1, kid_subset=30)
    wanted = (torch.arange(41) % KINDS)[mine]
    for part in real[mine].split(8 + rank):  # ranks have different numbers of batches
        scores.add_real(part)
    for part in range(0, len(wanted), 6 + rank):
        rows = slice(part, part + 6 + rank)
        scores.add_fake(Measured(fake[mine][rows], seen[mine][rows]), wanted[rows])
    uneven = GenerationScores(WIDTH, splits=1, kid_subset=30) if rank else _whole()
    computed = [scores.compute(), uneven.compute()]
    return [found | {"count": count} for count, found in computed]


@pytest.mark.costly
def test_two_processes_measure_what_one_does_even_where_the_other_has_no_pictures(tmp_path: Path) -> None:
    count, expected = _whole().compute()
    one, other = on_two_ranks(_scores_of_rank, tmp_path)
    assert one == other
    shared, uneven = one
    assert uneven == pytest.approx(expected | {"count": count}, rel=1e-5)
    assert shared.pop("kid") > 0  # of subsets that are drawn from another order
    assert shared.pop("count") == count == 41
    del expected["kid"]
    assert shared == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("real", "fake"), [(19, 40), (40, 19)])
def test_fewer_pictures_than_a_subset_of_kid_are_refused(real: int, fake: int) -> None:
    scores = filled(features(real, 0), features(fake, 1), kid_subset=20)
    with pytest.raises(
        InputError, match=rf"^kid_subset is 20, and there are {real} real and {fake} generated pictures"
    ):
        scores.compute()
    assert "kid" in filled(features(20, 0), features(20, 1), kid_subset=20).compute()[1]


@pytest.mark.parametrize(("real", "fake"), [(1, 9), (9, 1), (9, 0)])
def test_fewer_than_two_pictures_are_refused(real: int, fake: int) -> None:
    message = rf"^{real} real and {fake} generated pictures are too few for FID, [^\n]* two of [^\n]*draws"
    with pytest.raises(InputError, match=message):
        filled(features(real, 0), features(fake, 1)).compute()


def sure_of(kinds: int, count: int) -> GenerationScores:
    """Scores of pictures that are each of one of so many kinds, without doubt."""
    scores = GenerationScores(WIDTH)
    scores.add_real(features(9, 0))
    scores.add_fake(Measured(features(count, 1), 50 * torch.eye(kinds)[torch.arange(count) % kinds]))
    return scores


def test_few_pictures_are_one_part_so_that_the_inception_score_is_that_of_their_kinds() -> None:
    assert sure_of(8, 64).compute()[1]["inception_score"] == pytest.approx(8)


@pytest.mark.parametrize(("count", "parts"), [(64, 1), (9_999, 1), (10_000, 2), (50_000, 10), (90_000, 10)])
def test_a_part_of_the_inception_score_has_5000_pictures_as_published(count: int, parts: int) -> None:
    scores = sure_of(3, count)
    scores.compute()
    assert scores.inception.splits == parts


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_no_figure(bad: float) -> None:
    scores = GenerationScores(WIDTH)
    broken, sound = features(4, 0).index_fill(0, torch.tensor([2]), bad), features(4, 0)
    with pytest.raises(DivergedError, match="real pictures"):
        scores.add_real(broken)
    for seen in (Measured(broken, None), Measured(sound, logits(4, 0).fill_(bad))):
        with pytest.raises(DivergedError, match="NaN or infinity in clip a"):
            scores.add_fake(seen, of="clip a")
