"""FID, IS and KID of what a stage draws, with every validation and test."""

from __future__ import annotations

from typing import Literal

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from sound2scene import artifacts, images
from sound2scene.callbacks.drawings import FROM_Z_IMAGE, Drawable, drawing_stage, drawn
from sound2scene.callbacks.split_metrics import SplitMetrics
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.frozen_encoder import Encoding, cached
from sound2scene.data.batches.reader import open_picture
from sound2scene.data.clips import clips_of
from sound2scene.distributed import world
from sound2scene.lightning import data_of
from sound2scene.metrics.generation import GenerationScores
from sound2scene.protocols import CeilingSampling, Loading, Measuring, Pictures
from sound2scene.ranges import PLENTY, check
from sound2scene.types import InputError, Measured


class GenerationMetrics(SplitMetrics):
    """Measures pictures that a stage draws for held-out clips against real ones.

    Logs `{val|test}/{figure}/n{pictures}_{reference split}_{network}_{size}`, for instance
    `val/fid/n256_val_...`. Features of the real pictures, at the resolution of the generator, are computed
    once and cached under the network's and the data's fingerprint. Draw j of a clip has the noise of the
    clip's own seed and draw j; see `sound2scene.latent.noise`.

    Args:
        network: Folder of a judge artifact, or a network such as those of `sound2scene.models.extractors`.
        reference: Real pictures of the split that is drawn for ("own"), or of `train`.
        draws: Pictures per clip.
        splits: Most parts over which the inception score is averaged, of at least 5,000 pictures each.
        kid_subset: Pictures per subset of KID; 0 leaves it out.
        class_means: Also give the FID of the mean real picture of each class in place of a generated one.
        cache: Folder of cached features.

    Raises:
        InputError: If the artifact is missing or the network cannot measure.
    """

    def __init__(
        self,
        network: nn.Module | str,
        reference: Literal["own", "train"] = "own",
        draws: int = 1,
        splits: int = 10,
        kid_subset: int = 0,
        class_means: bool = False,
        cache: str = "data/features",
    ) -> None:
        self.classes: list[str] = []
        if isinstance(network, str):
            self.classes = list(artifacts.read_card(network).origin.notes.get("classes", []))
            network = artifacts.load(network, kind="judge")
        if not isinstance(network, Measuring):
            raise InputError(
                f"network: {type(network).__name__} cannot measure pictures; name a judge or an extractor"
            )
        network.eval().requires_grad_(False)
        self.module: nn.Module = network
        self.network: Measuring = network
        self.reference, self.draws, self.cache = reference, draws, cache
        self.class_means = class_means
        check("GenerationMetrics", PLENTY, draws=draws)
        self.settings = {"splits": splits, "kid_subset": kid_subset}
        self.scores: dict[str, GenerationScores] = {}
        self.fixed: dict[str, dict[str, float]] = {}
        self.class_of_label: dict[str, Tensor] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Have the network's weights before anything is trained in vain."""
        if isinstance(self.module, Loading):
            self.module.load()

    def begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        """Measure the real pictures, the first time."""
        if split in self.scores:
            return
        device, side = pl_module.device, drawing_stage(pl_module, self).resolution
        self.module.to(device)
        data = clips_of(data_of(trainer))

        def encode(pixels_BCHW: Tensor) -> Tensor:
            return self.network.measure(pixels_BCHW.to(device)).feature_BD.cpu()

        encoding = Encoding(encode, artifacts.fingerprint(self.module), f"pixels{side}")
        reference = data.dataset(split if self.reference == "own" else self.reference)
        real = cached(reference, encoding, self.cache, data.workers)
        self.scores[split] = self._with(real, device)
        drawn_for = data.dataset(split)
        known = {name: number for number, name in enumerate(self.classes)}
        numbers = [*(known.get(name, -1) for name in drawn_for.classes), -1]
        self.class_of_label[split] = torch.tensor(numbers, device=device)
        if isinstance(pl_module, CeilingSampling):
            self.scores[split + FROM_Z_IMAGE] = self._with(real, device)
        if self.class_means:
            self._measure_class_means(drawn_for, side, self._with(real, device, kid_subset=0), device)

    def _with(self, real: FeatureCache, device: torch.device, **change: int) -> GenerationScores:
        """Scores that know the real pictures; each process brings its share."""
        scores = GenerationScores(self.network.feature_dim, **(self.settings | change)).to(device)
        rank, ranks = world()
        rows = [torch.tensor(real.row(position)) for position in range(rank, real.clips, ranks)]
        for start in range(0, len(rows), 1024):
            scores.add_real(torch.stack(rows[start : start + 1024]).to(device))
        return scores

    def _measure_class_means(
        self, split: Pictures, side: int, scores: GenerationScores, device: torch.device
    ) -> None:
        mean_KCHW, count_K = class_means(split, side)
        if (count_K > 0).sum() < 2:
            return
        rank, ranks = world()
        labels = split.label_N[split.label_N >= 0][rank::ranks]
        feature_KD = self.network.measure(mean_KCHW.to(device)).feature_BD
        scores.add_fake(Measured(feature_KD[labels.to(device)], None))
        count, found = scores.compute()
        name = f"{split.split}/fid_of_class_means/n{count}_{self._protocol(split.split)}"
        self.fixed[split.split] = {name: found["fid"]}

    def add(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Drawable, split: str) -> None:
        """Draw and measure."""
        wanted_B = self.class_of_label[split][batch.label_B] if self.classes else None
        of = f"what was drawn at step {trainer.global_step} for {', '.join(batch.key[:3])} ..."
        for draw in range(self.draws):
            for name, pixels_BCHW in drawn(trainer, pl_module, batch, draw).items():
                self.scores[split + name].add_fake(self.network.measure(pixels_BCHW), wanted_B, of)

    def finish(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        """Log, and forget the drawn ones."""
        figures = dict(self.fixed.get(split, {}))
        for suffix in ("", FROM_Z_IMAGE):
            if (scores := self.scores.get(split + suffix)) is not None:
                count, found = scores.compute()
                scores.forget_fakes()
                protocol = f"n{count}_{self._protocol(split)}"
                figures |= {f"{split}/{name}{suffix}/{protocol}": value for name, value in found.items()}
        pl_module.log_dict(figures, rank_zero_only=False)

    def _protocol(self, split: str) -> str:
        return f"{split if self.reference == 'own' else self.reference}_{self.network.protocol}"


def class_means(split: Pictures, side: int) -> tuple[Tensor, Tensor]:
    """The mean picture of each class, uint8 (K, 3, side, side), and how many pictures it has, (K,)."""
    total_KCHW = torch.zeros(len(split.classes) + 1, 3, side, side, dtype=torch.float64)
    for position, label in enumerate(split.label_N.tolist()):
        total_KCHW[label] += images.square_pixels(open_picture(split, position), side)
    count_K = torch.bincount(split.label_N[split.label_N >= 0], minlength=len(split.classes))
    mean_KCHW = total_KCHW[:-1] / count_K.clamp(min=1)[:, None, None, None]
    return mean_KCHW.round().to(torch.uint8), count_K
