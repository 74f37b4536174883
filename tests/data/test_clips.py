import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from torch import Tensor, nn

import drawn_clips
from selected import first
from sound2scene import artifacts, images
from sound2scene.data import clips as module
from sound2scene.data.augment import SoundShift
from sound2scene.data.batches.frozen_encoder import Features, FrozenFeatures
from sound2scene.data.clips import ClipDataModule, SplitDataModule, clips_of
from sound2scene.data.reading import Reading, ReadInstances, ReadPairs, ReadPictures
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.protocols import Documented, Pictures, Telling
from sound2scene.types import DataFacts, EncoderFacts, InputError, PairBatch
from spying import spied
from tiny import CLASSES, Z_DIM, counted, tiny_features

Seen = list[tuple[list[str], list[float]]]
BATCH_SIZE = 4
BATCHES = drawn_clips.COUNTS["train"] // BATCH_SIZE  # 5 in an epoch, 3 clips left out
EPOCHS = 3
STEPS = [step for step in range(1, EPOCHS * BATCHES) if step not in (BATCHES, BATCHES + 2)]
FIT = ("train", "val")


class Recorder(pl.LightningModule):
    """Trains nothing and remembers every clip it was given, with a number that tells its augmentation."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.fail_at, self.seen, self.validated = fail_at, Seen(), Seen()

    def training_step(self, batch: PairBatch, _: int) -> Tensor:
        if self.global_step == self.fail_at:
            raise ZeroDivisionError("stopped on purpose")
        self.seen.append(told(batch))
        return self.weight * 1.0

    def validation_step(self, batch: PairBatch, _: int) -> None:
        self.validated.append(told(batch))

    test_step = predict_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def told(batch: PairBatch) -> tuple[list[str], list[float]]:
    return batch.key, (batch.waveform_BT[:, ::7].double() ** 3).sum(1).tolist()


@pytest.fixture(scope="module")
def features(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Features:
    """Features that all runs of this module share."""
    return tiny_features(tiny_image_encoder, tmp_path_factory.mktemp("features"))


@pytest.fixture
def fresh(tiny_image_encoder: Path, tmp_path: Path) -> Features:
    """Features that nobody has computed yet."""
    return tiny_features(tiny_image_encoder, tmp_path / "features")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures image encoders were given, call by call."""
    return spied(monkeypatch, ImageEncoder, "forward", len)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Splits of shards in the order of their opening, and `folder` for each look at a `dataset.json`."""
    found: list[str] = []
    open_split, open_folder = ShardDataset.__init__, Folder.__init__

    def split_opened(self: ShardDataset, address: Any, split: str) -> None:
        found.append(split)
        open_split(self, address, split)

    def folder_opened(self: Folder, address: Any) -> None:
        found.append("folder")
        open_folder(self, address)

    monkeypatch.setattr(ShardDataset, "__init__", split_opened)
    monkeypatch.setattr(Folder, "__init__", folder_opened)
    return found


def quiet(**settings: Any) -> pl.Trainer:
    """A trainer on the CPU that writes nothing of its own."""
    defaults: dict[str, Any] = {"accelerator": "cpu", "devices": 1, "logger": False}
    defaults |= {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    defaults |= {"use_distributed_sampler": False, "num_sanity_val_steps": 0}
    return pl.Trainer(**(defaults | settings))


def fit(
    shards: Path, features: Features, *callbacks: pl.Callback, **settings: Any
) -> tuple[Recorder, pl.Trainer]:
    """Train; the settings are the Trainer's, and those of data and model by name."""
    model = Recorder(settings.pop("fail_at", None))
    size, workers = settings.pop("batch_size", BATCH_SIZE), settings.pop("workers", 0)
    data = ClipDataModule(str(shards), size, workers, 3, ReadPairs(SoundShift()), features)
    checkpoint = settings.pop("ckpt_path", None)
    settings = {"max_epochs": EPOCHS, "enable_checkpointing": bool(callbacks)} | settings
    trainer = quiet(callbacks=list(callbacks), **settings)
    trainer.fit(model, data, ckpt_path=checkpoint)
    return model, trainer


def every(folder: Path, **settings: Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, "{step}", save_top_k=-1, **settings)


def at(folder: Path, step: int) -> Path:
    return folder / f"step={step}.ckpt"


@pytest.fixture(scope="module")
def undisturbed(
    dataset: Path, features: Features, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Seen, Path]:
    """What a run that never stops sees, and its checkpoints after every step."""
    folder = tmp_path_factory.mktemp("checkpoints")
    model, _ = fit(dataset, features, every(folder, every_n_train_steps=1), num_sanity_val_steps=2)
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


@pytest.mark.costly
def test_workers_change_nothing(dataset: Path, features: Features, undisturbed: tuple[Seen, Path]) -> None:
    assert fit(dataset, features, workers=2)[0].seen == undisturbed[0]


@pytest.mark.parametrize("step", first([BATCHES + 2, BATCHES, *STEPS], 2))
def test_a_run_goes_on_at_the_next_clip_after_any_step(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], step: int
) -> None:
    seen, folder = undisturbed
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "error", "You're resuming from a checkpoint that ended before the epoch ended"
        )
        assert fit(dataset, features, ckpt_path=at(folder, step))[0].seen == seen[step:]


@pytest.mark.costly
@pytest.mark.parametrize("step", first([BATCHES - 2, BATCHES, BATCHES + 1]))
def test_a_run_with_workers_goes_on_at_the_next_clip(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], step: int
) -> None:
    seen, folder = undisturbed
    assert fit(dataset, features, ckpt_path=at(folder, step), workers=2)[0].seen == seen[step:]


WHEN: dict[str, dict[str, Any]] = {
    "after the epoch": {"save_on_train_epoch_end": True},
    "after validation": {"save_on_train_epoch_end": False},
}


@pytest.mark.costly
@pytest.mark.parametrize(("when", "workers"), first([(when, workers) for workers in (0, 2) for when in WHEN]))
def test_a_run_goes_on_at_the_next_epoch_from_a_checkpoint_at_its_end(
    dataset: Path,
    features: Features,
    undisturbed: tuple[Seen, Path],
    tmp_path: Path,
    when: str,
    workers: int,
) -> None:
    fit(dataset, features, every(tmp_path, every_n_epochs=1, **WHEN[when]), max_epochs=2)
    for epochs in (1, 2):
        model, _ = fit(dataset, features, ckpt_path=at(tmp_path, epochs * BATCHES), workers=workers)
        assert model.seen == undisturbed[0][epochs * BATCHES :]


@pytest.mark.costly
@pytest.mark.parametrize("workers", first([0, 2]))
def test_a_run_goes_on_from_a_validation_within_an_epoch(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], tmp_path: Path, workers: int
) -> None:
    often: dict[str, Any] = {"val_check_interval": 2}
    fit(dataset, features, every(tmp_path, save_on_train_epoch_end=False), max_epochs=2, **often)
    steps = sorted(int(path.stem.partition("=")[2]) for path in tmp_path.iterdir())
    assert steps == [2, 4, BATCHES + 2, BATCHES + 4]
    for step in steps[1:3]:
        model, _ = fit(dataset, features, ckpt_path=at(tmp_path, step), workers=workers, **often)
        assert model.seen == undisturbed[0][step:]


@pytest.mark.costly
def test_a_batch_that_an_exception_interrupted_comes_again_once(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    seen, _ = undisturbed
    with pytest.raises(ZeroDivisionError):
        fit(dataset, features, OnExceptionCheckpoint(tmp_path, "stopped"), fail_at=7)
    often = every(tmp_path, every_n_train_steps=1)
    second, _ = fit(dataset, features, often, ckpt_path=tmp_path / "stopped.ckpt")
    assert second.seen == seen[7:]
    assert fit(dataset, features, ckpt_path=at(tmp_path, 12))[0].seen == seen[12:]


@pytest.mark.costly
def test_an_exception_after_a_checkpoint_costs_the_steps_since_then(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        fit(dataset, features, every(tmp_path, every_n_train_steps=3), fail_at=8)
    assert fit(dataset, features, ckpt_path=at(tmp_path, 6))[0].seen == undisturbed[0][6:]


@pytest.mark.costly
@pytest.mark.parametrize("steps", first([7, 3, BATCHES]))
def test_a_run_that_max_steps_ended_goes_on_at_the_next_clip(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], tmp_path: Path, steps: int
) -> None:
    seen, _ = undisturbed
    first, trainer = fit(dataset, features, max_epochs=-1, max_steps=steps)
    # After the end: the Trainer counts the epoch that it left as a whole one by now.
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    second, _ = fit(dataset, features, max_epochs=-1, max_steps=len(seen), ckpt_path=tmp_path / "end.ckpt")
    assert first.seen + second.seen == seen


@pytest.mark.costly
def test_runs_stopped_again_and_again_see_what_one_run_sees(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    seen: Seen = []
    checkpoint = None
    for steps in (2, 4, 5, 8, 11, 15):
        model, trainer = fit(dataset, features, max_epochs=-1, max_steps=steps, ckpt_path=checkpoint)
        checkpoint = tmp_path / f"{steps}.ckpt"
        trainer.save_checkpoint(checkpoint)
        seen += model.seen
    assert seen == undisturbed[0]


@pytest.mark.costly
def test_fewer_batches_in_an_epoch_are_resumed_as_well(
    dataset: Path, features: Features, tmp_path: Path
) -> None:
    few: dict[str, Any] = {"limit_train_batches": 3}
    whole, _ = fit(dataset, features, every(tmp_path, every_n_train_steps=1), **few)
    assert len(whole.seen) == 9
    for step in range(1, 9):
        assert fit(dataset, features, ckpt_path=at(tmp_path, step), **few)[0].seen == whole.seen[step:]


@pytest.mark.costly
def test_another_batch_size_goes_on_between_epochs_and_is_refused_within_one(
    dataset: Path, features: Features, undisturbed: tuple[Seen, Path], tmp_path: Path
) -> None:
    _, folder = undisturbed
    with pytest.raises(InputError, match="mid-epoch with a global batch of 4, not 8"):
        fit(dataset, features, ckpt_path=at(folder, BATCHES + 1), batch_size=8)
    whole, _ = fit(dataset, features, batch_size=8)
    fit(dataset, features, every(tmp_path, every_n_epochs=1, save_on_train_epoch_end=True), max_epochs=1)
    later, start = every(tmp_path, every_n_train_steps=1), at(tmp_path, BATCHES)
    assert fit(dataset, features, later, ckpt_path=start, batch_size=8)[0].seen == whole.seen[2:]
    # Its checkpoints count 5 batches of the first epoch and 2 of each later one.
    last, _ = fit(dataset, features, ckpt_path=at(tmp_path, BATCHES + 1), batch_size=8)
    assert last.seen == whole.seen[3:]


def test_validation_sees_every_clip_once_without_augmentation(dataset: Path, features: Features) -> None:
    model, _ = fit(dataset, features, max_epochs=2)
    plain = ShardDataset(dataset, "val")
    expected = [
        float((torch.from_numpy(plain.waveform(n))[::7].double() ** 3).sum()) for n in range(len(plain))
    ]
    first, second = model.validated[:2], model.validated[2:]
    assert first == second
    assert [key for keys, _ in first for key in keys] == [plain.key(n) for n in range(len(plain))]
    assert [value for _, values in first for value in values] == expected


def test_each_split_is_opened_once_in_a_run_and_the_test_split_never(
    dataset: Path, features: Features, opened: list[str]
) -> None:
    data = ClipDataModule(str(dataset), BATCH_SIZE, 0, features=features)
    assert opened == []  # a recipe that is parsed costs nothing
    trainer = quiet(max_epochs=2, num_sanity_val_steps=2)
    trainer.fit(Recorder(), data)
    data.facts(), data.fingerprints(), data.coverage(), data.examples("val", [0])
    assert [split for split in opened if split != "folder"] == list(FIT)
    assert opened.count("folder") <= 1 + len(FIT)


@pytest.mark.parametrize(
    ("word", "splits"),
    [("fit", FIT), ("validate", ("val",)), ("test", ("test",)), ("predict", ("val",))],
)
def test_a_run_computes_features_of_the_splits_that_it_reads_and_of_no_other(
    dataset: Path,
    fresh: Features,
    encoded: list[int],
    opened: list[str],
    word: str,
    splits: Sequence[str],
) -> None:
    data = ClipDataModule(str(dataset), BATCH_SIZE, 0, features=fresh)
    getattr(quiet(max_epochs=1), word)(Recorder(), data)
    assert sum(encoded) == sum(drawn_clips.COUNTS[split] for split in splits)
    assert len(list(Path(fresh.cache).iterdir())) == len(splits)
    assert [split for split in opened if split != "folder"] == list(splits)


@pytest.mark.costly
def test_features_are_computed_once_for_all_runs_until_the_encoder_changes(
    dataset: Path, fresh: Features, encoded: list[int], tmp_path: Path
) -> None:
    fit(dataset, fresh, max_epochs=2)
    clips = sum(drawn_clips.COUNTS[split] for split in FIT)
    assert sum(encoded) == clips
    fit(dataset, fresh, max_epochs=1, batch_size=8)
    assert sum(encoded) == clips
    torch.manual_seed(1)
    network = artifacts.load(fresh.image_encoder)
    with torch.no_grad():
        next(network.parameters()).mul_(1.5)
    other = artifacts.save(network, tmp_path / "other", card={"kind": "image-encoder", "preset": "small64"})
    fit(dataset, Features(str(other), fresh.cache), max_epochs=1)
    assert sum(encoded) == 2 * clips
    assert len(list(Path(fresh.cache).iterdir())) == 2 * len(FIT)


@pytest.mark.costly
@pytest.mark.parametrize("workers", [0, 2])
def test_the_feature_of_each_clip_is_what_the_encoder_gives_for_its_picture(
    dataset: Path, fresh: Features, workers: int
) -> None:
    encoder = artifacts.load(fresh.image_encoder)
    data = ClipDataModule(str(dataset), BATCH_SIZE, workers, features=fresh)
    data.setup("fit")
    for split, loader in (("train", data.train_dataloader()), ("val", data.val_dataloader())):
        shards = data.dataset(split)
        for batch in loader:
            pictures = [images.decode_jpeg(shards.member(n, "jpg"), "") for n in batch.index_B.tolist()]
            with torch.no_grad():
                direct_BD = encoder(torch.stack([images.preset("small64")(one) for one in pictures]))
            assert torch.allclose(batch.z_image_BD, direct_BD, atol=1e-5)
            assert batch.key == [shards.key(n) for n in batch.index_B.tolist()]


@pytest.mark.costly
def test_features_are_computed_on_the_device_of_the_run(
    dataset: Path, fresh: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, torch.device]] = []

    def frozen(settings: Features, workers: int, device: torch.device) -> FrozenFeatures:
        asked.append((workers, device))
        return FrozenFeatures(settings, workers, torch.device("cpu"))

    monkeypatch.setattr(module, "FrozenFeatures", frozen)
    monkeypatch.setattr(module, "device_of", lambda trainer: torch.device("cuda", 3))
    quiet(max_epochs=1).fit(Recorder(), ClipDataModule(str(dataset), BATCH_SIZE, 1, features=fresh))
    assert asked == [(1, torch.device("cuda", 3))]


@pytest.mark.parametrize("read", [ReadPairs(), ReadPictures("small64"), ReadInstances(16, 2)])
def test_examples_are_rows_of_the_batches_of_evaluation(
    dataset: Path, features: Features, read: Reading
) -> None:
    data = ClipDataModule(str(dataset), BATCH_SIZE, 0, read=read, features=features)
    data.setup("validate")
    batch, whole = data.examples("val", [2, 0]), next(iter(data.val_dataloader()))
    assert type(batch) is type(whole)
    assert batch.key == [whole.key[2], whole.key[0]]
    assert batch.index_B.tolist() == [2, 0]
    for one, other in zip(batch[1:], whole[1:], strict=True):
        assert torch.equal(one, other[[2, 0]])


def test_missing_features_are_one_line_with_the_key_to_set(dataset: Path) -> None:
    line = r"^ReadPairs hands over features; .* in data\.init_args\.features\.image_encoder$"
    with pytest.raises(InputError, match=line):
        quiet(max_epochs=1).fit(Recorder(), ClipDataModule(str(dataset), BATCH_SIZE, 0))


def test_facts_tell_classes_and_the_encoder_of_the_features(tiny_shards: Path, fresh: Features) -> None:
    data = ClipDataModule(str(tiny_shards), BATCH_SIZE, 0, features=fresh)
    assert isinstance(data, Telling)
    data.setup("fit")
    fingerprint = artifacts.read_card(fresh.image_encoder).fingerprint
    encoder = EncoderFacts(fresh.image_encoder, fingerprint, "small64", Z_DIM)
    assert data.facts() == DataFacts(CLASSES, (), encoder, "tiny")
    assert ClipDataModule(str(tiny_shards)).facts() == DataFacts()  # before a run there is nothing to tell


class Split:
    """Pictures that lie nowhere."""

    def __init__(self, split: str, classes: list[str], labels: list[int]) -> None:
        self.split, self.classes, self.label_N = split, classes, torch.tensor(labels)
        self.fingerprint = split

    def __len__(self) -> int:
        return len(self.label_N)

    def key(self, position: int) -> str:
        return f"{self.split}-{position}"

    where = key

    def member(self, position: int, kind: str) -> bytes:
        return images.encode_jpeg(np.full((32, 32, 3), 40 * position, np.uint8))


class Nowhere(SplitDataModule):
    """Splits by name."""

    def __init__(self, *splits: Split, **settings: Any) -> None:
        super().__init__(batch_size=2, workers=0, **settings)
        self.found: dict[str, Pictures] = {split.split: split for split in splits}

    def open(self, split: str) -> Pictures:
        return self.found[split]

    def fingerprints(self) -> dict[str, str]:
        return {name: split.fingerprint for name, split in self.found.items()}


def test_facts_name_the_splits_without_a_label_among_those_that_the_run_reads() -> None:
    train, val = Split("train", ["a", "b"], [0, -1, 1]), Split("val", ["a", "b"], [-1, -1])
    data = Nowhere(train, val, Split("test", [], [-1]), read=ReadPictures("small64"))
    data.setup("fit")
    assert data.facts() == DataFacts(("a", "b"), ("val",), None)
    data.setup("test")
    assert data.facts() == DataFacts((), ("test",), None)


def test_whatever_holds_pictures_can_be_streamed() -> None:
    data = Nowhere(Split("train", [], [-1] * 5), Split("val", [], [-1] * 3), read=ReadPictures("small64"))
    assert isinstance(data, Documented)
    assert data.coverage() == {}
    assert [len(batch.key) for batch in data.train_dataloader()] == [2, 2]
    assert [batch.key for batch in data.val_dataloader()] == [["val-0", "val-1"], ["val-2"]]


def test_fingerprints_and_coverage_are_those_of_the_dataset(dataset: Path, tmp_path: Path) -> None:
    data = ClipDataModule(str(dataset))
    assert isinstance(data, Documented)
    assert data.fingerprints() == {split: data.dataset(split).fingerprint for split in drawn_clips.COUNTS}
    assert data.coverage() == {}
    source = counted(dataset, tmp_path / "counted", {"test": {"expected": 9, "found": 6}})
    assert ClipDataModule(str(source)).coverage() == {"test": {"expected": 9, "found": 6, "clips": 5}}


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"workers": -1}])
def test_settings_that_cannot_be_are_refused(dataset: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"^data.{next(iter(settings))} is "):
        ClipDataModule(str(dataset), **settings)


def test_a_split_smaller_than_a_batch_is_refused_before_any_work(
    dataset: Path, fresh: Features, encoded: list[int]
) -> None:
    with pytest.raises(InputError, match="23 clips do not fill a batch of 24"):
        ClipDataModule(str(dataset), 24, features=fresh).train_dataloader()
    assert encoded == []


def test_data_without_clips_is_refused_to_callbacks_that_show_them(dataset: Path) -> None:
    data = ClipDataModule(str(dataset))
    assert clips_of(data) is data
    line = "^LightningDataModule has no clips to show or measure; remove the callback$"
    with pytest.raises(InputError, match=line):
        clips_of(pl.LightningDataModule())
