"""Golden numbers: the first losses of each stage on tiny generated data, to the digits that machines share.

`make golden` rewrites `tests/golden.json`; a change that moves a number says so in CHANGELOG.md under
"Numbers".
"""

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch

from drawing import DISCRIMINATOR, GENERATOR, tiny_judge
from manifolds import save_autoencoder, tiny_audio, tiny_autoencoder
from sound2scene import artifacts
from sound2scene.blocks import MeasuredBlock
from sound2scene.data.augment import MultiCrop, PixelCrop
from sound2scene.data.batches.heard import HeardDataset
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadCrops, ReadInstances, ReadPictures, ReadSoundPictures
from sound2scene.data.shards.read import ShardDataset
from sound2scene.losses.infonce import CosineInfoNCE
from sound2scene.methods.oracles import Real
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.models.heads import PrototypeHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.models.judge import Judge
from sound2scene.models.reader import Reader
from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.moments import MomentBatch, Moments
from sound2scene.optimization import WarmupCosine
from sound2scene.stages.encoder import EncoderStage
from sound2scene.stages.evaluation import EvaluationStage, Terms
from sound2scene.stages.gan import GanStage
from sound2scene.stages.gan_phases import Phases
from sound2scene.stages.judge import JudgeStage
from sound2scene.stages.localizer import LocalizerStage
from sound2scene.stages.manifold import AudioStage, AutoencoderStage
from sound2scene.stages.reader import ReaderStage
from sound2scene.stages.s2i_audio import S2IAudioStage
from sound2scene.stages.selection import best_moments
from sound2scene.types import Scene, SceneBatch
from tiny import CLASSES, NET, tiny_dataset, tiny_encoder, tiny_features, tiny_localizer, tiny_stage
from tiny_s2i import AUDIO, SIDE, audio_artifact
from tiny_s2i import stage as s2i_stage

FILE = Path(__file__).with_suffix(".json")
STEPS = 6
Numbers = dict[str, list[float]]


class Given(NamedTuple):
    """What stages are measured on.

    Attributes:
        shards: A tiny dataset.
        encoder: Artifact of a tiny image encoder.
        cache: Folder of its features.
    """

    shards: Path
    encoder: Path
    cache: Path


class Losses(pl.Callback):
    """Keeps the losses of every step, by name."""

    def __init__(self) -> None:
        self.found: Numbers = {}

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: object) -> None:
        for name, value in trainer.callback_metrics.items():
            if name.endswith("loss"):
                self.found.setdefault(name, []).append(float(value))


def first_losses(stage: pl.LightningModule, given: Given, **data: Any) -> Numbers:
    """Losses of the first steps of a training."""
    losses = Losses()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        callbacks=[losses],
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )
    trainer.fit(stage, ClipDataModule(str(given.shards), batch_size=6, workers=0, seed=0, **data))
    return losses.found


def align_as_published(given: Given) -> Numbers:
    features = tiny_features(given.encoder, given.cache)
    return first_losses(tiny_stage(spectrogram="paper"), given, features=features)


def align_with_a_temperature(given: Given) -> Numbers:
    loss = CosineInfoNCE(0.1, learnable=True)
    return first_losses(tiny_stage(loss=loss), given, features=tiny_features(given.encoder, given.cache))


def encoder(given: Given) -> Numbers:
    torch.manual_seed(0)
    head = partial(PrototypeHead, hidden_dim=16, out_dim=8, prototypes=6)
    rates = partial(torch.optim.Adam, lr=1e-3)
    stage = EncoderStage(ImageEncoder("resnet18", NET), "small64", head, frozen_steps=2, optimizer=rates)
    crops = MultiCrop([32, 16], [2, 2], [(0.3, 1.0), (0.1, 0.3)])
    return first_losses(stage, given, read=ReadCrops("small64", crops))


def gan(given: Given) -> Numbers:
    torch.manual_seed(0)
    rates = partial(torch.optim.Adam, lr=2e-3, betas=(0.0, 0.99))
    optimizers = {"generator_optimizer": rates, "discriminator_optimizer": rates}
    networks = Generator(**GENERATOR), Discriminator(**DISCRIMINATOR)
    features = tiny_features(given.encoder, given.cache)
    read = ReadInstances(GENERATOR["resolution"], neighbours=3)
    stage = GanStage(*networks, phases=Phases(ema_decay=0.5), **optimizers)
    return first_losses(stage, given, features=features, read=read)


def judge(given: Given) -> Numbers:
    torch.manual_seed(0)
    rates = partial(torch.optim.Adam, lr=1e-3)
    network = Judge(len(CLASSES), 32, "resnet18", NET)
    stage = JudgeStage(network, "pixels32", rates, WarmupCosine(2, None, 0.0))
    return first_losses(stage, given, read=ReadPictures("pixels32", PixelCrop(32)))


def manifold_autoencoder(given: Given) -> Numbers:
    rates = partial(torch.optim.Adam, lr=1e-3)
    stage = AutoencoderStage(tiny_autoencoder(), "pixels32", optimizer=rates)
    return first_losses(stage, given, read=ReadPictures("pixels32"))


def manifold_audio(given: Given) -> Numbers:
    folder = save_autoencoder(given.cache / "autoencoder")
    rates = partial(torch.optim.Adam, lr=1e-3)
    stage = AudioStage(tiny_audio(dropout=0.0), str(folder), optimizer=rates)
    return first_losses(stage, given, read=ReadSoundPictures("pixels32"))


def s2i_audio(given: Given) -> Numbers:
    torch.manual_seed(0)
    read = ReadSoundPictures(f"pixels{SIDE}")
    return first_losses(S2IAudioStage(AudioAutoencoder(**AUDIO)), given, read=read)


def s2i(given: Given) -> Numbers:
    with tempfile.TemporaryDirectory() as scratch:
        one = s2i_stage(audio_artifact(Path(scratch) / "audio"), deaf=False)
        return first_losses(one, given, read=ReadSoundPictures(f"pixels{SIDE}"))


def noise(*shape: int, seed: int) -> np.ndarray:
    """Numbers from 0 to 1 that every version of torch draws alike."""
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def pixels(*shape: int, seed: int) -> torch.Tensor:
    return torch.from_numpy((noise(*shape, seed=seed) * 256).astype(np.uint8))


def losses_on(stage: pl.LightningModule, batch_of: Callable[[int], Any]) -> Numbers:
    """Losses of steps on drawn batches, without a trainer."""
    stage.log = lambda *rest, **more: None  # type: ignore[method-assign, assignment]
    optimizer = torch.optim.Adam(stage.parameters(), lr=1e-3)
    losses = []
    for step in range(STEPS):
        loss = stage.training_step(batch_of(step), step)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"train/loss": losses}


def localizer(mode: str, given: Given) -> Numbers:
    """Drawn moments instead of videos, which an encoder of another version would write otherwise."""
    stage = LocalizerStage(tiny_localizer(classes=3 if mode == "classification" else 0), mode)  # type: ignore[arg-type]

    def batch(step: int) -> MomentBatch:
        frames_BMCHW = pixels(4, 2, 3, 32, 32, seed=step)
        window_BMT = torch.from_numpy(noise(4, 2, 8_000, seed=100 + step) - 0.5)
        return MomentBatch(["a", "b", "c", "d"], torch.arange(4) % 3, frames_BMCHW, window_BMT, [])

    return losses_on(stage, batch)


def selection(given: Given) -> Numbers:
    """The best moments of a video for an untrained localizer, and their scores."""
    second_S = torch.arange(100, dtype=torch.float64) / 10
    sound_T = torch.from_numpy(noise(160_000, seed=1) - 0.5)
    video = Moments("a", second_S, pixels(100, 3, 32, 32, seed=0), sound_T)
    with torch.no_grad():
        choice = best_moments(tiny_localizer().eval(), video, 10.0, STEPS)
    return {"scores": list(choice.scores), "moments_s": list(choice.moments_s)}


def evaluation(given: Given) -> Numbers:
    """What an untrained judge sees in real pictures of held-out clips."""
    split, kept = ShardDataset(given.shards, "test"), dict[int, MeasuredBlock]()
    judge = artifacts.load(tiny_judge(given.cache.parent / "judge"), kind="judge")
    store = SimpleNamespace(has=lambda *_: False, write=lambda block: kept.update({0: block}))
    terms = Terms(draws=1, seed=0, side=32, shown=frozenset())
    stage = EvaluationStage({"real": Real(split, 32)}, {"judge": judge}, terms, store, {})  # type: ignore[dict-item]
    stage.predict_step(HeardDataset(split, range(STEPS), [0])[0], 0)
    seen = kept[0].tensors
    names = ("judge/feature", "judge/scores")
    return {name: seen[name][:, 0].double().mean(1).tolist() for name in names}


def reader(given: Given) -> Numbers:
    """Drawn pictures and scenes, as for the localizer."""
    torch.manual_seed(0)
    stage = ReaderStage(Reader(3, 4, 32, "resnet18", NET), "pixels32")

    def batch(step: int) -> SceneBatch:
        place_BK3 = torch.from_numpy(noise(4, 3, 3, seed=200 + step))
        present_BK = (place_BK3[:, :, 0] > 0.5).float()
        scene = Scene(present_BK, place_BK3 * present_BK[:, :, None], torch.arange(4))
        return SceneBatch(["a", "b", "c", "d"], torch.arange(4), pixels(4, 3, 32, 32, seed=step), scene)

    return losses_on(stage, batch)


MEASURES: dict[str, Callable[[Given], Numbers]] = {
    "align, L2InfoNCE, paper": align_as_published,
    "align, CosineInfoNCE learnable, log_mel": align_with_a_temperature,
    "encoder": encoder,
    "gan": gan,
    "judge": judge,
    "localizer, contrastive": partial(localizer, "contrastive"),
    "localizer, classification": partial(localizer, "classification"),
    "reader": reader,
    "manifold, autoencoder": manifold_autoencoder,
    "manifold, audio": manifold_audio,
    "s2i_audio": s2i_audio,
    "s2i": s2i,
    "selection": selection,
    "evaluation": evaluation,
}


def given(folder: Path) -> Given:
    """Data and an encoder in a folder."""
    return Given(tiny_dataset(folder / "shards"), tiny_encoder(folder / "encoder"), folder / "features")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        what = given(Path(scratch))
        found = {name: measure(what) for name, measure in MEASURES.items()}
    FILE.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{FILE}: rewritten; say so in CHANGELOG.md under Numbers")
