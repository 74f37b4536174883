"""The two ranges of pictures and the conversions between them, JPEG files, and the preprocessing presets.

A picture is in *pixel* range (uint8, 0 to 255, as in files and metrics) or in *model* range (float32, -1 to
1, as a generator draws it). An image encoder takes neither: it takes the output of a preset, normalised with
ImageNet's mean and standard deviation unless its name says otherwise. The published code uses several
(Sound2Scene `a2s_dataloader.py`, `inference/generate_images.py`, IC-GAN `make_hdf5.py`, SwAV
`eval_linear.py`); an artifact's card names its own.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import interpolate

from sound2scene.types import InputError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# Both the mean and the deviation of what has values from -1 to 1.
SIGNED = (0.5, 0.5, 0.5)

# Pillow's other readers are no use here, and some start programs (EPS starts Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")

# What shows through where a picture is transparent; the colours that are hidden there never do.
BACKGROUND = (255, 255, 255)

_BILINEAR = Image.Resampling.BILINEAR

_ORIENTATION = 0x0112  # tag of EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DAMAGED_EXIF = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)


def to_pixel(image_BCHW: Tensor) -> Tensor:
    """Model range to pixel range: float in [-1, 1] to uint8, rounded to nearest, out-of-range values clamped.

    Raises:
        ValueError: If a value is not finite, or the dtype is no float (perhaps already pixels).
    """
    if not image_BCHW.is_floating_point():
        raise ValueError(f"to_pixel takes floats in [-1, 1], not {image_BCHW.dtype}")
    if not torch.isfinite(image_BCHW).all():
        raise ValueError("an image holds NaN or infinity; it cannot become pixels")
    return ((image_BCHW.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_model(image_BCHW: Tensor) -> Tensor:
    """Pixel range to model range: uint8 to float32 in [-1, 1]."""
    if image_BCHW.dtype != torch.uint8:
        raise ValueError(f"to_model takes uint8 pixels, not {image_BCHW.dtype}")
    return image_BCHW.to(torch.float32) / 127.5 - 1


def decode_jpeg(data: bytes, name: str) -> Image.Image:
    """An encoded picture as an RGB image, as a viewer that obeys the file shows it.

    It is turned and mirrored as its EXIF note of the orientation asks; 16 bits of grey are scaled to 8;
    transparent parts show `BACKGROUND`.

    Args:
        data: Bytes of a whole JPEG file (or another of `FORMATS`).
        name: Name of the picture in an error message.

    Raises:
        InputError: If the bytes are no picture, a truncated one, or one of more than 179 million pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            depth = _bits_of_grey(image)
            image.load()
            return _upright(_flat(image, depth), _orientation(image))
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture ({', '.join(FORMATS)}); remove or replace it") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{name}: not a readable picture ({error}); remove or replace it") from None


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION)
    except _DAMAGED_EXIF:  # a viewer shows the picture as it is stored
        return 1
    return value if isinstance(value, int) else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _bits_of_grey(image: Image.Image) -> int:
    """Bits that a PNG file has for grey: Pillow widens them all, but not the number of the hidden one."""
    raw = str(image.tile[0].args) if isinstance(image, ImageFile.ImageFile) and image.tile else ""
    return {"L;2": 2, "L;4": 4}.get(raw, 8)


def _flat(image: Image.Image, bits: int = 8) -> Image.Image:
    """RGB of 8 bits, transparent parts filled with `BACKGROUND`."""
    hidden = image.info.get("transparency")
    if image.mode.startswith("I"):
        grey_HW = np.asarray(image).astype(np.int64).clip(0, 65_535)
        pixels_HWC = np.repeat(((grey_HW + 128) // 257)[..., None].astype(np.uint8), 3, axis=2)
        if isinstance(hidden, int):
            pixels_HWC[grey_HW == hidden] = BACKGROUND
        return Image.fromarray(pixels_HWC)
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode in ("1", "L") and isinstance(hidden, int):
        image = image.convert("L")
        image.info["transparency"] = hidden * 255 // (2**bits - 1)
    elif image.mode == "RGB" and isinstance(hidden, tuple) and max(hidden) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in hidden)  # 16 bits a colour, read as 8
    colours = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), colours).convert("RGB")


def encode_jpeg(image: Image.Image | NDArray[np.uint8], quality: int = 95) -> bytes:
    """A picture (PIL, or uint8 HWC) as JPEG bytes."""
    buffer = io.BytesIO()
    pil = image if isinstance(image, Image.Image) else Image.fromarray(image)
    _flat(pil).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def normalise(image: Image.Image, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """An RGB picture as float32 CHW, normalised with a mean and standard deviation of values in [0, 1]."""
    pixels_HWC = torch.from_numpy(np.array(image, dtype=np.float32))
    return ((pixels_HWC / 255 - torch.tensor(mean)) / torch.tensor(std)).permute(2, 0, 1).contiguous()


def centre_square(image: Image.Image) -> Image.Image:
    """The largest centred square of a picture, rounded to even pixels as in torchvision's `center_crop`."""
    side = min(image.size)
    left, top = round((image.width - side) / 2), round((image.height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def square_pixels(image: Image.Image, side: int) -> Tensor:
    """The centred square, uint8 (3, side, side), that a generator learns to draw (IC-GAN `make_hdf5.py`)."""
    square = centre_square(image).resize((side, side), _BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def _bicubic(image_CHW: Tensor, side: int, *, align_corners: bool) -> Tensor:
    return interpolate(image_CHW[None], (side, side), mode="bicubic", align_corners=align_corners)[0]


def _squeeze(image: Image.Image) -> Tensor:
    return _bicubic(normalise(image.resize((256, 256), _BILINEAR)), 224, align_corners=True)


def _centre(
    image: Image.Image, side: int = 224, mean: Sequence[float] = MEAN, std: Sequence[float] = STD
) -> Tensor:
    return normalise(centre_square(image).resize((side, side), _BILINEAR), mean, std)


def _icgan(image: Image.Image, side: int) -> Tensor:
    return _bicubic(_centre(image, side), 224, align_corners=False)


# No lambdas: a loader's worker that is not forked is handed a chain by name.
PRESETS: dict[str, Callable[[Image.Image], Tensor]] = {
    # Sound2Scene's training target: whole frame squeezed to 256, then bicubic to 224 (aspect ratio not kept).
    "squeeze": _squeeze,
    # Sound2Scene's feature helper: centre square at 224.
    "centre_crop": _centre,
    # The same from -1 to 1, as many of timm's weights expect it.
    "centre_crop_signed": partial(_centre, mean=SIGNED, std=SIGNED),
    # IC-GAN's training features: centre square at the generator's resolution, then bicubic to 224.
    "icgan64": partial(_icgan, side=64),
    "icgan128": partial(_icgan, side=128),
    "icgan256": partial(_icgan, side=256),
    # Small encoders of small pictures: centre square at 64, no upsampling.
    "small64": partial(_centre, side=64),
}


def normal_of(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, of values in [0, 1], by which a preset that normalises does so."""
    return (SIGNED, SIGNED) if name == "centre_crop_signed" else (MEAN, STD)


def preset(name: str) -> Callable[[Image.Image], Tensor]:
    """A preprocessing preset by name: RGB picture to normalised float32 (3, H, W), 224 px except `small64`.

    The presets `pixels<side>` give uint8 (3, side, side) instead, for judges and baselines.

    Raises:
        InputError: If there is no preset of that name.
    """
    if found := re.fullmatch(r"pixels([1-9]\d{0,3})", name):
        return partial(square_pixels, side=int(found[1]))
    try:
        return PRESETS[name]
    except KeyError:
        raise InputError(
            f"image preset {name!r} is unknown; choose one of {', '.join(PRESETS)}, pixels<side>"
        ) from None
