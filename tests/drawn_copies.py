"""Sounds and pictures that are rich enough to be told apart, and copies of them as others would make them."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from sound2scene import audio, images
from sound2scene.types import CLIP_SAMPLES, Clip


def scene(seed: int, side_px: int = 96) -> Image.Image:
    """Coloured patches at random, large ones stronger than small ones, as in photographs."""
    rng = np.random.default_rng(seed)
    noise_HWC = np.zeros((side_px, side_px, 3))
    for px in (1, 3, 9):
        noise_HWC += px**1.5 * gaussian_filter(rng.normal(size=noise_HWC.shape), (px, px, 0))
    low, high = noise_HWC.min(), noise_HWC.max()
    return Image.fromarray((255 * (noise_HWC - low) / (high - low)).astype(np.uint8))


def melody(seed: int, samples: int = CLIP_SAMPLES) -> NDArray[np.float32]:
    """Short notes at random, with a little noise."""
    rng = np.random.default_rng(seed)
    waveform_T = 0.003 * rng.normal(size=samples)
    for start in range(0, samples - 16_000, 1600):
        second_T = np.arange(8000) / 16_000
        note_T = np.sin(2 * np.pi * np.exp(rng.uniform(np.log(200), np.log(4000))) * second_T)
        waveform_T[start : start + 8000] += 0.1 * note_T * np.exp(-6 * second_T)
    return waveform_T.clip(-1, 1).astype(np.float32)


def coded(waveform_T: NDArray[np.float32], form: str, subtype: str) -> NDArray[np.float32]:
    """A sound after a lossy codec."""
    file = io.BytesIO()
    soundfile.write(file, waveform_T, 16_000, format=form, subtype=subtype)
    return audio.load(file.getvalue())


def small_jpeg(image: Image.Image, side_px: int = 48, quality: int = 50) -> bytes:
    """A picture, smaller and worse."""
    return images.encode_jpeg(image.resize((side_px, side_px), Image.Resampling.BICUBIC), quality)


# Splits of clips: of each the seed of its sound and of its picture, None where nothing is to be heard.
KEYS = {
    "train": [("aaaaaaaaaaa_10000_20000", 1, 1), ("plain-2", 2, 2), ("plain-3", 3, 3)],
    "test": [
        ("aaaaaaaaaaa_50000_60000", 11, 11),  # another second of the first training video
        ("sound-copy", -2, 12),
        ("picture-copy", 13, -3),
        ("nothing-heard", None, 14),
        ("new", 15, 15),
        ("both-copies", -3, -3),
        ("new-again", -15, 16),  # a copy inside the test split
    ],
}


def draw(job: dict[str, object]) -> Clip:
    """A clip of `KEYS`; a seed below 0 makes a copy of the one above."""
    sound, picture = job["sound"], job["picture"]
    waveform_T = np.zeros(CLIP_SAMPLES, np.float32)
    if isinstance(sound, int):
        waveform_T = melody(abs(sound))
        waveform_T = coded(0.3 * waveform_T, "OGG", "VORBIS") if sound < 0 else waveform_T
    assert isinstance(picture, int)
    image = scene(abs(picture))
    jpeg = small_jpeg(image) if picture < 0 else images.encode_jpeg(image)
    return Clip(str(job["key"]), jpeg, waveform_T, None, "dog", {})


def jobs() -> dict[str, list[dict[str, object]]]:
    """Jobs of all clips of `KEYS`."""
    return {
        split: [{"key": key, "sound": sound, "picture": picture} for key, sound, picture in clips]
        for split, clips in KEYS.items()
    }
