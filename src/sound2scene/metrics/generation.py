"""How good generated pictures are: FID, IS and KID of torchmetrics, fed with features that are computed once."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn
from torchmetrics import MaxMetric, MeanMetric, Metric, SumMetric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from sound2scene.types import InputError, Measured


class _Given(nn.Module):
    """Stands where torchmetrics wants a network: the features are there already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, feature_BD: Tensor) -> Tensor:
        return feature_BD


class GenerationScores(nn.Module):
    """Distance of generated pictures from real ones, and how many recognisable kinds there are among them.

    Real features stay when the generated ones are forgotten. Sums run over all processes.

    Args:
        feature_dim: Width of the features.
        splits: Parts over which the inception score is averaged (10 as published for 50,000 pictures; 1 where
            there are few, since a part should hold every kind many times).
        kid_subset: Pictures per subset of KID, 100 subsets; 0 leaves KID out.
    """

    def __init__(self, feature_dim: int, splits: int = 10, kid_subset: int = 0) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that features are kept: so it is meant
            self.fid = FrechetInceptionDistance(_Given(feature_dim), reset_real_features=False)
            self.inception = InceptionScore(_Given(feature_dim), splits=splits)
            self.kid = (
                KernelInceptionDistance(
                    _Given(feature_dim), subset_size=kid_subset, reset_real_features=False
                )
                if kid_subset
                else None
            )
        # A process without pictures takes part in sums too, for which torchmetrics has to have seen a dtype.
        self.fid.update(torch.zeros(0, feature_dim), real=False)
        self.right, self.count, self.real_count = MeanMetric(), SumMetric(), SumMetric()
        self.kinds = MaxMetric()  # width of the scores; a process without pictures learns it from the others

    def add_real(self, feature_BD: Tensor) -> None:
        """Take in features of real pictures."""
        self.fid.update(feature_BD, real=True)
        self.real_count.update(len(feature_BD))
        if self.kid is not None:
            self.kid.update(feature_BD, real=True)

    def add_fake(self, seen: Measured, wanted_B: Tensor | None = None) -> None:
        """Take in generated pictures.

        Args:
            seen: What the network sees in them.
            wanted_B: Class that each is to show, -1 where that is unknown.
        """
        self.fid.update(seen.feature_BD, real=False)
        self.count.update(len(seen.feature_BD))
        if self.kid is not None:
            self.kid.update(seen.feature_BD, real=False)
        if seen.logits_BK is None:
            return
        self.kinds.update(seen.logits_BK.shape[1])
        self.inception.update(seen.logits_BK)
        if wanted_B is not None and (known_B := wanted_B >= 0).any():
            right_B = seen.logits_BK.argmax(1) == wanted_B
            self.right.update(right_B[known_B].float())

    def compute(self) -> tuple[int, dict[str, float]]:
        """Number of generated pictures, and `fid`, and where there are scores `inception_score` and `judged_as_label`.

        `judged_as_label` is the share of pictures that the network takes for the class they are to show. The
        inception score with one split, FID and that share do not depend on the order of pictures; the rest
        does, by a seed that is always the same.

        Raises:
            InputError: If there are fewer than two real or two generated pictures, or fewer than
                `kid_subset`.
        """
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that nothing was counted; that one split has no standard deviation
            torch.default_generator.manual_seed(0)
            count, kinds = int(self.count.compute()), max(int(self.kinds.compute().nan_to_num()), 0)
            self._check_counts(int(self.real_count.compute()), count)
            self._stack_lists(kinds)
            found = {"fid": float(self.fid.compute())}
            if self.kid is not None:
                found["kid"] = float(self.kid.compute()[0])
            if kinds:
                found["inception_score"] = float(self.inception.compute()[0])
                found["judged_as_label"] = float(self.right.compute())
                if math.isnan(found["judged_as_label"]):  # no picture has a label
                    del found["judged_as_label"]
        return count, found

    def _check_counts(self, real: int, fake: int) -> None:
        if min(real, fake) < 2:
            raise InputError(
                f"{real} real and {fake} generated pictures are too few for FID, which needs two of either; "
                "give a "
                "split of more clips, or more draws"
            )
        if self.kid is not None and min(real, fake) < self.kid.subset_size:
            raise InputError(
                f"kid_subset is {self.kid.subset_size}, and there are {real} real and {fake} generated "
                "pictures; "
                "choose one that is no larger than either, or 0"
            )

    def _stack_lists(self, kinds: int) -> None:
        """One tensor for a list of them: torchmetrics gathers entry by entry, and ranks may differ in batches."""
        lists: list[tuple[Metric, str, int]] = [(self.inception, "features", kinds)]
        if self.kid is not None:
            lists += [(self.kid, f"{of}_features", self.feature_dim) for of in ("real", "fake")]
        for metric, name, width in lists:
            nothing = torch.zeros(0, width, device=metric.device)
            setattr(metric, name, [torch.cat([nothing, *getattr(metric, name)])])

    def forget_fakes(self) -> None:
        """Begin anew with the same real pictures."""
        for metric in (self.fid, self.inception, self.kid, self.right, self.count, self.kinds):
            if metric is not None:
                metric.reset()
