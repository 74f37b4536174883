"""S2I's networks so small that a test can train them in a second, and batches made up without files."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from sound2scene import artifacts
from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.models.s2i_discriminator import ConvDiscriminator
from sound2scene.models.s2i_generator import DenseGenerator
from sound2scene.stages.s2i import S2IStage
from sound2scene.stages.s2i_objective import Objective
from sound2scene.types import SoundPictureBatch

E, SIDE = 8, 24
AUDIO: dict[str, Any] = {"embedding_dim": E, "widths": [4] * 12}
GENERATOR: dict[str, Any] = {"embedding_dim": E, "stem": 8, "blocks": [[8, 6, 5]] * 4}
DISCRIMINATOR: dict[str, Any] = {"resolution": SIDE, "embedding_dim": E, "widths": [8, 8, 6]}


def autoencoder() -> AudioAutoencoder:
    """An autoencoder with seeded weights, whose running statistics have seen some sounds."""
    torch.manual_seed(0)
    network = AudioAutoencoder(**AUDIO)
    with torch.no_grad():
        for _ in range(20):
            network(sounds(8))
    return network.eval()


def generator() -> DenseGenerator:
    """A generator with seeded weights, whose running statistics have seen some embeddings."""
    torch.manual_seed(0)
    network = DenseGenerator(**GENERATOR)
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(8, E) * 2 - 1, torch.rand(8, network.dropout_dim))
    return network.eval()


def audio_artifact(folder: Path) -> Path:
    """The autoencoder as an artifact."""
    return artifacts.save(autoencoder(), folder, card={"kind": "s2i-audio", "preset": "log_mel"})


def generator_artifact(folder: Path, audio: Path) -> Path:
    """The generator as an artifact that belongs to an autoencoder."""
    notes = {"s2i_audio": artifacts.read_card(audio).fingerprint}
    card = {"kind": "s2i-generator", "preset": f"pixels{SIDE}", "notes": notes}
    return artifacts.save(generator(), folder, card=card)


def sounds(rows: int) -> Tensor:
    """Spectrograms of three kinds of sound, (rows, 1, 128, 100): a band of each kind, and noise."""
    dice = torch.Generator().manual_seed(rows)
    sound_BCHW = 0.2 * torch.rand(rows, 1, 128, 100, generator=dice) - 0.9
    for row in range(rows):
        start = 40 * (row % 3)
        sound_BCHW[row, 0, start : start + 30] += 1.2
    return sound_BCHW


def batch(rows: int = 6) -> SoundPictureBatch:
    """Spectrograms in place of sounds, for a stage with deaf ears; pictures in a colour of each kind."""
    image_BCHW = torch.full((rows, 3, SIDE, SIDE), 40, dtype=torch.uint8)
    for row in range(rows):
        image_BCHW[row, row % 3, 6:18, 6:18] = 220
    keys = [f"clip-{row}" for row in range(rows)]
    return SoundPictureBatch(keys, torch.arange(rows), torch.arange(rows) % 3, sounds(rows), image_BCHW)


class _Batches(Dataset[SoundPictureBatch]):
    def __init__(self, batches: list[SoundPictureBatch]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> SoundPictureBatch:
        return self.batches[number]


def loader(*batches: SoundPictureBatch) -> DataLoader[SoundPictureBatch]:
    """These batches in this order; Lightning would take a list of them for several loaders."""
    return DataLoader(_Batches([*batches]), batch_size=None)


def stage(audio: Path, objective: Objective | None = None, *, deaf: bool = True, **settings: Any) -> S2IStage:
    """The second stage with seeded weights, which takes spectrograms for sounds where it is deaf."""
    torch.manual_seed(0)
    networks = DenseGenerator(**GENERATOR), ConvDiscriminator(**DISCRIMINATOR)
    one = S2IStage(str(audio), *networks, objective=objective, **settings)
    if deaf:
        one.hearing.hear = nn.Identity()  # type: ignore[assignment]
    return one
