"""Stage `localizer`: when and where picture and sound of a video agree (paper §2.3)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor

from sound2scene.distributed import gather, gather_lists, world
from sound2scene.divergence import finite
from sound2scene.lightning import facts_of, scheduled
from sound2scene.losses.localization import Instances, classification, contrastive
from sound2scene.metrics.localization import Threshold, area_under_curve, ciou, success
from sound2scene.models.localizer import Localizer
from sound2scene.moments import MomentBatch, WholeVideo
from sound2scene.optimization import WarmupCosine
from sound2scene.ranges import PART, check
from sound2scene.stages.measured import MeasuredModule
from sound2scene.types import SAMPLE_RATE_HZ, DataFacts, Export, InputError

# How often the best moment, the middle one and one drawn at random (in expectation) show what is heard.
_INSIDE = {"top1": "inside", "middle": "middle", "random": "random"}


class LocalizerStage(MeasuredModule):
    """Trains a localizer on moments drawn from videos.

    Validation looks at whole videos: whether the best moment lies where the source is known to sound and
    show, and how well the map at a known moment covers the known boxes. `val/localization` picks the
    checkpoint: the mean of those two, of that one that is known, or where nothing is known the share of best
        moments told apart
    from the rest.

    Args:
        localizer: Network to train; in the mode `classification` with as many classes as the data has.
        mode: `contrastive` needs no label; `classification` is the published way.
        instances: How the moments of a video make up its class, in the mode `classification`.
        threshold: From which share of its range on a map points to the source, or "median" as on VGG-SS.
        optimizer: Optimizer for the network.
        schedule: Schedule of the learning rate.

    Raises:
        InputError: At the start, if the classes do not fit or a mode lacks them.
    """

    def __init__(
        self,
        localizer: Localizer,
        mode: Literal["contrastive", "classification"] = "contrastive",
        instances: Instances = "attention",
        threshold: Threshold = 0.3,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.Adam(
            parameters, lr=1e-3, weight_decay=1e-5
        ),
        schedule: WarmupCosine | None = None,
    ) -> None:
        super().__init__()
        check("model", PART, threshold=None if isinstance(threshold, str) else threshold)
        # On CPUs and with bf16 on GPUs convolutions are about twice as fast with channels last; values do not
        # change.
        self.localizer = localizer.to(memory_format=torch.channels_last)
        self.mode, self.instances, self.threshold = mode, instances, threshold
        self.optimizer, self.schedule = optimizer, schedule or WarmupCosine(10, None, 0.0)
        # Plain lists: some videos have no known moment, some no box, and so may all of one rank.
        self.seen: dict[str, list[float]] = {
            name: [] for name in ("inside", "middle", "random", "margin", "ciou")
        }
        self.rejected: set[str] = set()  # of those that are measured
        self.listed: set[str] = set()
        self.class_names: list[str] = []

    def setup(self, stage: str) -> None:
        """Look whether classes fit."""
        self.check(facts_of(self.trainer))

    def check(self, facts: DataFacts) -> None:
        """Refuse data of other classes than the network's.

        Raises:
            InputError: If they differ, or a mode lacks them.
        """
        self.class_names = list(facts.classes)
        classes = self.localizer.arguments["classes"]
        wanted = len(self.class_names) if self.mode == "classification" else 0
        if classes != wanted:
            raise InputError(
                f"localizer.classes is {classes}; the mode {self.mode} on this data needs {wanted}"
            )

    def training_step(self, batch: MomentBatch, batch_index: int) -> Tensor:
        """Loss over the moments of this batch; contrastive ones see the moments of every rank."""
        self._list(batch.rejected)
        self._check_look(batch)
        frames_NCHW, window_NT = batch.frames_BMCHW.flatten(0, 1), batch.window_BMT.flatten(0, 1)
        streams = self.localizer.streams(frames_NCHW, window_NT)
        loss = (
            self._contrastive(batch, *streams)
            if self.mode == "contrastive"
            else self._classes(batch, *streams)
        )
        finite(loss, f"{self.mode} loss", batch.key, self.global_step)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def _check_look(self, batch: MomentBatch) -> None:
        """Refuse frames and windows of other sizes than the network's."""
        side_px, samples = batch.frames_BMCHW.shape[-1], batch.window_BMT.shape[-1]
        wanted_px, wanted_s = self.localizer.side_px, self.localizer.window_s
        if (side_px, samples) != (wanted_px, round(wanted_s * SAMPLE_RATE_HZ)):
            raise InputError(
                f"data.init_args.side_px is {side_px} and window_s {samples / SAMPLE_RATE_HZ:g}, and the "
                "localizer "
                f"looks at {wanted_px} and {wanted_s:g}; make them the same"
            )

    def _contrastive(self, batch: MomentBatch, image_NDHW: Tensor, audio_ND: Tensor) -> Tensor:
        videos, moments = batch.frames_BMCHW.shape[:2]
        video_N = torch.arange(videos, device=self.device).repeat_interleave(moments) + world()[0] * videos
        image_GDHW, audio_GD, video_G = gather(image_NDHW), gather(audio_ND), gather(video_N)
        score_GG = self.localizer.correlations(image_GDHW, audio_GD)
        found = (
            (score_GG.detach().argmax(1) == torch.arange(len(score_GG), device=self.device)).float().mean()
        )
        self.log("train/batch_recall_at_1", found, prog_bar=True)
        return contrastive(score_GG, video_G)

    def _classes(self, batch: MomentBatch, image_NDHW: Tensor, audio_ND: Tensor) -> Tensor:
        found = self.localizer.agreement(image_NDHW, audio_ND)
        assert found.logits_NK is not None, "the mode classification was checked to have classes"
        if (batch.label_B < 0).any():
            keys = [key for key, label in zip(batch.key, batch.label_B.tolist(), strict=True) if label < 0]
            raise InputError(
                f"{', '.join(keys)}: no label; the mode classification needs one for every video"
            )
        shape = batch.frames_BMCHW.shape[:2]
        logits_BMK, score_BM = found.logits_NK.view(*shape, -1), found.score_N.view(shape)
        return classification(logits_BMK, score_BM, batch.label_B, self.instances)

    def validation_step(self, batch: WholeVideo, batch_index: int) -> None:
        """Score a whole video."""
        self._list(batch.rejected)
        self.rejected |= {key for key, _ in batch.rejected}
        if batch.moments is None:
            return
        side_px = batch.moments.frames_UCHW.shape[-1]
        if side_px != self.localizer.side_px:
            raise InputError(
                f"data.init_args.side_px is {side_px}, and the localizer looks at {self.localizer.side_px}; "
                "make them the same"
            )
        found, second_S = self.localizer.score(batch.moments), batch.moments.second_S.cpu()
        finite(found.score_S, "score", [batch.moments.key], self.global_step)
        self.seen["margin"].append(float(found.score_S.softmax(0).max() - 1 / len(found.score_S)))
        if batch.known.interval_s is not None:
            first_s, last_s = batch.known.interval_s
            middle_s = float(second_S[len(second_S) // 2])
            self.seen["inside"].append(float(first_s <= float(second_S[found.score_S.argmax()]) <= last_s))
            self.seen["middle"].append(float(first_s <= middle_s <= last_s))
            self.seen["random"].append(float(((second_S >= first_s) & (second_S <= last_s)).float().mean()))
        if batch.known.boxes and batch.known.box_s is not None:
            map_HW = found.map_at(int((second_S - batch.known.box_s).abs().argmin()))
            if map_HW is not None:
                self.seen["ciou"].append(ciou(map_HW, batch.known.boxes, self.threshold))

    def _list(self, rejected: list[tuple[str, str]]) -> None:
        """Name videos that cannot be read, each the first time."""
        for key, kind in rejected:
            if key not in self.listed:
                self.listed.add(key)
                print(f"cannot be read, left out: {key} ({kind})", flush=True)

    def report(self, split: str) -> None:
        """Log the figures of a split."""
        seen = {name: torch.tensor(gather_lists(values)) for name, values in self.seen.items()}
        self.seen = {name: [] for name in seen}
        found: dict[str, float] = {}
        if len(seen["inside"]):
            found |= {f"{name}_inside": float(seen[of].mean()) for name, of in _INSIDE.items()}
        if len(seen["ciou"]):
            found["ciou_at_50"], found["ciou_auc"] = success(seen["ciou"]), area_under_curve(seen["ciou"])
            found["ciou_videos"] = float(len(seen["ciou"]))
        scores = [found[name] for name in ("top1_inside", "ciou_at_50") if name in found]
        found["localization"] = sum(scores) / len(scores) if scores else float(seen["margin"].mean())
        found["rejected"] = float(len(set(gather_lists(sorted(self.rejected)))))
        self.rejected = set()
        self.log_dict({f"{split}/{name}": value for name, value in found.items()}, rank_zero_only=False)

    def configure_optimizers(self) -> Any:
        """The optimizer and its schedule."""
        optimizer = self.optimizer(self.localizer.parameters())
        return scheduled(self.trainer, optimizer, self.schedule)

    def exports(self) -> Export:
        """The localizer, and how it was taught."""
        notes = {"mode": self.mode, "instances": self.instances, "classes": self.class_names}
        preset = self.localizer.audio.spectrogram.name
        return Export(self.localizer, "localizer", preset, notes)
