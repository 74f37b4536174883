import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision import transforms

from sound2scene.images import (
    FORMATS,
    PRESETS,
    centre_square,
    decode_jpeg,
    encode_jpeg,
    preset,
    to_model,
    to_pixel,
)
from sound2scene.types import InputError

# Landscape, portrait, square, smaller than any output, and every remainder of the difference by 4.
SIZES = [(320, 240), (240, 321), (150, 150), (37, 50), (101, 99), (100, 103), (103, 100)]

CHAINS = [name for name in PRESETS if not name.startswith("pixels")]


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours with an edge, so that a shift by one pixel shows."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    image = np.array(small.resize((width, height), Image.Resampling.BICUBIC))
    image[: height // 3, width // 2 :] = 255 - image[: height // 3, width // 2 :]
    return Image.fromarray(image)


def encoded(image: Image.Image, name: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


# --- Ranges
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_all_256_values_survive_the_round_trip(dtype: torch.dtype) -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    model = to_model(pixels)
    assert (model.dtype, model.min().item(), model.max().item()) == (torch.float32, -1.0, 1.0)
    assert torch.equal(to_pixel(model.to(dtype)), pixels)


def test_values_go_to_the_nearest_pixel_and_beyond_the_range_to_its_ends() -> None:
    values = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0, -7.0, 1.01])
    assert to_pixel(values).tolist() == [0, 64, 128, 191, 255, 0, 255]


def test_a_bf16_image_loses_no_more_than_bf16_does() -> None:
    image = torch.linspace(-1, 1, 999).bfloat16()
    assert torch.equal(to_pixel(image), to_pixel(image.float()))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_never_become_pixels(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        to_pixel(torch.tensor([0.0, bad]))


def test_each_range_is_refused_where_the_other_is_meant() -> None:
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\], not torch\.uint8"):
        to_pixel(torch.tensor([0, 100, 255], dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"uint8 pixels, not torch\.float32"):
        to_model(torch.tensor([0.0, 100.0]))


# --- Preprocessing chains
# ---------------------------------------------------------------------------------------------

TO_INPUT = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]


def torchvision_chain(name: str, image: Image.Image) -> Tensor:
    """The published chains in the published code's own words: torchvision transforms, then interpolation."""
    bilinear = transforms.InterpolationMode.BILINEAR
    square = transforms.CenterCrop(min(image.size))
    if name == "squeeze":
        chain = transforms.Compose([transforms.Resize((256, 256), bilinear), *TO_INPUT])
        return interpolate(chain(image)[None], (224, 224), mode="bicubic", align_corners=True)[0]
    side = {"centre_crop": 224, "small64": 64, "icgan64": 64, "icgan128": 128, "icgan256": 256}[name]
    chain = transforms.Compose([square, transforms.Resize((side, side), bilinear), *TO_INPUT])
    if name in ("centre_crop", "small64"):
        return chain(image)
    return interpolate(chain(image)[None], (224, 224), mode="bicubic", align_corners=False)[0]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", CHAINS)
def test_preset_equals_the_same_chain_in_torchvision(name: str, size: tuple[int, int]) -> None:
    image = picture(*size)
    got = preset(name)(image)
    side = 64 if name == "small64" else 224
    assert (got.shape, got.dtype, got.is_contiguous()) == ((3, side, side), torch.float32, True)
    assert (got - torchvision_chain(name, image)).abs().max() < 1e-5


@pytest.mark.parametrize("side", [32, 64, 128, 256])
def test_pixel_presets_are_the_centre_square_as_uint8(side: int) -> None:
    image = picture(150, 101)
    got = preset(f"pixels{side}")(image)
    expected = transforms.Resize((side, side))(transforms.CenterCrop(101)(image))
    assert got.dtype == torch.uint8
    assert torch.equal(got, transforms.PILToTensor()(expected))


def test_no_two_presets_agree() -> None:
    image = picture(320, 240)
    seen = [preset(name)(image) for name in CHAINS if name != "small64"]
    for i, one in enumerate(seen):
        assert all((one - other).abs().max() > 0.05 for other in seen[:i])


def test_a_square_picture_stays_whole_and_a_long_one_keeps_its_middle() -> None:
    square = picture(64, 64)
    assert centre_square(square).tobytes() == square.tobytes()
    bar = Image.new("RGB", (90, 30))
    bar.paste((255, 0, 0), (30, 0, 60, 30))
    assert centre_square(bar).getcolors() == [(900, (255, 0, 0))]


def test_an_unknown_preset_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError, match=r"'squeze' is unknown; choose one of squeeze, centre_crop, icgan64"):
        preset("squeze")


# --- Files
# ------------------------------------------------------------------------------------------------------------


def test_jpeg_out_and_in_keeps_the_picture() -> None:
    image = picture(120, 90)
    for given in (image, np.array(image)):
        back = decode_jpeg(encode_jpeg(given), "back")
        assert (back.mode, back.size) == ("RGB", (120, 90))
        assert np.abs(np.array(back).astype(int) - np.array(image)).mean() < 3


def test_lower_quality_is_smaller() -> None:
    assert len(encode_jpeg(picture(120, 90), quality=30)) < len(encode_jpeg(picture(120, 90))) / 2


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "1"])
def test_any_colour_mode_becomes_rgb(mode: str) -> None:
    name = "JPEG" if mode in ("L", "CMYK") else "PNG"
    decoded = decode_jpeg(encoded(picture(40, 30).convert(mode), name), "any")
    assert (decoded.mode, decoded.size) == ("RGB", (40, 30))


def assert_refused(data: bytes, reason: str = "not a ") -> None:
    with pytest.raises(InputError, match=reason) as caught:
        decode_jpeg(data, "shard-3.tar:dog_7.jpg")
    message = str(caught.value)
    assert message.startswith("shard-3.tar:dog_7.jpg: not a ")
    assert message.endswith("; remove or replace it")
    assert "\n" not in message
    assert " at 0x" not in message


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_picture_is_refused_by_name(name: str, share: float) -> None:
    data = encoded(picture(64, 48), name)
    assert_refused(data[: int(share * len(data))])


@pytest.mark.parametrize("data", [b"", b"a text file\n" * 50, b"\xff\xd8\xff", bytes(1000)], ids=len)
def test_what_is_no_picture_is_refused_by_name(data: bytes) -> None:
    assert_refused(data, "not a picture")


def test_a_postscript_file_never_reaches_the_program_that_would_run_it() -> None:
    assert_refused(encoded(picture(20, 20), "EPS"), r"not a picture \(JPEG, PNG, WEBP, BMP\)")


def test_a_decompression_bomb_is_refused_before_it_unfolds() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    assert len(bomb) < 1000
    assert_refused(bomb, "decompression bomb")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore:.*:UserWarning")
def test_damaged_bytes_give_a_picture_or_a_refusal_and_nothing_else(name: str) -> None:
    rng, good, refused = np.random.default_rng(0), encoded(picture(32, 24), name), 0
    for _ in range(150):
        data = np.frombuffer(good, np.uint8).copy()
        data[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
        try:
            image = decode_jpeg(data.tobytes(), "damaged")
        except InputError:
            refused += 1
        else:
            assert image.mode == "RGB"
    assert refused > 0
