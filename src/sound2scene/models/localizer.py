"""The localizer: where and when picture and sound of a video agree (paper §2.3; Senocak et al., WACV 2022).

Of the 2022 model only an abstract is public: two streams, features q^V_t and q^A_t at every time step, their
dot product as the correlation C_av[t], a classification loss, and localization by attention over the same
features. What is not public is an option here; its default follows a published relative where there is one:
Chen et al., "Localizing Visual Sounds the Hard Way" (CVPR 2021; LVS below).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, pad

from sound2scene.images import MEAN, STD
from sound2scene.models.backbones import initialise_resnet, shorten, timm_backbone
from sound2scene.moments import Moments, Scored, first_samples, windows
from sound2scene.ranges import WIDTH, Range, check
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_S, InputError

Pooling = Literal["max", "softmax", "mean"]

_LOUD = 12.0  # log density of a loud bin relative to the floor, by which LVS divides, too
WINDOW_S = Range(above=0, between=(0, CLIP_S))
_CHUNK = 25  # steps of a video that are scored at once


class ImageBranch(nn.Module):
    """From frames to maps of features.

    Args:
        dim: Width of the features.
        side_px: Side of the square frames.
        backbone: Name of a timm network whose last features are a map.
        backbone_options: Further arguments of the backbone's timm constructor; `output_stride` sets how fine
            the map is (16: 14 x 14 at 224 px, as in LVS).
        stages: Number of the backbone's stages to use; None uses all. A cell that sees the whole frame can
            answer for another one, and the map may then point beside the source; with fewer stages a cell
            sees less.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        dim: int,
        side_px: int = 224,
        backbone: str = "resnet18",
        backbone_options: dict[str, Any] | None = None,
        stages: int | None = None,
    ) -> None:
        super().__init__()
        check("localizer.image", WIDTH, side_px=side_px)
        options = {"output_stride": 16} if backbone_options is None else backbone_options
        self.side_px = side_px
        self.backbone, width = timm_backbone(backbone, options, in_chans=3)
        if stages is not None:
            width = shorten(self.backbone, stages)
        initialise_resnet(self.backbone, norm_std=0.0)
        self.project = nn.Conv2d(width, dim, 1)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1) * 255, persistent=False)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        """Map of features, (B, dim, h, w), of uint8 frames."""
        assert pixels_BCHW.dtype == torch.uint8, f"frames are uint8, not {pixels_BCHW.dtype}"
        image_BCHW = ((pixels_BCHW - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        map_BDHW: Tensor = self.project(cast(Any, self.backbone).forward_features(image_BCHW))
        return map_BDHW


class AudioBranch(nn.Module):
    """From short windows of sound to one feature each.

    A window's log density is divided by a constant and not standardised, so that a quiet moment looks quiet.

    Args:
        dim: Width of the features.
        window_s: Length of the window around a step in seconds.
        preset: Name of the spectrogram preset.
        backbone: Name of a timm network.
        backbone_options: Further arguments of the backbone's timm constructor.
    """

    def __init__(
        self,
        dim: int,
        window_s: float = 1.0,
        preset: str = "log_mel",
        backbone: str = "resnet18",
        backbone_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check("localizer.audio", WINDOW_S, window_s=window_s)
        self.window_s = window_s
        self.spectrogram = spectrogram(preset)
        self.backbone, width = timm_backbone(backbone, backbone_options, in_chans=1)
        initialise_resnet(self.backbone, norm_std=0.02)
        self.project = nn.Linear(width, dim)

    def forward(self, window_BT: Tensor, first_B: Tensor | None = None) -> Tensor:
        """Features, (B, dim), of windows of 16 kHz mono sound.

        Args:
            window_BT: The windows.
            first_B: Sample at which each begins, where all are of one sound: what they share is transformed
                once.
        """
        with torch.no_grad():
            level_BFT = (
                self.spectrogram.log_density(window_BT)
                if first_B is None
                else self.spectrogram.log_density_within(window_BT, first_B)
            ) / _LOUD
        q_BD: Tensor = self.project(self.backbone(level_BFT[:, None]))
        return q_BD


class Agreement(NamedTuple):
    """How picture and sound agree at each of N moments.

    Attributes:
        map_NHW: Dot product of the sound's feature with that of each place.
        score_N: Agreement C_av: `map_NHW` pooled over places.
        logits_NK: Scores of the classes; None if the localizer has no classes.
    """

    map_NHW: Tensor
    score_N: Tensor
    logits_NK: Tensor | None


class Localizer(nn.Module):
    """Two streams whose dot product tells when and where a sound is seen; the defaults are for 224 px.

    Args:
        dim: Width of q^V and q^A.
        classes: Number of classes for the mode `classification`; 0 for none.
        pooling: Pooling of the correlation over places: its maximum, a mean weighted by softmax (attention),
            or the plain mean.
        unit_length: Bring q^V and q^A to unit length first; the paper writes a plain dot product.
        image: Settings of :class:`ImageBranch`.
        audio: Settings of :class:`AudioBranch`.

    Attributes:
        side_px: Side of the frames.
        window_s: Length of the window of sound around a step in seconds.
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If a setting is unknown or out of range.
    """

    def __init__(
        self,
        dim: int = 512,
        classes: int = 0,
        pooling: Pooling = "max",
        unit_length: bool = False,
        image: dict[str, Any] | None = None,
        audio: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {"dim": dim, "classes": classes, "pooling": pooling}
        self.arguments |= {"unit_length": unit_length, "image": image, "audio": audio}
        check("localizer", WIDTH, dim=dim, classes=classes or None)
        if pooling not in ("max", "softmax", "mean"):
            raise InputError(f"localizer.pooling is {pooling!r}; choose one of max, softmax, mean")
        self.pooling, self.unit_length = pooling, unit_length
        self.image, self.audio = _branch(ImageBranch, dim, image), _branch(AudioBranch, dim, audio)
        self.classifier = nn.Linear(dim, classes) if classes else None
        # A softmax over products of unit vectors needs a scale; LVS divides by 0.07.
        self.scale = dim**-0.5 if not unit_length else 1 / 0.07
        self.side_px: int = self.image.side_px
        self.window_s: float = self.audio.window_s

    def streams(self, pixels_NCHW: Tensor, window_NT: Tensor) -> tuple[Tensor, Tensor]:
        """q^V of every place, (N, dim, h, w), and q^A, (N, dim), of N uint8 frames and windows of sound."""
        return self.looked(pixels_NCHW), self.heard(window_NT)

    def looked(self, pixels_NCHW: Tensor) -> Tensor:
        """q^V of every place, (N, dim, h, w), of N uint8 frames."""
        image_NDHW: Tensor = self.image(pixels_NCHW).float()
        return normalize(image_NDHW, dim=1) if self.unit_length else image_NDHW

    def heard(self, window_NT: Tensor, first_N: Tensor | None = None) -> Tensor:
        """q^A, (N, dim), of N windows of sound; arguments as for :class:`AudioBranch`."""
        audio_ND: Tensor = self.audio(window_NT, first_N).float()
        return normalize(audio_ND, dim=1) if self.unit_length else audio_ND

    def pooled(self, correlation: Tensor) -> Tensor:
        """Correlations (..., h, w) pooled over places to one number each, (...)."""
        places = correlation.flatten(-2)
        if self.pooling == "max":
            return places.amax(-1)
        return (places.softmax(-1) * places).sum(-1) if self.pooling == "softmax" else places.mean(-1)

    def correlations(self, image_NDHW: Tensor, audio_GD: Tensor) -> Tensor:
        """The score of each of N frames with each of G sounds, (N, G), for a contrastive loss."""
        return self.pooled(torch.einsum("ndhw,gd->nghw", image_NDHW, audio_GD) * self.scale)

    def agreement(self, image_NDHW: Tensor, audio_ND: Tensor) -> Agreement:
        """Agreement of N pairs; the classifier sees the summands of the attended dot product."""
        map_NHW = torch.einsum("ndhw,nd->nhw", image_NDHW, audio_ND) * self.scale
        logits_NK = None
        if self.classifier is not None:
            share_NHW = map_NHW.flatten(1).softmax(1).view_as(map_NHW)
            attended_ND = torch.einsum("ndhw,nhw->nd", image_NDHW, share_NHW)
            logits_NK = self.classifier(attended_ND * audio_ND)
        return Agreement(map_NHW, self.pooled(map_NHW), logits_NK)

    @torch.no_grad()
    def score(self, moments: Moments) -> Scored:
        """Agreement C_av and localization map of every step of a video; `map_at` is as large as the frame.

        A frame that several steps show is looked at once.
        """
        device, steps = self.image.mean.device, len(moments.second_S)
        shown_S = torch.arange(steps) if moments.shown_S is None else moments.shown_S.cpu()
        audio_SD = torch.cat(
            [
                self.heard(
                    windows(moments.waveform_T, second_N, self.window_s).to(device),
                    first_samples(second_N, self.window_s),
                )
                for second_N in torch.split(moments.second_S, _CHUNK)
            ]
        )
        scores, maps, order = [], [], []
        for first in range(0, len(moments.frames_UCHW), _CHUNK):
            image_NDHW = self.looked(moments.frames_UCHW[first : first + _CHUNK].to(device))
            step_M = ((shown_S >= first) & (shown_S < first + _CHUNK)).nonzero()[:, 0]
            for step_N in torch.split(step_M, _CHUNK):
                at_N = (shown_S[step_N] - first).to(device)
                found = self.agreement(image_NDHW[at_N], audio_SD[step_N.to(device)])
                order.append(step_N)
                scores.append(found.score_N.cpu())
                maps.append(found.map_NHW.cpu())
        at_S = torch.cat(order).argsort()
        return Scored(
            torch.cat(scores)[at_S], torch.cat(maps)[at_S], partial(upsampled, side_px=self.side_px)
        )


def _branch(kind: Any, dim: int, settings: Mapping[str, Any] | None) -> Any:
    try:
        return kind(dim, **(settings or {}))
    except TypeError as error:
        raise InputError(
            f"localizer: settings of {kind.__name__}: {error}; remove or rename the key"
        ) from None


def upsampled(map_NHW: Tensor, side_px: int) -> Tensor:
    """Maps as large as the frame, (N, side_px, side_px), with each cell at the pixel on which it is centred.

    Strided convolutions with odd kernels centre cell i on pixel i * stride. The first cell thus lies at the
    left edge and not half a cell inside, where `interpolate` would put it and so move every object by half a
    cell.
    """
    stride = -(-side_px // map_NHW.shape[-1])  # the last cell may stand for less than a stride
    inner = [stride * (cells - 1) + 1 for cells in map_NHW.shape[-2:]]
    between = interpolate(map_NHW[:, None].float(), inner, mode="bilinear", align_corners=True)
    return pad(between, (0, side_px - inner[1], 0, side_px - inner[0]), mode="replicate")[:, 0]
