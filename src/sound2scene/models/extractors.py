"""Networks as measures of pictures: torchmetrics' Inception, any of timm's, and image encoders of one's own.

Those with public weights ask for them when they are needed first, so that recipes are parsed without.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import timm
import torch
from timm.data.config import resolve_data_config
from torch import Tensor, nn
from torchvision.transforms.functional import to_pil_image

from sound2scene import artifacts, images
from sound2scene.download import fetched
from sound2scene.models.backbones import timm_backbone
from sound2scene.models.pixels import check_pixels, prepared
from sound2scene.protocols import whole_number
from sound2scene.types import InputError, Measured
from sound2scene.weights import fill, state_of

# As torch-fidelity publishes them; the checksum's beginning stands in the name.
INCEPTION_ADDRESS = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class InceptionExtractor(nn.Module):
    """The Inception-v3 of the original FID, by torchmetrics and torch-fidelity.

    It gives 2048 features and 1008 unbiased logits. It resizes pictures to 299 px itself.

    Args:
        weights: `weights-inception-2015-12-05-6726825d.pth` as torch-fidelity publishes it; by default it is
            downloaded when it is needed first.

    Raises:
        InputError: If torch-fidelity is not installed, or there is no such file.
    """

    feature_dim = 2048
    protocol = "inception2015_299px"

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        _check_there(weights)
        if find_spec("torch_fidelity") is None:
            raise InputError("torch-fidelity is not installed; pip install 'sound2scene[fid]'")
        self.weights = weights
        self.network: Any = None

    def load(self) -> None:
        """Read the weights, by download where no file was given; the first use does it otherwise.

        Raises:
            InputError: If they cannot be had, or are those of another network.
        """
        if self.network is not None:
            return
        if self.weights is not None:
            self.network = _inception(Path(self.weights))
            return
        with fetched(INCEPTION_ADDRESS, sha256=INCEPTION_SHA256) as path:
            self.network = _inception(path)

    @torch.no_grad()
    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features (B, 2048) and logits (B, 1008) of uint8 pictures of any size.

        Raises:
            ValueError: If they are not uint8.
            InputError: If the weights cannot be had.
        """
        check_pixels(pixels_BCHW)
        if self.network is None:
            self.load()
            self.to(pixels_BCHW.device)
        # `forward` of torchmetrics' class returns the first of them alone.
        feature_BD, logits_BK = self.network._torch_fidelity_forward(pixels_BCHW)
        return Measured(feature_BD.flatten(1).float(), logits_BK.float())


class TimmExtractor(nn.Module):
    """Pooled features of a timm network; it has no scores, so no inception score comes from it.

    Args:
        name: What timm calls it, with the tag of its weights (`resnet50.a1_in1k`), which also says how
            pictures are prepared.
        weights: File of its weights (safetensors, or a state dict that is read without running code); by
            default timm downloads them when they are needed first.

    Raises:
        InputError: If timm does not know the network or the tag, or has no weights for it, or there is no
            such file.
    """

    def __init__(self, name: str, weights: str | None = None) -> None:
        super().__init__()
        _check_there(weights)
        backbone, self.feature_dim = timm_backbone(name, in_chans=3)
        if weights is None and not timm.is_model_pretrained(name):
            raise InputError(f"{name}: timm has no weights for it; give a file of them as weights")
        self.name, self.weights, self.is_loaded = name, weights, False
        self.backbone = backbone.eval().requires_grad_(False)
        settings = resolve_data_config({}, model=backbone)  # type: ignore[no-untyped-call]
        self.mean, self.std, self.side = settings["mean"], settings["std"], int(settings["input_size"][-1])
        self.protocol = f"{name}_{self.side}px"

    def load(self) -> None:
        """Read the weights, by download where no file was given; the first use does it otherwise.

        Raises:
            InputError: If they cannot be had, or are those of another network.
        """
        if self.is_loaded:
            return
        own = self.backbone.state_dict()
        device = next(iter(own.values())).device
        if self.weights is not None:
            path = Path(self.weights)
            # A file may hold the classifier, too.
            fill(self.backbone, {name: t for name, t in state_of(path).items() if name in own}, path)
        else:
            self.backbone.load_state_dict(_downloaded(self.name))
        self.backbone.to(device)
        self.is_loaded = True

    def train(self, mode: bool = True) -> TimmExtractor:
        """Stays in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features (B, feature_dim) of uint8 pictures of any size.

        Raises:
            InputError: If the weights cannot be had.
        """
        self.load()
        return Measured(self.backbone(prepared(pixels_BCHW, self.side, self.mean, self.std)).float(), None)


class EncoderExtractor(nn.Module):
    """Features of an image encoder of one's own, where there are no labels for a judge.

    A generator that was conditioned on the same encoder knows what it looks at: figures tell one state of a
    run from another, and compare with no other run's. There are no scores, and so no inception score.

    Args:
        image_encoder: Folder of an image-encoder artifact, whose card names the image chain.

    Raises:
        InputError: If the artifact is missing, of another kind, or its card names no image chain.
    """

    def __init__(self, image_encoder: str) -> None:
        super().__init__()
        card = artifacts.read_card(image_encoder)
        if card.preset is None:
            raise InputError(f"{image_encoder}: its card names no image preset; export the artifact again")
        self.chain = images.preset(card.preset)
        self.network = artifacts.load(image_encoder, kind="image-encoder").eval().requires_grad_(False)
        self.feature_dim = whole_number(self.network, "z_dim")
        self.protocol = f"own_encoder_{card.preset}"

    def train(self, mode: bool = True) -> EncoderExtractor:
        """Stays in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features (B, feature_dim) of uint8 pictures of any size, through the chain of the encoder's card.

        Raises:
            ValueError: If they are not uint8.
        """
        check_pixels(pixels_BCHW)
        prepared_BCHW = torch.stack([self.chain(to_pil_image(one_CHW.cpu())) for one_CHW in pixels_BCHW])
        return Measured(self.network(prepared_BCHW.to(pixels_BCHW.device)).float(), None)


def _check_there(weights: str | None) -> None:
    if weights is not None and not Path(weights).is_file():
        raise InputError(f"{weights}: no such file; give the network's weights, or none to download them")


def _inception(path: Path) -> Any:
    """The network with the tensors of a file, which is read here: torch-fidelity would run code in it."""
    state = state_of(path)
    fidelity = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    network = importlib.import_module("torchmetrics.image.fid").NoTrainInceptionV3
    try:
        # Its constructor knows no way to be handed tensors but that by which it downloads them.
        with patch.object(fidelity, "load_state_dict_from_url", lambda *_, **__: state):
            return network("inception-v3-compat", ["2048", "logits_unbiased"]).requires_grad_(False)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not the weights of this Inception ({reason}); get them again") from None


def _downloaded(name: str) -> Mapping[str, Any]:
    """Weights of a timm network, through the hub's own cache, read without running code."""
    try:
        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # hub, network and file each fail in their own words
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"{name}: its weights cannot be downloaded ({reason}); run again, or give a file of them"
        ) from None
