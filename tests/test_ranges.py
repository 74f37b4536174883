import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from sound2scene import ranges
from sound2scene.callbacks.retrieval_pictures import RetrievalPictures
from sound2scene.callbacks.sample_grid import SampleGrid
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.datasets import (
    FolderDataModule,
    ManifestDataModule,
    ToyDataModule,
    VEGASDataModule,
    VideosDataModule,
)
from sound2scene.data.splits import FolderVideos
from sound2scene.data.videos import MomentsDataModule
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.models.heads import FeatureQueue, PrototypeHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.models.judge import Judge
from sound2scene.models.localizer import AudioBranch, Localizer
from sound2scene.models.scorers import Random
from sound2scene.optimization import LARC, WarmupCosine
from sound2scene.ranges import Range, check
from sound2scene.types import InputError
from tiny import NET


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "words"),
    [
        (Range(at_least=2), [2, 3.5], [1.9], "at least 2"),
        (Range(above=0), [1e-9], [0, -1], "above 0"),
        (Range(between=(0, 1)), [0, 0.5, 1], [-0.1, 1.1], "between 0 and 1"),
        (Range(at_least=0, below=1), [0, 0.99], [1, -0.1], "at least 0 and below 1"),
        (Range(), [-1e300, 0], [], "a finite number"),
    ],
)
def test_a_range_holds_what_lies_in_it_and_says_so(
    limits: Range, inside: list[float], outside: list[float], words: str
) -> None:
    check("x", limits, **{f"n{number}": value for number, value in enumerate(inside)})
    for value in [*outside, math.nan, math.inf, -math.inf, True, "1", [1]]:
        with pytest.raises(InputError, match=rf"^x\.width is .*; set it to {words}$"):
            check("x", limits, width=value)


def test_what_is_left_out_will_do_and_a_long_number_is_cut() -> None:
    check("x", ranges.WIDTH, width=None)
    with pytest.raises(InputError) as caught:
        check("x", ranges.WIDTH, width=10**4000)
    assert len(str(caught.value)) < 200


def constructors() -> dict[str, Callable[[Any], object]]:
    """Whatever a recipe or a card builds, by the setting whose value it takes."""
    splits = FolderVideos("videos")
    return {
        "audio_encoder.z_dim": lambda n: AudioEncoder(n, "resnet18", NET),
        "backbone.stem_width": lambda n: AudioEncoder(8, "resnet18", NET | {"stem_width": n}),
        "backbone.layers": lambda n: ImageEncoder("resnet18", NET | {"layers": [n, 1, 1, 1]}),
        "backbone.channels": lambda n: ImageEncoder("resnet18", NET | {"channels": [n, 8, 8, 8]}),
        "generator.channels": lambda n: Generator(32, n),
        "generator.z_dim": lambda n: Generator(32, 1, [], n),
        "generator.feature_dim": lambda n: Generator(32, 1, [], 8, n),
        "generator.z_image_dim": lambda n: Generator(32, 1, [], 8, 8, n),
        "discriminator.channels": lambda n: Discriminator(32, n),
        "discriminator.z_image_dim": lambda n: Discriminator(32, 1, [], n),
        "judge.classes": lambda n: Judge(n, 32, "resnet18", NET),
        "judge.side": lambda n: Judge(2, n, "resnet18", NET),
        "localizer.dim": Localizer,
        "localizer.image.side_px": lambda n: Localizer(8, image={"side_px": n}),
        "localizer.audio.window_s": lambda n: AudioBranch(8, n, backbone_options=NET),
        "head.prototypes": lambda n: PrototypeHead(8, 8, 8, n),
        "head.hidden_dim": lambda n: PrototypeHead(8, n, 8),
        "queue.length": FeatureQueue,
        "queue.dim": lambda n: FeatureQueue(8, dim=n),
        "LARC.lr": lambda n: LARC([torch.nn.Parameter(torch.zeros(1))], n if n else math.nan),
        "schedule.warmup_steps": lambda n: WarmupCosine(n or -1),
        "data.batch_size": lambda n: ClipDataModule("shards", n),
        "data.workers": lambda n: ClipDataModule("shards", workers=n or -1),
        "data.train_clips": lambda n: ToyDataModule("shards", train_clips=n),
        "data.val_share": lambda n: FolderDataModule("a", "b", n or math.nan),
        "data.test_share": lambda n: VEGASDataModule("a", "b", test_share=n or math.inf),
        "data.draw_seed": lambda n: ManifestDataModule("a", "b", draw_seed=n or -5),
        "data.side_px": lambda n: VideosDataModule("a", "b", side_px=n),
        "data.moments": lambda n: MomentsDataModule(splits, moments=n),
        "data.window_s": lambda n: MomentsDataModule(splits, window_s=n),
        "data.splits.val_share": lambda n: FolderVideos("videos", None, n or 1.0),
        "scorer.seed": lambda n: Random(n or -1),
        "SampleGrid.rows": SampleGrid,
        "SampleGrid.draws": lambda n: SampleGrid(draws=n),
        "RetrievalPictures.nearest": lambda n: RetrievalPictures(nearest=n),
    }


@pytest.mark.parametrize("name", constructors())
def test_a_size_that_no_machine_can_build_is_refused_at_once_by_its_name(name: str) -> None:
    endless = {"LARC.lr", "schedule.warmup_steps", "data.draw_seed", "data.window_s", "scorer.seed"}
    low = {"backbone.stem_width", "backbone.layers", "backbone.channels"}
    for value in (-(10**12), *([0] if name not in low else []), *([10**12] if name not in endless else [])):
        with pytest.raises(InputError, match=rf"^{re.escape(name)} is .*; set it to "):
            constructors()[name](value)


@pytest.mark.parametrize("module", [FolderDataModule, VideosDataModule, VEGASDataModule])
def test_shares_that_leave_nothing_to_train_on_are_refused(module: Any) -> None:
    with pytest.raises(InputError, match=r"^data\.val_share_and_test_share is 1\.\d*; set it to"):
        module("a", "b", val_share=0.5, test_share=0.6)
    with pytest.raises(InputError, match=r"^data\.splits\.val_share_and_test_share is 1\.\d*; set it to"):
        FolderVideos("a", None, 0.5, 0.6)
