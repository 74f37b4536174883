import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from torch import Tensor, nn

import drawn_clips
from sound2scene import images
from sound2scene.data import clips as module
from sound2scene.data.augment import MultiCrop, SoundShift
from sound2scene.data.batches import features
from sound2scene.data.batches.reader import ClipReader
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.shards.read import ShardDataset
from sound2scene.types import Batch, InputError

Seen = list[tuple[list[str], list[float]]]
BATCH_SIZE = 4
BATCHES = drawn_clips.COUNTS["train"] // BATCH_SIZE  # 5 in an epoch, 3 clips left out
EPOCHS = 3


class Recorder(pl.LightningModule):
    """Trains nothing and remembers every clip it was given, with a number that tells its augmentation."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.fail_at, self.seen, self.validated = fail_at, Seen(), Seen()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        if self.global_step == self.fail_at:
            raise ZeroDivisionError("stopped on purpose")
        self.seen.append(told(batch))
        return self.weight * 1.0

    def validation_step(self, batch: Batch, _: int) -> None:
        self.validated.append(told(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def told(batch: Batch) -> tuple[list[str], list[float]]:
    assert batch.waveform_BT is not None
    return batch.key, (batch.waveform_BT[:, ::7].double() ** 3).sum(1).tolist()


def fit(shards: Path, *callbacks: pl.Callback, **settings: Any) -> tuple[Recorder, pl.Trainer]:
    """Train; the settings are the Trainer's, and those of data and model by name."""
    model = Recorder(settings.pop("fail_at", None))
    size, workers = settings.pop("batch_size", BATCH_SIZE), settings.pop("workers", 0)
    data = ClipDataModule(str(shards), size, workers, seed=3, sound_augment=SoundShift())
    checkpoint = settings.pop("ckpt_path", None)
    settings = {"max_epochs": EPOCHS, "num_sanity_val_steps": 0} | settings
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=bool(callbacks),
        callbacks=list(callbacks),
        use_distributed_sampler=False,
        **settings,
    )
    trainer.fit(model, data, ckpt_path=checkpoint)
    return model, trainer


def every(folder: Path, **settings: Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, "{step}", save_top_k=-1, **settings)


def at(folder: Path, step: int) -> Path:
    return folder / f"step={step}.ckpt"


@pytest.fixture(scope="module")
def undisturbed(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, Path]:
    """What a run that never stops sees, and its checkpoints after every step."""
    folder = tmp_path_factory.mktemp("checkpoints")
    model, _ = fit(dataset, every(folder, every_n_train_steps=1), num_sanity_val_steps=2)
    return model.seen, folder


def test_a_run_sees_every_epoch_whole_in_another_order_and_otherwise_augmented(
    undisturbed: tuple[Seen, Path],
) -> None:
    seen, _ = undisturbed
    assert len(seen) == EPOCHS * BATCHES
    epochs = [
        {
            key: value
            for keys, values in seen[n * BATCHES :][:BATCHES]
            for key, value in zip(keys, values, strict=True)
        }
        for n in range(EPOCHS)
    ]
    assert all(len(epoch) == BATCHES * BATCH_SIZE for epoch in epochs)
    assert list(epochs[0]) != list(epochs[1])
    both = epochs[0].keys() & epochs[1].keys()
    assert all(epochs[0][key] != epochs[1][key] for key in both)


def test_workers_change_nothing(dataset: Path, undisturbed: tuple[Seen, Path]) -> None:
    assert fit(dataset, workers=2)[0].seen == undisturbed[0]


@pytest.mark.parametrize("step", range(1, EPOCHS * BATCHES))
def test_a_run_goes_on_at_the_next_clip_after_any_step(
    dataset: Path, undisturbed: tuple[Seen, Path], step: int
) -> None:
    seen, folder = undisturbed
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "error", "You're resuming from a checkpoint that ended before the epoch ended"
        )
        assert fit(dataset, ckpt_path=at(folder, step))[0].seen == seen[step:]


@pytest.mark.parametrize("step", [BATCHES - 2, BATCHES, BATCHES + 1])
def test_a_run_with_workers_goes_on_at_the_next_clip(
    dataset: Path, undisturbed: tuple[Seen, Path], step: int
) -> None:
    seen, folder = undisturbed
    assert fit(dataset, ckpt_path=at(folder, step), workers=2)[0].seen == seen[step:]


WHEN: dict[str, dict[str, Any]] = {
    "after the epoch": {"save_on_train_epoch_end": True},
    "after validation": {"save_on_train_epoch_end": False},
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("when", WHEN)
def test_a_run_goes_on_at_the_next_epoch_from_a_checkpoint_at_its_end(
    dataset: Path, undisturbed: tuple[Seen, Path], tmp_path: Path, when: str, workers: int
) -> None:
    fit(dataset, every(tmp_path, every_n_epochs=1, **WHEN[when]), max_epochs=2)
    for epochs in (1, 2):
        model, _ = fit(dataset, ckpt_path=at(tmp_path, epochs * BATCHES), workers=workers)
        assert model.seen == undisturbed[0][epochs * BATCHES :]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_goes_on_from_a_validation_within_an_epoch(
    dataset: Path, undisturbed: tuple[Seen, Path], tmp_path: Path, workers: int
) -> None:
    fit(dataset, every(tmp_path, save_on_train_epoch_end=False), val_check_interval=2, max_epochs=2)
    steps = sorted(int(path.stem.partition("=")[2]) for path in tmp_path.iterdir())
    assert steps == [2, 4, BATCHES + 2, BATCHES + 4]
    for step in steps[1:3]:
        model, _ = fit(dataset, ckpt_path=at(tmp_path, step), workers=workers, val_check_interval=2)
        assert model.seen == undisturbed[0][step:]


def test_a_batch_that_an_exception_interrupted_comes_again_once(
    dataset: Path, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    seen, _ = undisturbed
    with pytest.raises(ZeroDivisionError):
        fit(dataset, OnExceptionCheckpoint(tmp_path, "stopped"), fail_at=7)
    second, _ = fit(dataset, every(tmp_path, every_n_train_steps=1), ckpt_path=tmp_path / "stopped.ckpt")
    assert second.seen == seen[7:]
    assert fit(dataset, ckpt_path=at(tmp_path, 12))[0].seen == seen[12:]


def test_an_exception_after_a_checkpoint_costs_the_steps_since_then(
    dataset: Path, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        fit(dataset, every(tmp_path, every_n_train_steps=3), fail_at=8)
    assert fit(dataset, ckpt_path=at(tmp_path, 6))[0].seen == undisturbed[0][6:]


@pytest.mark.parametrize("steps", [3, BATCHES, 7])
def test_a_run_that_max_steps_ended_goes_on_at_the_next_clip(
    dataset: Path, undisturbed: tuple[Seen, Path], tmp_path: Path, steps: int
) -> None:
    seen, _ = undisturbed
    first, trainer = fit(dataset, max_epochs=-1, max_steps=steps)
    # After the end: the Trainer counts the epoch that it left as a whole one by now.
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    second, _ = fit(dataset, max_epochs=-1, max_steps=len(seen), ckpt_path=tmp_path / "end.ckpt")
    assert first.seen + second.seen == seen


def test_runs_stopped_again_and_again_see_what_one_run_sees(
    dataset: Path, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    seen: Seen = []
    checkpoint = None
    for steps in (2, 4, 5, 8, 11, 15):
        model, trainer = fit(dataset, max_epochs=-1, max_steps=steps, ckpt_path=checkpoint)
        checkpoint = tmp_path / f"{steps}.ckpt"
        trainer.save_checkpoint(checkpoint)
        seen += model.seen
    assert seen == undisturbed[0]


def test_fewer_batches_in_an_epoch_are_resumed_as_well(dataset: Path, tmp_path: Path) -> None:
    whole, _ = fit(dataset, every(tmp_path, every_n_train_steps=1), limit_train_batches=3)
    assert len(whole.seen) == 9
    for step in range(1, 9):
        assert fit(dataset, ckpt_path=at(tmp_path, step), limit_train_batches=3)[0].seen == whole.seen[step:]


def test_another_batch_size_goes_on_between_epochs_and_is_refused_within_one(
    dataset: Path, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    _, folder = undisturbed
    with pytest.raises(InputError, match="mid-epoch with a global batch of 4, not 8"):
        fit(dataset, ckpt_path=at(folder, BATCHES + 1), batch_size=8)
    whole, _ = fit(dataset, batch_size=8)
    fit(dataset, every(tmp_path, every_n_epochs=1, save_on_train_epoch_end=True), max_epochs=1)
    later = every(tmp_path, every_n_train_steps=1)
    assert fit(dataset, later, ckpt_path=at(tmp_path, BATCHES), batch_size=8)[0].seen == whole.seen[2:]
    # Its checkpoints count 5 batches of the first epoch and 2 of each later one.
    assert fit(dataset, ckpt_path=at(tmp_path, BATCHES + 1), batch_size=8)[0].seen == whole.seen[3:]


def test_validation_sees_every_clip_once_without_augmentation(dataset: Path) -> None:
    model, _ = fit(dataset, max_epochs=2)
    plain = ShardDataset(dataset, "val")
    expected = [
        float((torch.from_numpy(plain.waveform(n))[::7].double() ** 3).sum()) for n in range(len(plain))
    ]
    first, second = model.validated[:2], model.validated[2:]
    assert first == second
    assert [key for keys, _ in first for key in keys] == [plain.key(n) for n in range(len(plain))]
    assert [value for _, values in first for value in values] == expected


def test_a_batch_holds_what_was_asked_for(dataset: Path) -> None:
    data = ClipDataModule(str(dataset), BATCH_SIZE, 0, read=("image", "waveform"), image_preset="small64")
    shards = data.dataset("val")
    batch = next(iter(data.val_dataloader()))
    assert isinstance(batch, Batch)
    assert batch.key == [shards.key(n) for n in range(BATCH_SIZE)]
    assert batch.index_B.tolist() == list(range(BATCH_SIZE))
    assert torch.equal(batch.label_B, shards.label_N[:BATCH_SIZE])
    assert batch.waveform_BT is not None
    assert torch.equal(batch.waveform_BT[2], torch.from_numpy(shards.waveform(2)))
    picture = images.decode_jpeg(shards.member(2, "jpg"), "")
    assert batch.image_BCHW is not None
    assert torch.equal(batch.image_BCHW[2], images.preset("small64")(picture))
    assert batch.z_image_BD is None
    sounds = next(iter(ClipDataModule(str(dataset), BATCH_SIZE, 0).val_dataloader()))
    assert sounds.image_BCHW is None


@pytest.mark.parametrize("workers", [0, 1])
def test_crops_stand_crop_by_crop_for_each_resolution(dataset: Path, workers: int) -> None:
    crops = MultiCrop([16, 8], [2, 3], [(0.3, 1.0), (0.1, 0.3)])
    data = ClipDataModule(str(dataset), BATCH_SIZE, workers, read=("image",), image_augment=crops)
    batch = next(iter(data.train_dataloader()))
    assert batch.image_BCHW is None
    assert batch.crops is not None
    assert [tuple(part.shape) for part in batch.crops] == [
        (2 * BATCH_SIZE, 3, 16, 16),
        (3 * BATCH_SIZE, 3, 8, 8),
    ]
    reader = ClipReader(data.dataset("train"), ["image"], crops)
    for place, position in enumerate(batch.index_B.tolist()):
        for part, alone in zip(batch.crops, reader[Draw(0, position)]["crops"], strict=True):
            assert torch.equal(part[place::BATCH_SIZE], alone)


def test_examples_are_the_clips_asked_for_as_evaluation_reads_them(dataset: Path) -> None:
    data = ClipDataModule(str(dataset), BATCH_SIZE, 0, read=("image", "waveform"), image_preset="small64")
    batch = data.examples("val", [2, 0])
    whole = next(iter(data.val_dataloader()))
    assert batch.index_B.tolist() == [2, 0]
    assert batch.image_BCHW is not None
    assert whole.image_BCHW is not None
    assert torch.equal(batch.image_BCHW, whole.image_BCHW[[2, 0]])
    assert batch.key == [whole.key[2], whole.key[0]]


def test_pictures_as_pixels_are_cached_apart_from_other_chains(dataset: Path, tmp_path: Path) -> None:
    data = ClipDataModule(str(dataset), BATCH_SIZE, 0)
    seen: list[torch.dtype] = []

    def measure(pixels_BCHW: torch.Tensor) -> torch.Tensor:
        seen.append(pixels_BCHW.dtype)
        return pixels_BCHW.float().mean((2, 3))

    first = data.cached("val", measure, "net", "pixels32", str(tmp_path))
    again = data.cached("val", measure, "net", "pixels32", str(tmp_path))
    assert first.folder == again.folder
    assert set(seen) == {torch.uint8}
    picture = images.decode_jpeg(data.dataset("val").member(1, "jpg"), "")
    assert torch.equal(torch.tensor(first.row(1)), images.square_pixels(picture, 32).float().mean((1, 2)))
    assert data.cached("val", measure, "net", "pixels64", str(tmp_path)).folder != first.folder


def encode(image_BCHW: Tensor) -> Tensor:
    return image_BCHW.mean((2, 3))


class Counted:
    """An encoder that counts the pictures it was given."""

    def __init__(self) -> None:
        self.pictures = 0

    def __call__(self, image_BCHW: Tensor) -> Tensor:
        self.pictures += len(image_BCHW)
        return encode(image_BCHW)


def use(data: ClipDataModule, root: Path, encoder: Callable[[Tensor], Tensor], name: str = "e") -> None:
    data.use_features(["train", "val"], encoder, name, "small64", str(root))


@pytest.fixture
def _blocks_of_four(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(features, "BLOCK", 4)
    yield
    features._block.cache_clear()


@pytest.mark.usefixtures("_blocks_of_four")
@pytest.mark.parametrize("workers", [0, 2])
def test_cached_features_come_with_every_clip_and_equal_direct_encoding(
    dataset: Path, tmp_path: Path, workers: int
) -> None:
    data = ClipDataModule(str(dataset), BATCH_SIZE, workers)
    encoder = Counted()
    use(data, tmp_path, encoder)
    assert encoder.pictures == drawn_clips.COUNTS["train"] + drawn_clips.COUNTS["val"]
    for split, loader in (("train", data.train_dataloader()), ("val", data.val_dataloader())):
        shards = data.dataset(split)
        for batch in loader:
            pictures = [images.decode_jpeg(shards.member(n, "jpg"), "") for n in batch.index_B.tolist()]
            direct_BD = encode(torch.stack([images.preset("small64")(picture) for picture in pictures]))
            assert torch.allclose(batch.z_image_BD, direct_BD, atol=1e-6)
    again = Counted()
    use(ClipDataModule(str(dataset), 2, workers), tmp_path, again)
    assert again.pictures == 0
    use(ClipDataModule(str(dataset), 2, 0), tmp_path, again, "another encoder")
    assert again.pictures == encoder.pictures


@pytest.mark.usefixtures("_blocks_of_four")
def test_ranks_share_the_blocks_and_each_has_all_rows(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, wait = threading.local(), threading.Barrier(2, timeout=60)
    monkeypatch.setattr(module, "world", lambda: (here.rank, 2))
    monkeypatch.setattr(module, "barrier", wait.wait)
    encoders, modules = (Counted(), Counted()), [ClipDataModule(str(dataset), 2, 0) for _ in range(2)]

    def run(rank: int) -> None:
        here.rank = rank
        use(modules[rank], tmp_path, encoders[rank])

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Blocks 0, 2, 4 of train and 0 of val; blocks 1, 3, 5 and 1.
    assert [encoder.pictures for encoder in encoders] == [12 + 4, 11 + 3]
    for data in modules:
        assert data.features["train"].missing() == data.features["val"].missing() == []
        assert torch.equal(
            torch.tensor(data.features["train"].row(22)), torch.tensor(modules[0].features["train"].row(22))
        )


@pytest.mark.usefixtures("_blocks_of_four")
def test_other_data_never_meets_an_old_cache(dataset: Path, tmp_path: Path) -> None:
    from sound2scene.data.shards.write import Plan, write_dataset

    one = ClipDataModule(str(dataset), 2, 0)
    use(one, tmp_path / "features", encode)
    jobs = drawn_clips.jobs()
    jobs["val"][0]["seed"] += 100
    changed = write_dataset(
        tmp_path / "shards", jobs, drawn_clips.draw, Plan("changed", clips_per_shard=4, workers=2)
    )
    other, counted = ClipDataModule(str(changed), 2, 0), Counted()
    use(other, tmp_path / "features", counted)
    assert counted.pictures == drawn_clips.COUNTS["val"]  # the training split is the same to the byte
    assert one.features["val"].folder != other.features["val"].folder
    assert one.features["train"].folder == other.features["train"].folder


def test_fingerprints_are_those_of_the_splits(dataset: Path) -> None:
    data = ClipDataModule(str(dataset))
    assert data.fingerprints() == {split: data.dataset(split).fingerprint for split in drawn_clips.COUNTS}


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"workers": -1}, {"image_preset": "none"}])
def test_settings_that_cannot_be_are_refused(dataset: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"data\.batch_size|image preset"):
        ClipDataModule(str(dataset), **settings)


def test_a_split_smaller_than_a_batch_is_refused(dataset: Path) -> None:
    with pytest.raises(InputError, match="23 clips do not fill a batch of 24"):
        ClipDataModule(str(dataset), 24).train_dataloader()
