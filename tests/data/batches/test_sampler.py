import itertools
import tracemalloc
from pathlib import Path

import pytest
from torch.utils.data import DataLoader

import drawn_clips
from selected import first
from sound2scene.data import clips as module
from sound2scene.data.batches import resumable
from sound2scene.data.batches.sampler import (
    Draw,
    EpochSampler,
    Progress,
    WholeSplitSampler,
    augmentation_seed,
    fixed_sample,
)
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadPictures
from sound2scene.types import Batch, InputError

GLOBAL_BATCH = 6
CLIPS = drawn_clips.COUNTS["train"]
WHOLE_BATCHES = CLIPS // GLOBAL_BATCH
REST = sorted({*itertools.product((1, 2, 3), (0, 1, 2))} - {(2, 0), (1, 2)})


def loader(
    split: str, dataset: Path, rank: int, ranks: int, workers: int, seed: int = 0
) -> DataLoader[Batch]:
    """What rank `rank` of `ranks` reads."""
    with pytest.MonkeyPatch.context() as patch:
        for asking in (module, resumable):
            patch.setattr(asking, "world", lambda: (rank, ranks))
        data = ClipDataModule(str(dataset), GLOBAL_BATCH // ranks, workers, seed, ReadPictures("small64"))
        made: DataLoader[Batch] = getattr(data, f"{split}_dataloader")()
    return made


def keys(batches: DataLoader[Batch]) -> list[list[str]]:
    return [batch.key for batch in batches]


@pytest.mark.costly
@pytest.mark.parametrize(("ranks", "workers"), first([(2, 0), (1, 2), *REST], 2))
def test_an_epoch_over_ranks_and_workers_finds_every_clip_once(
    dataset: Path, ranks: int, workers: int
) -> None:
    trained = [keys(loader("train", dataset, rank, ranks, workers)) for rank in range(ranks)]
    assert {len(batches) for batches in trained} == {WHOLE_BATCHES}
    found = [key for batches in trained for batch in batches for key in batch]
    assert len(found) == len(set(found)) == WHOLE_BATCHES * GLOBAL_BATCH
    assert set(found) <= {job["key"] for job in drawn_clips.jobs()["train"]}
    # Global batch k is the same clips in the same order, whoever reads them.
    together = [[key for batch in parts for key in batch] for parts in zip(*trained, strict=True)]
    assert together == keys(loader("train", dataset, 0, 1, 0))

    for split in ("val", "test"):
        loaders = [loader(split, dataset, rank, ranks, workers) for rank in range(ranks)]
        evaluated = [key for part in loaders for batch in keys(part) for key in batch]
        assert sorted(evaluated) == [job["key"] for job in drawn_clips.jobs()[split]]
        assert sum(len(part.sampler) for part in loaders) == len(evaluated)  # type: ignore[arg-type]


def order(seed: int, epoch: int, rank: int = 0, ranks: int = 1, size: int = GLOBAL_BATCH) -> list[int]:
    sampler = EpochSampler(CLIPS, size // ranks, seed, rank, ranks)
    sampler.set_epoch(epoch)
    draws = list(sampler)
    assert {draw.epoch for draw in draws} == {epoch}
    assert len(draws) == len(sampler)
    return [draw.position for draw in draws]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    orders = {(seed, epoch): order(seed, epoch) for seed in range(3) for epoch in range(3)}
    assert orders == {(seed, epoch): order(seed, epoch) for seed, epoch in orders}
    assert all(one != other for one, other in itertools.combinations(orders.values(), 2))


def test_over_epochs_every_clip_is_left_out_as_often_as_chance_has_it() -> None:
    left_out = [set(range(CLIPS)) - set(order(0, epoch)) for epoch in range(200)]
    counts = [sum(clip in clips for clips in left_out) for clip in range(CLIPS)]
    expected = 200 * (CLIPS % GLOBAL_BATCH) / CLIPS
    assert all(expected / 2 < count < expected * 1.6 for count in counts)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("batch", range(WHOLE_BATCHES))
def test_a_pass_that_begins_at_a_batch_is_exactly_the_rest(ranks: int, batch: int) -> None:
    size = GLOBAL_BATCH // ranks
    for rank in range(ranks):
        sampler = EpochSampler(CLIPS, size, 1, rank, ranks, where=lambda: (2, batch))
        assert [draw.position for draw in sampler] == order(1, 2, rank, ranks)[batch * size :]
        assert {draw.epoch for draw in sampler} == {2}


def test_the_first_clip_of_a_pass_comes_without_an_object_for_each_clip() -> None:
    sampler = EpochSampler(50_000, 50, 0, 0, 1, where=lambda: (0, 1))
    next(iter(sampler))
    tracemalloc.start()
    draws = iter(sampler)
    next(draws)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 50_000


def test_too_few_clips_are_refused() -> None:
    EpochSampler(12, 4, 0, 0, 3)
    WholeSplitSampler(3, 0, 3)
    with pytest.raises(
        InputError, match=r"11 clips do not fill a batch of 4 on 3 processes; lower data\.batch_size"
    ):
        EpochSampler(11, 4, 0, 0, 3)
    with pytest.raises(InputError, match="2 clips cannot be evaluated on 3 processes"):
        WholeSplitSampler(2, 0, 3)


def test_progress_counts_epochs_from_batches_trained_on() -> None:
    progress = Progress()
    assert [progress.position(trained, 5) for trained in (0, 4, 5, 12)] == [(0, 0), (0, 4), (1, 0), (2, 2)]
    later = Progress()
    later.restore(progress.state(12, 5, 8), 8)
    assert [later.position(trained, 5) for trained in (12, 14, 15, 20)] == [(2, 2), (2, 4), (3, 0), (4, 0)]


def test_epochs_go_on_counting_where_the_number_of_batches_has_changed_between_two() -> None:
    progress = Progress()
    progress.restore(Progress().state(15, 5, 8), 16)
    assert [progress.position(trained, 2) for trained in (15, 16, 17)] == [(3, 0), (3, 1), (4, 0)]


def test_another_global_batch_is_refused_within_an_epoch_alone() -> None:
    with pytest.raises(
        InputError, match=r"mid-epoch with a global batch of 8, not 12; set data\.batch_size"
    ) as caught:
        Progress().restore(Progress().state(12, 5, 8), 12)
    assert "\n" not in str(caught.value)
    Progress().restore(Progress().state(10, 5, 8), 12)


def test_the_augmentation_seeds_of_clips_and_epochs_are_all_different() -> None:
    grid = list(itertools.product(range(5), range(20), range(200)))
    seeds = [augmentation_seed(seed, Draw(epoch, position)) for seed, epoch, position in grid]
    assert len(set(seeds)) == len(grid)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_fixed_sample_is_always_the_same_in_order_and_not_every_nth():
    chosen = fixed_sample(range(64), 16)
    assert chosen == fixed_sample(range(64), 16) == sorted(set(chosen))
    assert len(chosen) == 16
    assert {number % 4 for number in chosen} == {0, 1, 2, 3}
    assert fixed_sample("abc", 5) == ["a", "b", "c"]
