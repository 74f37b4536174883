"""CLIP as a measure of pictures, through open_clip: image features, and likeness to the texts of classes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, normalize, resize

from sound2scene.models.pixels import check_pixels
from sound2scene.types import InputError, Measured
from sound2scene.weights import fill, state_of

# Of the pictures from which OpenAI's networks learned (openai/CLIP, `clip/clip.py`).
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_SCALE = 100.0  # where CLIP's own factor stopped in training (Radford et al., arXiv:2103.00020, section 2.5)


class ClipExtractor(nn.Module):
    """Unit image features of CLIP, and as scores 100 times the cosine to the text of each class.

    Pictures are resized as published: bicubic, the shorter side to that of the network, then the centre.

    Args:
        architecture: What open_clip calls the network.
        weights: File of its weights in open_clip's layout (safetensors, or a state dict that is read without
            running code); by default OpenAI's are downloaded when they are needed first.
        classes: Class names; without them there are no scores.
        template: Text of a class, in which `{}` stands for its name.
        quick_gelu: Use the approximate GELU with which OpenAI's weights were trained, and most others not.

    Raises:
        InputError: If open_clip is not installed or knows no such network, there is no such file, or the
            template has no place for the name.
    """

    def __init__(
        self,
        architecture: str = "ViT-B-32",
        weights: str | None = None,
        classes: Sequence[str] | None = None,
        template: str = "{}",
        quick_gelu: bool = True,
    ) -> None:
        super().__init__()
        if find_spec("open_clip") is None:
            raise InputError("open_clip is not installed; pip install 'sound2scene[clip]'")
        if weights is not None and not Path(weights).is_file():
            raise InputError(f"{weights}: no such file; give CLIP's weights, or none to download OpenAI's")
        if "{}" not in template:
            raise InputError(f"template {template!r} has no {{}} for the name of a class; add it")
        self.architecture, self.weights, self.template = architecture, weights, template
        self.classes, self.quick_gelu = list(classes or ()), quick_gelu
        self.feature_dim, self.side = _sizes(architecture)
        self.protocol = f"clip-{architecture}_{self.side}px" + (f"[{template}]" if self.classes else "")
        self.network: Any = None
        self.text_KD: Tensor
        self.register_buffer("text_KD", torch.zeros(0, self.feature_dim), persistent=False)

    def load(self) -> None:
        """Read the weights, by download where no file was given; the first use does it otherwise.

        Raises:
            InputError: If they cannot be had, or are those of another network.
        """
        if self.network is not None:
            return
        open_clip = importlib.import_module("open_clip")
        path = Path(self.weights) if self.weights is not None else _downloaded(open_clip, self.architecture)
        # In half precision as some are published, they would make a network that no CPU runs.
        state = {name: t.float() if t.is_floating_point() else t for name, t in state_of(path).items()}
        network = open_clip.create_model(
            self.architecture, load_weights=False, force_quick_gelu=self.quick_gelu
        )
        fill(network, state, path)
        network = network.eval().requires_grad_(False).to(self.text_KD.device)
        if self.classes:
            self.text_KD = self._texts(open_clip, network)
        self.network = network

    @torch.no_grad()
    def _texts(self, open_clip: Any, network: Any) -> Tensor:
        """Unit features (K, D) of the texts of the classes."""
        texts = [self.template.replace("{}", name) for name in self.classes]
        tokens_KT = open_clip.get_tokenizer(self.architecture)(texts).to(self.text_KD.device)
        parts = tokens_KT.split(256)
        return torch.cat([network.encode_text(part, normalize=True) for part in parts]).float()

    def train(self, mode: bool = True) -> ClipExtractor:
        """Stays in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Unit features (B, feature_dim), and scores (B, classes) if there are classes, of uint8 pictures.

        Raises:
            ValueError: If they are not uint8.
            InputError: If the weights cannot be had.
        """
        check_pixels(pixels_BCHW)
        self.load()
        resized_BCHW = resize(pixels_BCHW, [self.side], InterpolationMode.BICUBIC, antialias=True)
        image_BCHW = normalize(center_crop(resized_BCHW, [self.side]).float() / 255, MEAN, STD)
        feature_BD = nn.functional.normalize(self.network.encode_image(image_BCHW).float(), dim=1)
        return Measured(feature_BD, _SCALE * feature_BD @ self.text_KD.T if self.classes else None)


def _sizes(architecture: str) -> tuple[int, int]:
    """Width of the features, and side of the pictures, of a network that open_clip knows."""
    config = importlib.import_module("open_clip").get_model_config(architecture)
    side = config and config["vision_cfg"].get("image_size", 224)
    if not config or not isinstance(side, int):
        raise InputError(
            f"architecture {architecture!r} is no square network of open_clip; "
            "open_clip.list_models() prints the names"
        )
    return int(config["embed_dim"]), side


def _downloaded(open_clip: Any, architecture: str) -> Path:
    """OpenAI's weights, through the hub's own cache."""
    config = open_clip.get_pretrained_cfg(architecture, "openai")
    if not config:
        raise InputError(f"{architecture}: OpenAI published no weights of it; give a file as weights")
    try:
        return Path(open_clip.download_pretrained(config))
    except Exception as error:  # hub, network and file each fail in their own words
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"{architecture}: its weights cannot be downloaded ({reason}); run again, or give a file of them"
        ) from None
