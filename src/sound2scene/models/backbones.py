"""Any timm network by name, with only the freedom that leaves an encoder an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

import timm
from timm.models import ResNet
from torch import nn

from sound2scene.ranges import Range, check
from sound2scene.types import InputError

# What an encoder settles itself, and what would read files or reach for the network.
_OWN = {"in_chans", "num_classes", "global_pool", "features_only", "feature_cfg", "model_cfg"}
_DEPTHS = {"layers", "depths", "depth", "num_layers", "block_repeats"}
_DEPTH, _SIZE = Range(between=(0, 256)), Range(between=(-(2**14), 2**14))
_FILES = {
    "checkpoint_path",
    "cache_dir",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "pretrained_strict",
}


def timm_backbone(
    name: str, options: Mapping[str, Any] | None = None, *, in_chans: int
) -> tuple[nn.Module, int]:
    """A timm network without its classifier, untrained, and the width of the pooled features it returns.

    Args:
        name: What `timm.list_models()` calls it, with or without the tag of some weights, whose settings the
            network then has. Hub and folder addresses are refused: a card may carry this name.
        options: Further arguments of the timm constructor, such as `drop_path_rate`.
        in_chans: Channels of its input.

    Raises:
        InputError: If the name or an option is unknown, too large, or not the user's to set.
    """
    if not isinstance(name, str) or not _is_known(name):
        name = str(name)[:80]
        near = ", ".join(
            get_close_matches(name, timm.list_pretrained() if "." in name else timm.list_models(), n=3)
        )
        remedy = f"did you mean {near}?" if near else "timm.list_models() prints the names"
        raise InputError(f"backbone {name!r} is unknown to timm; {remedy}")
    options = dict(options or {})
    if refused := sorted((_OWN | _FILES) & options.keys()):
        raise InputError(f"backbone_options: {', '.join(refused)} cannot be set here; remove it")
    _check_sizes("backbone_options", options)
    try:
        backbone: Any = timm.create_model(name, pretrained=False, in_chans=in_chans, num_classes=0, **options)
    except Exception as error:  # a thousand constructors have a thousand ways to dislike an argument
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"backbone_options {options} do not fit {name!r} ({reason}); mend or remove them"
        ) from None
    # Where a network has a layer between pooling and classifier, its pooled output is as wide as that layer.
    return backbone, int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)


def _check_sizes(where: str, found: object) -> None:
    """Refuse networks that no machine can hold: they would be built for hours."""
    if isinstance(found, Mapping):
        for name, value in found.items():
            _check_sizes(f"{where}.{name}", value)
    elif isinstance(found, (list, tuple)):
        check(where, _SIZE, number_of_entries=len(found))
        for value in found:
            _check_sizes(where, value)
    elif isinstance(found, (int, float)) and not isinstance(found, bool):
        name = where.rpartition(".")[2]
        check("backbone", _DEPTH if name in _DEPTHS else _SIZE, **{name: found})


def shorten(backbone: Any, stages: int) -> int:
    """Take all but the first so many stages out of a timm ResNet, and return the channels of what is left.

    Raises:
        InputError: If it is no ResNet, or has no such stage.
    """
    if not isinstance(backbone, ResNet) or not 1 <= stages < len(backbone.feature_info):
        raise InputError(f"stages {stages}: give 1 to 4, and a ResNet as backbone, or leave the key out")
    backbone.prune_intermediate_layers([stages])
    channels: int = cast(Any, backbone).feature_info[stages]["num_chs"]
    return channels


def _is_known(name: str) -> bool:
    try:
        return timm.is_model(name) and (timm.get_pretrained_cfg(name) is not None or "." not in name)
    except RuntimeError:  # it knows the network and not the tag
        return False


def initialise_resnet(backbone: nn.Module, *, norm_std: float) -> None:
    """Start a ResNet as the published ones start; any other network keeps timm's own start.

    Convolutions are Kaiming normal (fan out, ReLU), batch-norm weights N(1, norm_std), biases 0; the last
    batch norm of a residual branch is not zeroed, as timm would do.
    """
    if not isinstance(backbone, ResNet):
        return
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, norm_std)
            nn.init.zeros_(module.bias)
