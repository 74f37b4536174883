import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision import transforms

from sound2scene.images import (
    BACKGROUND,
    FORMATS,
    PRESETS,
    centre_square,
    decode_jpeg,
    encode_jpeg,
    preset,
    square_pixels,
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
    if name == "centre_crop_signed":
        signed = [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
        return transforms.Compose([square, transforms.Resize((224, 224), bilinear), *signed])(image)
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
    with pytest.raises(InputError, match="'squeze' is unknown; choose one of squeeze, centre_crop, centre"):
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


# --- As a viewer shows it
# ------------------------------------------------------------------------------------------------------------

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
UPRIGHT = (RED, GREEN, BLUE, GREY)  # top left, top right, bottom left, bottom right


def squares() -> Image.Image:
    """Grey with a red square top left, a green one top right and a blue one bottom left."""
    image = Image.new("RGB", (64, 48), GREY)
    for colour, place in ((RED, (0, 0)), (GREEN, (40, 0)), (BLUE, (0, 24))):
        image.paste(colour, (*place, place[0] + 24, place[1] + 24))
    return image


def corners(image: Image.Image) -> tuple[tuple[int, ...], ...]:
    """Colours of the corners, each to the nearest of the four."""
    pixels_HWC = np.asarray(image).astype(int)
    at = [pixels_HWC[y, x] for y in (4, -5) for x in (4, -5)]
    return tuple(min(UPRIGHT, key=lambda c: np.abs(np.array(c) - pixel).sum()) for pixel in at)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, squares()),
        (2, squares().transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        (3, squares().transpose(Image.Transpose.ROTATE_180)),
        (4, squares().transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
        (5, squares().transpose(Image.Transpose.TRANSPOSE)),
        (6, squares().transpose(Image.Transpose.ROTATE_90)),  # to be turned clockwise
        (7, squares().transpose(Image.Transpose.TRANSVERSE)),
        (8, squares().transpose(Image.Transpose.ROTATE_270)),
    ],
)
def test_a_picture_stands_upright_whatever_its_exif_orientation(
    name: str, orientation: int, stored: Image.Image
) -> None:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    stored.save(file, name, exif=exif.tobytes())
    image = decode_jpeg(file.getvalue(), "turned")
    assert image.size == (64, 48)
    assert corners(image) == UPRIGHT


def test_exif_that_is_damaged_or_absurd_leaves_the_picture_as_it_is_stored() -> None:
    for exif in (
        b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12",
        b"Exif\0\0" + bytes(30),
        b"Exif\0\0II*\0\xff\xff\xff\xff",
    ):
        file = io.BytesIO()
        squares().save(file, "JPEG", exif=exif)
        assert corners(decode_jpeg(file.getvalue(), "odd")) == UPRIGHT


def png(bits: int, colour: int, row: bytes, width: int, hidden: bytes = b"") -> bytes:
    """A PNG file of one row."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"tRNS", hidden) if hidden else b"")
        + chunk(b"IDAT", zlib.compress(b"\0" + row))
        + chunk(b"IEND", b"")
    )


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 64).round().astype(">u2")
    shown_W = np.asarray(decode_jpeg(png(16, 0, ramp.tobytes(), 64), "ramp"))[0, :, 1]
    assert np.abs(shown_W - ramp.astype(float) / 257).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (png(8, 4, bytes([9, 0, 100, 255]), 2), 100),
        (png(16, 4, struct.pack(">4H", 9000, 0, 25_700, 65_535), 2), 100),
        (png(8, 6, bytes([9, 80, 9, 0, 100, 100, 100, 255]), 2), 100),
        (png(8, 0, bytes([9, 100]), 2, struct.pack(">H", 9)), 100),
        (png(4, 0, b"\x36", 2, struct.pack(">H", 3)), 102),
        (png(2, 0, b"\x60", 2, struct.pack(">H", 1)), 170),
        (png(16, 0, struct.pack(">2H", 9000, 25_700), 2, struct.pack(">H", 9000)), 100),
        (png(8, 2, bytes([9, 80, 9, 100, 100, 100]), 2, struct.pack(">3H", 9, 80, 9)), 100),
        (
            png(
                16,
                2,
                struct.pack(">6H", 900, 8000, 900, *[25_700] * 3),
                2,
                struct.pack(">3H", 900, 8000, 900),
            ),
            100,
        ),
    ],
    ids=["LA", "LA16", "RGBA", "L", "L4", "L2", "I16", "RGB", "RGB16"],
)
def test_transparent_parts_show_the_background_and_never_the_colour_under_them(
    data: bytes, shown: int
) -> None:
    first, second = np.asarray(decode_jpeg(data, "hidden"))[0]
    assert tuple(first) == BACKGROUND
    assert tuple(second) == (shown,) * 3


def test_a_palette_with_hidden_colours_shows_the_background_there() -> None:
    image, file = squares().quantize(8), io.BytesIO()
    image.save(file, "PNG", transparency=int(np.asarray(image)[4, 4]))
    pixels_HWC = np.asarray(decode_jpeg(file.getvalue(), "palette"))
    assert tuple(pixels_HWC[4, 4]) == BACKGROUND
    assert np.abs(pixels_HWC[4, -5].astype(int) - GREEN).max() < 20


def test_half_of_a_colour_is_mixed_with_the_background_and_none_is_written_into_a_jpeg() -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 51))
    for data in (encoded(image, "PNG"), encode_jpeg(image)):
        pixel = np.asarray(decode_jpeg(data, "thin"))[8, 8].astype(int)
        assert np.abs(pixel - (255, 204, 204)).max() <= 3


@pytest.mark.parametrize(
    "name", ["exif3.jpg", "exif6.jpg", "exif6.png", "cmyk.jpg", "mpo.jpg", "palette_trans.png", "la.png"]
)
def test_hostile_pictures_show_their_squares(real_data: Path, name: str) -> None:
    path = real_data / "hostile" / "img" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    image = decode_jpeg(path.read_bytes(), name)
    if name == "la.png":
        grey_HW = np.asarray(image.convert("L")).astype(int)
        assert [abs(int(grey_HW[12, 12]) - 76) < 3, abs(int(grey_HW[12, -13]) - 150) < 3] == [True, True]
        return
    expected = (RED, GREEN, BLUE, GREY)
    if name == "palette_trans.png":
        assert tuple(np.asarray(image)[12, -13]) == BACKGROUND
        image.paste(GREEN, (image.width - 24, 0, image.width, 24))
    assert corners(image) == expected


def test_the_hostile_ramp_of_16_bits_is_the_one_of_8(real_data: Path) -> None:
    folder = real_data / "hostile" / "img"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    eight, sixteen = (
        np.asarray(decode_jpeg((folder / name).read_bytes(), name)).astype(int)
        for name in ("ramp8.png", "ramp16.png")
    )
    assert np.abs(eight - sixteen).max() <= 1
    with pytest.raises(InputError, match=r"trunc\.jpg: not a readable picture"):
        decode_jpeg((folder / "trunc.jpg").read_bytes(), "trunc.jpg")


def test_pixels_of_any_side_are_a_preset_and_none_are_not() -> None:
    picture = Image.fromarray(np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3))
    assert preset("pixels96")(picture).shape == (3, 96, 96)
    assert torch.equal(preset("pixels32")(picture), square_pixels(picture, 32))
    for name in ("pixels0", "pixels", "pixels32x", "pixels99999"):
        with pytest.raises(InputError, match=f"image preset '{name}' is unknown"):
            preset(name)
