"""Quality of generated pictures: torchmetrics' FID, IS and KID on features that are computed once."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn
from torchmetrics import MaxMetric, MeanMetric, Metric, SumMetric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from sound2scene.ranges import COUNT, PLENTY, check
from sound2scene.types import DivergedError, InputError, Measured

PICTURES_OF_A_PART = 5000


class _Given(nn.Module):
    """Takes the place of torchmetrics' network: the features are there already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, feature_BD: Tensor) -> Tensor:
        return feature_BD


class GenerationScores(nn.Module):
    """Distance of generated pictures from real ones, and their variety of recognisable classes.

    Figures are those of all processes together.

    Args:
        feature_dim: Width of the features.
        splits: Most parts over which the inception score is averaged. A part has at least 5,000 pictures, as
            published (10 parts of 50,000; Salimans et al., arXiv:1606.03498, section 4), so that fewer than
            10,000 pictures are one part: a part that holds few of a class scores far too low.
        kid_subset: Pictures in each of the 100 subsets of KID; 0 leaves KID out.
    """

    def __init__(self, feature_dim: int, splits: int = 10, kid_subset: int = 0) -> None:
        super().__init__()
        check("scores", PLENTY, splits=splits)
        check("scores", COUNT, kid_subset=kid_subset)
        self.feature_dim, self.splits = feature_dim, splits
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that all features are kept in memory, which is intended
            self.fid = FrechetInceptionDistance(_Given(feature_dim), reset_real_features=False)
            self.inception = InceptionScore(_Given(feature_dim), splits=splits)
            self.kid = (
                KernelInceptionDistance(
                    _Given(feature_dim), subset_size=kid_subset, reset_real_features=False
                )
                if kid_subset
                else None
            )
        # A process without pictures takes part in the sums too, so torchmetrics must have seen a dtype.
        self.fid.update(torch.zeros(0, feature_dim), real=False)
        self.right, self.count, self.real_count = MeanMetric(), SumMetric(), SumMetric()
        self.kinds = MaxMetric()  # number of classes, which a process without pictures learns from the others

    def add_real(self, feature_BD: Tensor) -> None:
        """Add the features of real pictures.

        Raises:
            DivergedError: If they are not finite.
        """
        _check_finite(feature_BD, "real pictures")
        self.fid.update(feature_BD, real=True)
        self.real_count.update(len(feature_BD))
        if self.kid is not None:
            self.kid.update(feature_BD, real=True)

    def add_fake(
        self, seen: Measured, wanted_B: Tensor | None = None, of: str = "generated pictures"
    ) -> None:
        """Add generated pictures.

        Args:
            seen: Features and scores of the pictures.
            wanted_B: Class that each picture is meant to show, -1 if unknown.
            of: What they are pictures of, for the message.

        Raises:
            DivergedError: If features or scores are not finite.
        """
        _check_finite(seen.feature_BD, of)
        if seen.logits_BK is not None:
            _check_finite(seen.logits_BK, of)
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
        """The number of generated pictures, and the figures by name.

        The figures are `fid`, `kid` if asked for, and, if the network has classes, `inception_score` and
        `judged_as_label`: the share of pictures that the network takes for the class they are meant to show.
        FID, that share and an inception score of one split do not depend on the order of pictures; the others
        do, through a fixed seed.

        Raises:
            InputError: If there are fewer than two real or two generated pictures, or fewer than
                `kid_subset`.
        """
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            # They say that nothing was counted, or that one split has no standard deviation.
            warnings.simplefilter("ignore")
            torch.default_generator.manual_seed(0)
            count, kinds = int(self.count.compute()), max(int(self.kinds.compute().nan_to_num()), 0)
            self._check_counts(int(self.real_count.compute()), count)
            self._stack_lists(kinds)
            found = {"fid": float(self.fid.compute())}
            if self.kid is not None:
                found["kid"] = float(self.kid.compute()[0])
            if kinds:
                self.inception.splits = min(self.splits, max(count // PICTURES_OF_A_PART, 1))
                found["inception_score"] = float(self.inception.compute()[0])
                found["judged_as_label"] = float(self.right.compute())
                if math.isnan(found["judged_as_label"]):  # no picture has a label
                    del found["judged_as_label"]
        return count, found

    def _check_counts(self, real: int, fake: int) -> None:
        if min(real, fake) < 2:
            raise InputError(
                f"{real} real and {fake} generated pictures are too few for FID, which needs two of either; "
                "give a split of more clips, or more draws"
            )
        if self.kid is not None and min(real, fake) < self.kid.subset_size:
            raise InputError(
                f"kid_subset is {self.kid.subset_size}, and there are {real} real and {fake} generated "
                "pictures; choose one that is no larger than either, or 0"
            )

    def _stack_lists(self, kinds: int) -> None:
        """Join lists of tensors: torchmetrics gathers one by one, and ranks may hold different numbers."""
        lists: list[tuple[Metric, str, int]] = [(self.inception, "features", kinds)]
        if self.kid is not None:
            lists += [(self.kid, f"{of}_features", self.feature_dim) for of in ("real", "fake")]
        for metric, name, width in lists:
            nothing = torch.zeros(0, width, device=metric.device)
            setattr(metric, name, [torch.cat([nothing, *getattr(metric, name)])])

    def forget_fakes(self) -> None:
        """Start again with the same real pictures."""
        for metric in (self.fid, self.inception, self.kid, self.right, self.count, self.kinds):
            if metric is not None:
                metric.reset()


def _check_finite(found_BD: Tensor, of: str) -> None:
    if not torch.isfinite(found_BD).all():
        raise DivergedError(
            f"the measuring network sees NaN or infinity in {of}; look at them and at that network's weights"
        )
