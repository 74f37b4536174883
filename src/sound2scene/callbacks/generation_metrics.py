"""FID, IS and KID of what a stage draws, with every validation and test."""

from __future__ import annotations

from typing import Any, Literal, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sound2scene import artifacts, images
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.reader import ClipReader
from sound2scene.data.batches.sampler import Draw
from sound2scene.data.clips import ClipDataModule
from sound2scene.distributed import world
from sound2scene.metrics.generation import GenerationScores
from sound2scene.protocols import CeilingSampling, Loading, Measuring, Sampling
from sound2scene.types import Batch, InputError, Measured


class GenerationMetrics(pl.Callback):
    """Measures pictures that a stage draws for held-out clips against real ones.

    Logs `{val|test}/{figure}/n{pictures}_{reference split}_{network}_{size}`, for instance
    `val/fid/n256_val_...`, and `{val|test}/generation_score`, which is FID with its sign changed, for what
    wants a figure that grows. Features of the real pictures, at the resolution of the generator, are computed
    once and cached under the network's and the data's fingerprint.

    Args:
        network: Folder of a judge artifact, or a network such as those of `sound2scene.models.extractors`.
        reference: Real pictures: of the split that is drawn for ("own"), or of `train`.
        draws: Pictures per clip.
        splits: Parts over which the inception score is averaged.
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
        self.network = cast(Any, network.eval().requires_grad_(False))
        self.reference, self.draws, self.cache = reference, draws, cache
        self.class_means = class_means
        self.settings = {"splits": splits, "kid_subset": kid_subset}
        self.scores: dict[str, GenerationScores] = {}
        self.fixed: dict[str, dict[str, float]] = {}
        self.class_of_label: dict[str, Tensor] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """The network's weights, before anything is trained in vain."""
        if isinstance(self.network, Loading):
            self.network.load()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Real pictures, the first time."""
        self._begin(trainer, pl_module, "val")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Real pictures."""
        self._begin(trainer, pl_module, "test")

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        """Draw and measure."""
        self._add(trainer, pl_module, rest[1], "val")

    def on_test_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        """Draw and measure."""
        self._add(trainer, pl_module, rest[1], "test")

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log."""
        self._log(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log."""
        self._log(trainer, pl_module, "test")

    def _begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        if trainer.sanity_checking or split in self.scores:
            return
        device = pl_module.device
        self.network.to(device)
        data = cast(ClipDataModule, trainer.datamodule)  # type: ignore[attr-defined]
        side = cast(Sampling, pl_module).resolution

        def encode(pixels_BCHW: Tensor) -> Tensor:
            return cast(Tensor, self.network.measure(pixels_BCHW.to(device)).feature_BD.cpu())

        reference = split if self.reference == "own" else self.reference
        fingerprint = artifacts.fingerprint(self.network)
        real = data.cached(reference, encode, fingerprint, f"pixels{side}", self.cache)
        self.scores[split] = self._with(real, device)
        names = data.dataset(split).classes
        known = {name: number for number, name in enumerate(self.classes)}
        self.class_of_label[split] = torch.tensor(
            [*(known.get(name, -1) for name in names), -1], device=device
        )
        if isinstance(pl_module, CeilingSampling):
            self.scores[f"{split} ceiling"] = self._with(real, device)
        if self.class_means:
            self._measure_class_means(data, split, side, self._with(real, device, kid_subset=0), device)

    def _with(self, real: FeatureCache, device: torch.device, **change: int) -> GenerationScores:
        """Scores that know the real pictures; each process brings its share."""
        scores = GenerationScores(self.network.feature_dim, **(self.settings | change)).to(device)
        rank, ranks = world()
        rows = [torch.tensor(real.row(position)) for position in range(rank, real.clips, ranks)]
        for start in range(0, len(rows), 1024):
            scores.add_real(torch.stack(rows[start : start + 1024]).to(device))
        return scores

    def _measure_class_means(
        self, data: ClipDataModule, split: str, side: int, scores: GenerationScores, device: torch.device
    ) -> None:
        shards = data.dataset(split)
        reader = ClipReader(shards, ["image"], images.preset(f"pixels{side}"))
        whole = DataLoader(
            reader,
            batch_sampler=[[Draw(0, n)] for n in range(len(shards))],
            collate_fn=lambda clips: clips[0]["image"],
        )
        total_KCHW = torch.zeros(len(shards.classes) + 1, 3, side, side, dtype=torch.float64)
        for label, pixels_CHW in zip(shards.label_N.tolist(), whole, strict=True):
            total_KCHW[label] += pixels_CHW
        count_K = torch.bincount(shards.label_N[shards.label_N >= 0], minlength=len(shards.classes))
        seen_K = count_K > 0
        mean_KCHW = (total_KCHW[:-1] / count_K.clamp(min=1)[:, None, None, None]).round().to(torch.uint8)
        if seen_K.sum() < 2:
            return
        rank, ranks = world()
        labels = shards.label_N[shards.label_N >= 0][rank::ranks]
        feature_KD = self.network.measure(mean_KCHW.to(device)).feature_BD
        scores.add_fake(Measured(feature_KD[labels.to(device)], None))
        count, found = scores.compute()
        self.fixed[split] = {f"{split}/fid_of_class_means/n{count}_{self._protocol(split)}": found["fid"]}

    def _add(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, split: str) -> None:
        if trainer.sanity_checking:
            return
        wanted_B = self.class_of_label[split][batch.label_B] if self.classes else None
        for draw in range(self.draws):
            drawn_BCHW = cast(Sampling, pl_module).sample(batch, draw)
            self.scores[split].add_fake(self.network.measure(images.to_pixel(drawn_BCHW)), wanted_B)
            if isinstance(pl_module, CeilingSampling):
                drawn_BCHW = pl_module.sample_ceiling(batch, draw)
                self.scores[f"{split} ceiling"].add_fake(
                    self.network.measure(images.to_pixel(drawn_BCHW)), wanted_B
                )

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: str) -> None:
        if trainer.sanity_checking:
            return
        figures = dict(self.fixed.get(split, {}))
        for scores, suffix in (
            (self.scores[split], ""),
            (self.scores.get(f"{split} ceiling"), "_from_z_image"),
        ):
            if scores is not None:
                count, found = scores.compute()
                scores.forget_fakes()
                figures |= {
                    f"{split}/{name}{suffix}/n{count}_{self._protocol(split)}": value
                    for name, value in found.items()
                }
                if not suffix:
                    figures[f"{split}/generation_score"] = -found["fid"]
        pl_module.log_dict(figures, rank_zero_only=False)

    def _protocol(self, split: str) -> str:
        return f"{split if self.reference == 'own' else self.reference}_{self.network.protocol}"
