"""Random changes of a clip while training, functions of the clip and of torch's seeded generator alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.transforms import v2

from sound2scene.images import MEAN, STD
from sound2scene.ranges import SHARE, check
from sound2scene.types import InputError


class ViewChange(nn.Module):
    """Random changes of a crop: it is flipped, changed in colour, tinted, patterned, made grey and blurred.

    The defaults are SwAV's (02, section 4.1: brightness, contrast and saturation 0.8, hue 0.2 at strength 1,
    applied with probability 0.8; grey 0.2; blur 0.5; flip 0.5). What a change takes away, features lose: with
    flips they do not tell left from right.

    Args:
        flip: Probability of a mirrored crop.
        colour: Strength of the jitter in brightness, contrast and saturation; 1 as published.
        hue: Range of the hue jitter, in turns of the colour circle.
        grey: Probability of a grey crop.
        blur: Probability of a blurred crop.
        blur_px: Largest standard deviation of the blur.
        tint: Strength of a light of random colour (ours; 0 for none), in which pale colours lose their hue
            and bright ones do not.
        pattern: Largest strength of stripes, checks or clouds over a crop (ours; 0 for none), among which
            those of a background do not matter.
    """

    def __init__(
        self,
        flip: float = 0.5,
        colour: float = 1.0,
        hue: float = 0.2,
        grey: float = 0.2,
        blur: float = 0.5,
        blur_px: float = 2.0,
        tint: float = 0.0,
        pattern: float = 0.0,
    ) -> None:
        super().__init__()
        jitter = v2.ColorJitter(0.8 * colour, 0.8 * colour, 0.8 * colour, hue)
        kernel_px = 2 * math.ceil(2 * blur_px) + 1
        changes = [v2.RandomHorizontalFlip(flip), v2.RandomApply([jitter], 0.8)]
        changes += [Tint(tint)] if tint else []
        changes += [Pattern(pattern)] if pattern else []
        changes += [
            v2.RandomGrayscale(grey),
            v2.RandomApply([v2.GaussianBlur(kernel_px, (0.1, blur_px))], blur),
        ]
        self.change = v2.Compose(changes)

    def forward(self, pixels_CHW: Tensor) -> Tensor:
        """uint8 pixels (3, H, W) to changed ones."""
        changed_CHW: Tensor = self.change(pixels_CHW)
        return changed_CHW


class Tint(nn.Module):
    """A light of random colour: each channel is multiplied by its own gain.

    Args:
        strength: Largest deviation of a gain from 1; gains are uniform.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, pixels_CHW: Tensor) -> Tensor:
        """uint8 (3, H, W) to the same."""
        gain_C11 = 1 + self.strength * (2 * torch.rand(3, 1, 1) - 1)
        return (pixels_CHW * gain_C11).clamp(0, 255).round().to(torch.uint8)


class Pattern(nn.Module):
    """Stripes, checks or clouds over a picture, of random colour, strength, width and direction.

    Args:
        strength: Largest amplitude, in parts of the range of pixels.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, pixels_CHW: Tensor) -> Tensor:
        """uint8 (3, H, W) to the same."""
        height, width = pixels_CHW.shape[-2:]
        amplitude_C11 = 255 * self.strength * torch.rand(()) * (0.6 + 0.8 * torch.rand(3, 1, 1))
        angle, phase, waves, waves_across, kind = torch.rand(5).tolist()
        if kind < 1 / 3:
            coarse_11HW = 2 * torch.rand(1, 1, 6, 6) - 1
            pattern_HW = interpolate(coarse_11HW, (height, width), mode="bicubic")[0, 0].clamp(-1, 1)
        else:
            y_H1, x_W = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
            cos, sin = math.cos(math.pi * angle), math.sin(math.pi * angle)
            along_HW, across_HW = cos * x_W + sin * y_H1, cos * y_H1 - sin * x_W
            pattern_HW = torch.sin(2 * math.pi * ((2 + 6 * waves) * along_HW + phase))
            if kind < 2 / 3:
                pattern_HW = pattern_HW * torch.sin(
                    2 * math.pi * ((2 + 6 * waves_across) * across_HW + phase)
                )
            pattern_HW = (4 * pattern_HW).clamp(-1, 1)
        return (pixels_CHW + amplitude_C11 * pattern_HW).clamp(0, 255).round().to(torch.uint8)


class MultiCrop(nn.Module):
    """Random crops of one picture at several resolutions, as SwAV wants them.

    Args:
        sides_px: Side of the crops at each resolution, largest first.
        counts: Number of crops at each resolution.
        areas: Smallest and largest share of the picture's area that a crop shows, at each resolution.
        aspect: Largest ratio of width and height of what a crop shows, or its inverse; 4/3 as published.
            Features keep the size of things where areas are near 1 and this is 1.
        change: What happens to each crop; SwAV's changes by default.
        shift: How far a picture is moved before it is cropped, at most, up or down and left or right, in its
            height and width (ours; 0 for none); its edge goes on. Places then tell pictures apart less than
            kinds do, and stay in the features.

    Raises:
        InputError: If the three lists are not of one length.
    """

    def __init__(
        self,
        sides_px: Sequence[int] = (224, 96),
        counts: Sequence[int] = (2, 6),
        areas: Sequence[tuple[float, float]] = ((0.14, 1.0), (0.05, 0.14)),
        aspect: float = 4 / 3,
        change: ViewChange | None = None,
        shift: float = 0.0,
    ) -> None:
        super().__init__()
        check("MultiCrop", SHARE, shift=shift)
        if not len(sides_px) == len(counts) == len(areas):
            raise InputError(
                f"sides_px, counts and areas have {len(sides_px)}, {len(counts)} and {len(areas)} entries; "
                "give one of each per resolution"
            )
        self.counts, self.shift = counts, shift
        self.crops = nn.ModuleList(
            v2.RandomResizedCrop(side, tuple(area), (1 / aspect, aspect), antialias=True)
            for side, area in zip(sides_px, areas, strict=True)
        )
        self.change = change or ViewChange()
        self.normalise = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])

    def forward(self, image: Image.Image) -> tuple[Tensor, ...]:
        """An RGB picture to normalised crops, (count, 3, side, side) for each resolution."""
        pixels_CHW = v2.functional.pil_to_tensor(image)
        return tuple(
            torch.stack([self.normalise(self.change(crop(self._shifted(pixels_CHW)))) for _ in range(count)])
            for crop, count in zip(self.crops, self.counts, strict=True)
        )

    def _shifted(self, pixels_CHW: Tensor) -> Tensor:
        if not self.shift:
            return pixels_CHW
        height, width = pixels_CHW.shape[-2:]
        down, right = round(self.shift * height), round(self.shift * width)
        padded_CHW: Tensor = v2.functional.pad(pixels_CHW, [right, down], padding_mode="edge")
        top, left = (int(torch.randint(2 * most + 1, ())) for most in (down, right))
        return padded_CHW[:, top : top + height, left : left + width]


class PixelCrop(nn.Module):
    """A random crop of a picture, mirrored or not, as pixels: what a judge of pictures learns from.

    Args:
        side: Height and width of the crop in pixels.
        smallest_crop: Smallest share of the picture's area that the crop shows.
    """

    def __init__(self, side: int, smallest_crop: float = 0.5) -> None:
        super().__init__()
        self.change = v2.Compose(
            [v2.RandomResizedCrop(side, (smallest_crop, 1.0), antialias=True), v2.RandomHorizontalFlip()]
        )

    def forward(self, image: Image.Image) -> Tensor:
        """An RGB picture to uint8 (3, side, side)."""
        pixels_CHW: Tensor = self.change(v2.functional.pil_to_tensor(image))
        return pixels_CHW


class SoundShift(nn.Module):
    """A sound that starts elsewhere: circular shift by any amount, then a random gain and clipping at +-1.

    Args:
        gain_db: Largest gain; gains are uniform in [-gain_db, gain_db].
    """

    def __init__(self, gain_db: float = 6.0) -> None:
        super().__init__()
        self.gain_db = gain_db

    def forward(self, waveform_T: Tensor) -> Tensor:
        """(T,) to (T,)."""
        shift = int(torch.randint(len(waveform_T), ()))
        gain_db = (torch.rand(()) * 2 - 1) * self.gain_db
        return (waveform_T.roll(shift) * 10 ** (gain_db / 20)).clamp(-1, 1)
