from typing import Any

import pytest
import torch

from sound2scene.models.backbones import initialise_resnet, shorten, timm_backbone
from sound2scene.types import InputError


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenetv3_small_050", "convnext_atto", "vit_tiny_patch16_224"]
)
def test_stated_width_is_that_of_what_comes_out(name: str) -> None:
    backbone, width = timm_backbone(name, in_chans=1)
    assert backbone.eval()(torch.zeros(1, 1, 224, 224)).shape == (1, width)


def test_options_reach_timm() -> None:
    backbone, _ = timm_backbone("resnet18", {"stem_width": 24, "stem_type": "deep"}, in_chans=1)
    assert backbone.conv1[0].out_channels == 24


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet5O", None, "'resnet5O' is unknown to timm; did you mean .*resnet50"),
        ("xyzzy", None, "'xyzzy' is unknown to timm; .*list_models"),
        ("hf-hub:someone/resnet18", None, "unknown to timm"),
        ("local-dir:/tmp", None, "unknown to timm"),
        ("resnet18", {"pretrained": True}, "pretrained cannot be set"),
        ("resnet18", {"checkpoint_path": "evil.pth"}, "checkpoint_path cannot be set"),
        ("resnet18", {"depth_of_sea": 3}, "depth_of_sea"),
        ("resnet18", {"block": "none"}, "do not fit 'resnet18'"),
    ],
)
def test_unusable_backbone_is_refused_in_one_line(
    name: str, options: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        timm_backbone(name, options, in_chans=1)
    assert "\n" not in str(caught.value)


def test_networks_other_than_resnets_keep_their_own_start() -> None:
    backbone, _ = timm_backbone("mobilenetv3_small_050", in_chans=3)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    initialise_resnet(backbone, norm_std=0.02)
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


def test_last_norm_of_a_branch_starts_at_one() -> None:
    backbone, _ = timm_backbone("resnet18", in_chans=3)
    assert backbone.layer1[0].bn2.weight.max() == 0
    initialise_resnet(backbone, norm_std=0.0)
    assert backbone.layer1[0].bn2.weight.min() == 1


def test_a_shortened_resnet_ends_at_its_stage_and_has_no_more_parameters() -> None:
    backbone, _ = timm_backbone("resnet18", in_chans=3)
    assert shorten(backbone, 2) == 128
    assert backbone.forward_features(torch.zeros(1, 3, 64, 64)).shape == (1, 128, 8, 8)
    assert not any(name.startswith(("layer3", "layer4")) for name, _ in backbone.named_parameters())


@pytest.mark.parametrize(("name", "stages"), [("resnet18", 0), ("resnet18", 5), ("mobilenetv3_small_050", 2)])
def test_a_stage_that_is_not_there_is_refused(name: str, stages: int) -> None:
    backbone, _ = timm_backbone(name, in_chans=3)
    with pytest.raises(InputError, match=f"stages {stages}"):
        shorten(backbone, stages)
