from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sound2scene import distributed
from sound2scene.distributed import Team, barrier, everyone, gather, gather_lists, leave, world
from sound2scene.losses.infonce import L2InfoNCE
from sound2scene.metrics.retrieval import Embeddings
from sound2scene.types import InputError
from two_ranks import on_two_ranks

ROWS = 6  # of each rank
EVALUATED = ([[0, 2, 4], [6, 8], [7]], [[1], [5, 3]])  # clips of either rank, batch by batch


def gather_without_gradient(z_BD: Tensor) -> Tensor:
    rows = [torch.empty_like(z_BD) for _ in range(2)]
    dist.all_gather(rows, z_BD.detach())
    rows[dist.get_rank()] = z_BD
    return torch.cat(rows)


class Step(nn.Module):
    """Two towers and a loss over the global batch, with a temperature that is trained too."""

    def __init__(self, collect: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.audio = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 8))
        self.image = nn.Linear(5, 8)
        self.loss = L2InfoNCE(0.3, learnable=True)
        self.collect = collect

    def forward(self, audio_BD: Tensor, image_BD: Tensor) -> Tensor:
        return self.loss(self.collect(self.audio(audio_BD)), self.collect(self.image(image_BD)))


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2 * ROWS, 10, generator=generator), torch.randn(2 * ROWS, 5, generator=generator)


def gradients(step: nn.Module) -> dict[str, Tensor]:
    return {name.removeprefix("module."): weight.grad for name, weight in step.named_parameters()}


def on_a_rank(rank: int) -> dict[str, Any]:
    mine = slice(rank * ROWS, (rank + 1) * ROWS)
    found = {"world": list(world())}
    for name, collect in {"with": gather, "without": gather_without_gradient}.items():
        step = DistributedDataParallel(Step(collect))
        loss = step(*(rows[mine] for rows in inputs()))
        loss.backward()
        found[name] = {"loss": loss.detach(), **gradients(step)}
    found["rows"] = gather(rank * 10 + torch.arange(6.0).view(3, 2))
    found["turned"] = gather((rank * 10 + torch.arange(6.0).view(2, 3)).T)
    embeddings = Embeddings()
    for clips in map(torch.tensor, EVALUATED[rank]):
        embeddings.update(clips, clips % 3, clips[:, None] * torch.ones(2), -clips[:, None].bfloat16())
    found["embeddings"] = list(embeddings.compute())
    barrier()
    found["lists"], found["first"] = gather_lists(["a"] * rank), everyone().of_first(f"rank {rank}")
    found["own"] = Team().of_first(f"rank {rank}")
    return found


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return on_two_ranks(on_a_rank, tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def whole() -> dict[str, Tensor]:
    step = Step(gather)
    loss = step(*inputs())
    loss.backward()
    return {"loss": loss.detach(), **gradients(step)}


def test_each_process_knows_its_rank(ranks: list[dict[str, Any]]) -> None:
    assert [rank["world"] for rank in ranks] == [[0, 2], [1, 2]]


def test_one_process_is_a_world_of_its_own_and_gathers_nothing() -> None:
    z_BD = torch.ones(2, 3)
    assert world() == (0, 1)
    assert gather(z_BD) is z_BD
    assert everyone() == Team()
    assert Team().of_first("alone") == "alone"
    barrier()
    leave()


def test_rows_come_in_rank_order_on_every_rank(ranks: list[dict[str, Any]]) -> None:
    first = torch.arange(6.0).view(3, 2)
    for rank in ranks:
        assert torch.equal(rank["rows"], torch.cat([first, first + 10]))
        assert torch.equal(rank["turned"], torch.cat([first.view(2, 3).T, first.view(2, 3).T + 10]))


def test_lists_of_any_length_come_together_and_what_the_first_says_counts(
    ranks: list[dict[str, Any]],
) -> None:
    for rank in ranks:
        assert (rank["lists"], rank["first"]) == (["a"], "rank 0")
    assert [rank["own"] for rank in ranks] == ["rank 0", "rank 1"]


def test_a_process_that_has_ended_is_one_line_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(found: list[Any], value: Any) -> None:
        raise RuntimeError("Connection closed\nby peer")

    monkeypatch.setattr(distributed, "world", lambda: (0, 2))
    monkeypatch.setattr(dist, "all_gather_object", lost)
    with pytest.raises(
        InputError, match=r"another of the 2 processes has ended \(Connection closed by peer\)"
    ):
        gather_lists([1])


def test_two_ranks_give_the_loss_and_gradients_of_the_whole_batch(
    ranks: list[dict[str, Any]], whole: dict[str, Tensor]
) -> None:
    assert len(whole) == 8
    for rank in ranks:
        for name, expected in whole.items():
            assert expected.abs().max() > 1e-3
            assert (rank["with"][name] - expected).abs().max() < 1e-5, name


def test_gathering_without_gradient_would_be_noticed_as_half_of_it(
    ranks: list[dict[str, Any]], whole: dict[str, Tensor]
) -> None:
    for name, expected in whole.items():
        share = 1.0 if name.startswith("loss") else 0.5
        assert (ranks[0]["without"][name] - share * expected).abs().max() < 1e-5, name


def test_uneven_shares_of_a_split_come_back_whole_once_and_in_order_on_every_rank(
    ranks: list[dict[str, Any]],
) -> None:
    clips = torch.arange(9)
    for rank in ranks:
        index_N, label_N, z_audio_ND, z_image_ND = rank["embeddings"]
        assert torch.equal(index_N, clips)
        assert torch.equal(label_N, clips % 3)
        assert torch.equal(z_audio_ND, clips[:, None] * torch.ones(2))
        assert torch.equal(z_image_ND, -clips[:, None].float())
