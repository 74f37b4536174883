import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity_fill import input_tensor, relative_error, state
from sound2scene import artifacts
from sound2scene.models.heads import ProjectionHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.published import swav


@pytest.fixture(scope="module")
def swav_state(parity: Path) -> dict[str, Tensor]:
    return state(json.loads((parity / "state_dict_keys.json").read_text())["swav"])


@pytest.fixture(scope="module")
def imported(swav_state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    folder = tmp_path_factory.mktemp("swav")
    # The published file is of 2020: torch's old container, and every name behind `module.`.
    torch.save(
        {f"module.{name}": tensor for name, tensor in swav_state.items()},
        folder / "swav_800ep_pretrain.pth.tar",
        _use_new_zipfile_serialization=False,
    )
    return artifacts.load(swav.import_swav(folder / "swav_800ep_pretrain.pth.tar", folder / "artifact"))


@pytest.fixture(scope="module")
def feature(imported: nn.Module) -> Tensor:
    with torch.no_grad():
        return imported(input_tensor("image_input", (2, 3, 224, 224)))


@pytest.mark.slow
def test_imported_weights_give_the_published_features(parity: Path, feature: Tensor) -> None:
    error = relative_error(feature, np.load(parity / "public.npz")["swav_resnet50/feature"])
    assert error < 1e-4


@torch.no_grad()
def test_small_crops_give_the_published_features(parity: Path, imported: nn.Module) -> None:
    got = imported(input_tensor("image_input_96", (2, 3, 96, 96)))
    error = relative_error(got, np.load(parity / "public.npz")["swav_resnet50/feature_96px"])
    assert error < 1e-4


@torch.no_grad()
def test_projection_head_gives_the_published_projection(
    parity: Path, swav_state: dict[str, Tensor], feature: Tensor
) -> None:
    head = ProjectionHead(2048, 2048, 128).eval()
    prefix = "projection_head."
    head.load_state_dict({k.removeprefix(prefix): v for k, v in swav_state.items() if k.startswith(prefix)})
    error = relative_error(head(feature), np.load(parity / "public.npz")["swav_resnet50/projection"])
    assert error < 1e-4


def test_names_and_shapes_are_the_published_ones(parity: Path, imported: nn.Module) -> None:
    published_shapes = json.loads((parity / "state_dict_keys.json").read_text())["swav"]
    backbone = {name: list(tensor.shape) for name, tensor in imported.backbone.state_dict().items()}
    head = ProjectionHead(2048, 2048, 128).state_dict()
    head_shapes = {f"projection_head.{name}": list(tensor.shape) for name, tensor in head.items()}
    assert backbone | head_shapes | {"prototypes.weight": [3000, 128]} == published_shapes
    assert sum(parameter.numel() for parameter in imported.parameters()) == 23_508_032


def test_features_are_pooled_after_a_relu(feature: Tensor) -> None:
    assert feature.min() >= 0
    assert feature.shape == (2, 2048)


def test_starts_as_swav() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder("resnet10t", {"stem_type": ""})
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert torch.equal(module.weight, torch.ones_like(module.weight))
            assert module.bias.abs().max() == 0
        if isinstance(module, torch.nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
