import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene.metrics import nearness
from sound2scene.metrics.nearness import Criterion, best_of_class, cosines, counts


def slow_cosines(query_ND: Tensor, gallery_ND: Tensor) -> Tensor:
    """All pairs in float64, rounded afterwards."""
    return (query_ND @ gallery_ND.T).float()


def rows(count: int, width: int, kind: str, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Unit queries and gallery items with labels: random, of few different rows, or all nearly the same."""
    dice = torch.Generator().manual_seed(seed)
    query_ND, gallery_ND = torch.randn(2, count, width, generator=dice).double()
    if kind == "few":
        query_ND, gallery_ND = (z[torch.randint(7, (count,), generator=dice)] for z in (query_ND, gallery_ND))
    if kind == "close":
        query_ND, gallery_ND = (1 + 1e-4 * z for z in (query_ND, gallery_ND))
    if kind == "same":
        query_ND, gallery_ND = torch.ones_like(query_ND), torch.ones_like(gallery_ND)
    return (
        normalize(query_ND, dim=1),
        normalize(gallery_ND, dim=1),
        torch.randint(-1, 5, (count,), generator=dice),
    )


@pytest.mark.parametrize("chunk", [7, 1024])
@pytest.mark.parametrize("kind", ["random", "few", "close", "same"])
@pytest.mark.parametrize("width", [3, 128, 300])
def test_counts_equal_those_of_the_float64_product_both_ways(
    kind: str, width: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearness, "CHUNK", chunk)
    query_ND, gallery_ND, label_N = rows(90, width, kind)
    cosine_NN, known_N = slow_cosines(query_ND, gallery_ND), label_N >= 0
    other_NN = (label_N[:, None] != label_N) & known_N[:, None] & known_N
    same_NN = (label_N[:, None] == label_N) & known_N[:, None]
    own_N = cosines(query_ND, gallery_ND)
    forth_N, back_N = best_of_class(query_ND, gallery_ND, label_N)
    for axis, best_N in ((1, forth_N), (0, back_N)):
        expected_N = cosine_NN.masked_fill(~same_NN, -torch.inf).amax(axis)
        torch.testing.assert_close(best_N[known_N], expected_N[known_N])
        assert best_N[~known_N].isinf().all()
    forth, back = counts(
        query_ND,
        gallery_ND,
        [Criterion(own_N), Criterion(forth_N, label_N)],
        [Criterion(own_N), Criterion(back_N, label_N)],
    )
    assert torch.equal(forth[0], (cosine_NN >= own_N[:, None]).sum(1))
    assert torch.equal(forth[1], ((cosine_NN >= forth_N[:, None]) & other_NN).sum(1))
    assert torch.equal(back[0], (cosine_NN >= own_N).sum(0))
    assert torch.equal(back[1], ((cosine_NN >= back_N) & other_NN).sum(0))


def test_few_pairs_are_asked_again_and_the_error_of_the_fast_product_is_within_its_bound() -> None:
    query_ND, gallery_ND, _ = rows(300, 2048, "random")
    work = nearness._Work(300 * 300)
    tile = nearness._Tile(query_ND, gallery_ND, (query_ND.float(), gallery_ND.float()), work)
    assert 0 < tile.slack < 1e-5
    exact_NN = query_ND @ gallery_ND.T
    assert float((tile.cosine_BC - exact_NN).abs().max()) < tile.slack
    own_N = cosines(query_ND, gallery_ND)
    assert float(((tile.cosine_BC - own_N[:, None]).abs() <= tile.slack).float().mean()) < 1e-2


def test_a_product_that_is_not_float32_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    query_ND, gallery_ND, _ = rows(60, 256, "random")
    own_N = cosines(query_ND, gallery_ND)
    expected = (slow_cosines(query_ND, gallery_ND) >= own_N[:, None]).sum(1)
    exact = nearness._product

    def coarse(one_BD: Tensor, other_CD: Tensor, out_BC: Tensor) -> None:
        exact(one_BD, other_CD, out_BC)
        out_BC.copy_(out_BC.bfloat16())

    monkeypatch.setattr(nearness, "_product", coarse)
    (found,), _ = counts(query_ND, gallery_ND, [Criterion(own_N)])
    assert torch.equal(found, expected)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_pair_is_asked_again_once_for_all_criteria(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearness, "CHUNK", 40)
    monkeypatch.setattr(nearness, "_PROBED", 1000)
    monkeypatch.setattr(nearness, "_ASKED_AGAIN", share)
    query_ND, gallery_ND, _ = rows(90, 300, "random")
    own_N = cosines(query_ND, gallery_ND)
    asked: list[int] = []

    def counted(one_ND: Tensor, other_ND: Tensor) -> Tensor:
        asked.append(len(one_ND))
        return cosines(one_ND, other_ND)

    monkeypatch.setattr(nearness, "cosines", counted)
    whole = [Criterion(own_N)] * 2
    forth, back = counts(query_ND, gallery_ND, whole, whole)
    cosine_NN = slow_cosines(query_ND, gallery_ND)
    assert torch.equal(forth[0], (cosine_NN >= own_N[:, None]).sum(1))
    assert torch.equal(back[1], (cosine_NN >= own_N).sum(0))
    probes = 9  # one of each tile
    # Every clip with itself, and the few that chance puts as near.
    assert sum(asked) - probes in (range(90, 110) if share else [0])
