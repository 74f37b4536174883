import math

import numpy as np
import pytest
import torch
from torch import Tensor

import oracles
from sound2scene.metrics import nearness, retrieval
from sound2scene.metrics.retrieval import (
    Embeddings,
    class_chance,
    class_ranks,
    instance_ranks,
    neighbour_accuracy,
    recalls,
)
from sound2scene.types import DivergedError


@pytest.fixture(params=[4, 1024], ids="chunk{}".format)
def _chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "CHUNK", request.param)
    monkeypatch.setattr(nearness, "CHUNK", request.param)


def latents(clips: int, width: int, kinds: int | None = None, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Random queries, galleries and labels; with `kinds`, rows repeat so that many distances tie."""
    generator = torch.Generator().manual_seed(seed)
    query_ND, gallery_ND = torch.randn(2, clips, width, generator=generator)
    label_N = torch.randint(-1, 4, (clips,), generator=generator)
    if kinds:
        gallery_ND = gallery_ND[torch.randint(0, min(kinds, clips), (clips,), generator=generator)]
    return query_ND, gallery_ND, label_N


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("kinds", [None, 1, 5])
@pytest.mark.parametrize(("clips", "width"), [(1, 3), (2, 2), (13, 8), (30, 5)])
def test_ranks_equal_sorting_with_ties_against_the_query(clips: int, width: int, kinds: int | None) -> None:
    query_ND, gallery_ND, label_N = latents(clips, width, kinds)
    query, gallery, label = query_ND.double().numpy(), gallery_ND.double().numpy(), label_N.numpy()
    everyone, labelled = list(range(clips)), np.flatnonzero(label >= 0).tolist()
    own = oracles.ranks_by_sorting(query, gallery, np.eye(clips, dtype=bool), everyone)
    assert instance_ranks(query_ND, gallery_ND).tolist() == own
    same = oracles.ranks_by_sorting(query, gallery, label[:, None] == label[None], labelled)
    assert class_ranks(query_ND, gallery_ND, label_N).tolist() == same


@pytest.mark.costly
@pytest.mark.parametrize("clips", [2, 3, 5, 17, 100, 1030])
@pytest.mark.parametrize("width", [16, 513, 2048])
def test_a_collapsed_encoder_scores_0(clips: int, width: int) -> None:
    query_ND, gallery_ND, _ = latents(clips, width)
    collapsed_ND, label_N = gallery_ND[:1].expand(clips, width).contiguous(), torch.arange(clips) % 2
    for gallery in (collapsed_ND, torch.zeros_like(collapsed_ND)):
        assert (instance_ranks(query_ND, gallery) == clips - 1).all()
        found = recalls(gallery, gallery, label_N, ks=[1])
        assert [value for name, value in found.items() if "chance" not in name] == [0.0] * 4


@pytest.mark.parametrize("precision", ["float32", "bf16 autocast"])
def test_ranks_are_the_same_under_autocast(precision: str) -> None:
    query_ND, gallery_ND, label_N = latents(300, 16)
    gallery_ND = gallery_ND + 1
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision != "float32"):
        ranks = instance_ranks(query_ND, gallery_ND), class_ranks(query_ND, gallery_ND, label_N)
        accuracy = neighbour_accuracy(gallery_ND, label_N)
    exact = torch.cosine_similarity(query_ND.double()[:, None], gallery_ND.double()[None], dim=2)
    assert torch.equal(ranks[0], (exact > exact.diagonal()[:, None]).sum(1))
    assert torch.equal(ranks[1], class_ranks(query_ND, gallery_ND, label_N))
    assert accuracy == neighbour_accuracy(gallery_ND, label_N)


def at(*degrees: float) -> Tensor:
    """Unit vectors of the plane."""
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_perfect_latents_are_always_found() -> None:
    rows, label_N = torch.eye(12), torch.arange(12) // 2
    assert {v for n, v in recalls(rows, 3 * rows, label_N).items() if "chance" not in n} == {1.0}


def test_sounds_that_find_their_pictures_may_not_be_found_by_them() -> None:
    found = recalls(at(0.0, 40.0), at(10.0, 15.0), torch.tensor([0, 1]), ks=[1])
    for level in ("instance", "class"):
        assert found[f"{level}/audio_to_image/recall_at_1"] == 1.0
        assert found[f"{level}/image_to_audio/recall_at_1"] == 0.5


def test_recalls_are_the_shares_of_ranks_below_k_in_each_direction() -> None:
    z_audio_ND, z_image_ND, label_N = latents(25, 6)
    found = recalls(z_audio_ND, z_image_ND, label_N, ks=(1, 5))
    for direction, pair in {"audio_to_image": (0, 1), "image_to_audio": (1, 0)}.items():
        query_ND, gallery_ND = ((z_audio_ND, z_image_ND)[i] for i in pair)
        levels = {
            "instance": instance_ranks(query_ND, gallery_ND),
            "class": class_ranks(query_ND, gallery_ND, label_N),
        }
        for level, ranks in levels.items():
            for k in (1, 5):
                share = sum(rank < k for rank in ranks.tolist()) / len(ranks)
                assert found.pop(f"{level}/{direction}/recall_at_{k}") == pytest.approx(share)
    assert sorted(found) == [f"{level}/chance_at_{k}" for level in ("class", "instance") for k in (1, 5)]
    assert found["instance/chance_at_5"] == 5 / 25
    assert found["class/chance_at_5"] == class_chance(label_N, 5)


def test_class_keys_are_absent_without_labels_and_chance_ends_at_1() -> None:
    z_audio_ND, z_image_ND, _ = latents(4, 6)
    found = recalls(z_audio_ND, z_image_ND, torch.full((4,), -1))
    assert not any(name.startswith("class") for name in found)
    assert found["instance/chance_at_10"] == found["instance/audio_to_image/recall_at_10"] == 1.0


@pytest.mark.parametrize("k", [1, 2, 4, 9])
@pytest.mark.parametrize(
    "labels", [[0], [0, 0, 0], [0, 1, 2, 3, 4], [0, 0, 0, 1, 1, 2, 5], [3, 3, 3, 3, 3, 1, 1]]
)
def test_class_chance_equals_counting_every_draw(labels: list[int], k: int) -> None:
    with_unlabelled = torch.tensor([-1, *labels, -1])
    assert class_chance(with_unlabelled, k) == pytest.approx(oracles.class_chance_by_counting(labels, k))


def test_random_latents_come_out_at_chance() -> None:
    query_ND, gallery_ND, label_N = latents(1500, 24)
    found = recalls(query_ND, gallery_ND, label_N, ks=[1, 10])
    for level, share in (("instance", found["instance/chance_at_10"]), ("class", found["class/chance_at_1"])):
        name = "recall_at_10" if level == "instance" else "recall_at_1"
        spread = math.sqrt(share * (1 - share) / 1200)
        assert found[f"{level}/audio_to_image/{name}"] == pytest.approx(share, abs=5 * spread)


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("k", [1, 3, 4, 50])
@pytest.mark.parametrize(("clips", "width"), [(2, 3), (9, 4), (40, 6)])
def test_neighbour_accuracy_equals_voting(clips: int, width: int, k: int) -> None:
    z_ND, _, label_N = latents(clips, width, seed=3)
    label_N[:2] = label_N[:2].clamp(min=0)
    known_N = label_N >= 0
    expected = oracles.neighbour_accuracy_by_voting(
        z_ND[known_N].double().numpy(), label_N[known_N].tolist(), k
    )
    assert neighbour_accuracy(z_ND, label_N, k) == expected


def test_the_class_that_is_nearer_by_a_hair_wins_a_tie() -> None:
    # Clip 0 has one neighbour of either class, clip 2 has two of the wrong one.
    assert neighbour_accuracy(at(0.0, 17.0, -17.01), torch.tensor([1, 1, 0]), k=2) == pytest.approx(2 / 3)


def test_neighbour_accuracy_needs_two_labelled_clips() -> None:
    with pytest.raises(ValueError, match="at least two labelled clips"):
        neighbour_accuracy(torch.eye(3), torch.tensor([-1, 0, -1]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_latents_that_are_not_finite_are_refused(side: int, bad: float) -> None:
    pair = [torch.eye(4), torch.eye(4)]
    pair[side][2, 1] = bad
    for measure in (
        lambda: instance_ranks(*pair),
        lambda: class_ranks(*pair, torch.zeros(4, dtype=torch.long)),
    ):
        with pytest.raises(DivergedError, match="NaN or infinity"):
            measure()
    with pytest.raises(DivergedError, match="NaN or infinity"):
        neighbour_accuracy(pair[side], torch.zeros(4, dtype=torch.long))


def split(positions: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Clips whose latents and labels tell where in the split they stand."""
    index_B = torch.tensor(positions)
    return (
        index_B,
        index_B % 3,
        index_B[:, None] * torch.ones(2),
        -index_B[:, None] * torch.ones(2).bfloat16(),
    )


def assert_is_split(found: tuple[Tensor, ...], clips: int) -> None:
    expected = split(list(range(clips)))
    assert all(torch.equal(one, other.to(one.dtype)) for one, other in zip(found, expected, strict=True))
    assert found[3].dtype == torch.float32


def test_embeddings_come_back_in_the_splits_order_and_reset_forgets_them() -> None:
    embeddings = Embeddings()
    for positions in ([4, 1], [0], [3, 2]):
        embeddings.update(*split(positions))
    assert_is_split(embeddings.compute(), 5)
    embeddings.reset()
    embeddings.update(*split([1, 0]))
    assert_is_split(embeddings.compute(), 2)


def test_a_clip_collected_twice_is_noticed() -> None:
    embeddings = Embeddings()
    embeddings.update(*split([0, 1]))
    embeddings.update(*split([1, 2]))
    with pytest.raises(AssertionError, match="collected twice"):
        embeddings.compute()


@pytest.mark.parametrize("width", [1, 3])
def test_a_split_of_one_clip_keeps_its_axes(width: int) -> None:
    embeddings = Embeddings()
    embeddings.update(torch.tensor([0]), torch.tensor([2]), torch.ones(1, width), torch.ones(1, width))
    assert [list(part.shape) for part in embeddings.whole()] == [[1], [1], [1, width], [1, width]]
