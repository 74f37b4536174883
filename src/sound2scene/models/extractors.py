"""Networks with public weights as measures of pictures: torchmetrics' Inception, and any of timm's."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from timm.data.config import resolve_data_config
from torch import Tensor, nn

from sound2scene.models.backbones import timm_backbone
from sound2scene.models.pixels import prepared
from sound2scene.types import InputError, Measured


class InceptionExtractor(nn.Module):
    """The Inception-v3 of the original FID (2048 features, 1008 unbiased logits), by torchmetrics and torch-fidelity.

    It resizes to 299 px itself, as TensorFlow 1 did.

    Args:
        weights: `weights-inception-2015-12-05-6726825d.pth` as torch-fidelity publishes it; downloaded by
            default.

    Raises:
        InputError: If torch-fidelity is not installed, or there is no such file, or it is another one.
    """

    feature_dim = 2048
    protocol = "inception2015_299px"

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        if weights is not None and not Path(weights).is_file():
            raise InputError(
                f"{weights}: no such file; give torch-fidelity's Inception weights, or none to download"
            )
        inception: Any = importlib.import_module("torchmetrics.image.fid").NoTrainInceptionV3
        try:
            self.network = inception("inception-v3-compat", ["2048", "logits_unbiased"], weights)
        except ModuleNotFoundError:
            raise InputError("torch-fidelity is not installed; pip install 'sound2scene[fid]'") from None
        except Exception as error:  # what a damaged file raises depends on where it is cut
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise InputError(
                f"{weights or 'Inception weights'}: cannot be read ({reason}); get them again"
            ) from None
        self.requires_grad_(False)

    @torch.no_grad()
    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features (B, 2048) and logits (B, 1008) of uint8 pictures of any size.

        Raises:
            ValueError: If they are not uint8.
        """
        if pixels_BCHW.dtype != torch.uint8:
            raise ValueError(
                f"only uint8 pixels can be measured, not {pixels_BCHW.dtype}; use images.to_pixel"
            )
        # `forward` of torchmetrics' class returns the first of them alone.
        feature_BD, logits_BK = self.network._torch_fidelity_forward(pixels_BCHW)
        return Measured(feature_BD.flatten(1).float(), logits_BK.float())


class TimmExtractor(nn.Module):
    """Pooled features of a timm network; it has no scores, so no inception score comes from it.

    Args:
        name: As timm calls it, with the tag of its weights (`resnet50.a1_in1k`), which also says how pictures
            are prepared.
        weights: File of its weights (safetensors, or a state dict that is read without running code); timm
            downloads them by default.

    Raises:
        InputError: If timm does not know the network or the tag, or the file is missing or does not fit.
    """

    def __init__(self, name: str, weights: str | None = None) -> None:
        super().__init__()
        backbone, self.feature_dim = timm_backbone(name, in_chans=3)
        if weights is None:
            backbone = timm.create_model(name, pretrained=True, num_classes=0)
        else:
            _fill(backbone, Path(weights))
        self.backbone = backbone.eval().requires_grad_(False)
        settings = resolve_data_config({}, model=backbone)  # type: ignore[no-untyped-call]
        self.mean, self.std, self.side = settings["mean"], settings["std"], int(settings["input_size"][-1])
        self.protocol = f"{name}_{self.side}px"

    def train(self, mode: bool = True) -> TimmExtractor:
        """Stays in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features (B, feature_dim) of uint8 pictures of any size."""
        return Measured(self.backbone(prepared(pixels_BCHW, self.side, self.mean, self.std)).float(), None)


def _fill(backbone: nn.Module, path: Path) -> None:
    try:
        safe = path.suffix == ".safetensors"
        state: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
        missing, _ = backbone.load_state_dict(state, strict=False)
    except Exception as error:  # what a damaged file raises depends on where it is cut
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path}: cannot be read as its weights ({reason}); give another file") from None
    if missing:
        raise InputError(f"{path}: lacks {len(missing)} tensors ({missing[0]} ...); give another file")
