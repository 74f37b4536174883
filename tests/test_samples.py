from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from sound2scene import audio
from sound2scene.samples import to_waveform
from sound2scene.types import InputError

RATE_HZ = 44_100


def stereo(seconds: float = 1.0) -> Any:
    """Two tones, (T, 2), as 16 bits hold them."""
    second_T = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tones_TC = np.stack([0.4 * np.sin(2 * np.pi * hz * second_T) for hz in (440, 660)], axis=1)
    return np.rint(tones_TC * 32_768).astype(np.int16)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the file of that sound becomes."""
    path = tmp_path_factory.mktemp("file") / "stereo.wav"
    soundfile.write(path, stereo(), RATE_HZ)
    return audio.load(path)


@pytest.mark.parametrize(
    "form",
    [
        lambda tones: tones,
        lambda tones: tones.T,
        lambda tones: tones / 32_768,
        lambda tones: (tones / 32_768).astype(np.float32).T,
        lambda tones: tones.astype(np.int32) * 2**16,
        torch.from_numpy,
        lambda tones: (torch.from_numpy(tones) / 32_768).requires_grad_(),
        lambda tones: (torch.from_numpy(tones).double() / 32_768).T,
        lambda tones: np.asfortranarray(tones)[::1],
    ],
)
def test_any_layout_and_type_becomes_what_its_file_would(form: Any, expected: Any) -> None:
    for rate in (RATE_HZ, float(RATE_HZ), np.int64(RATE_HZ)):
        found = to_waveform(form(stereo()), rate)
        assert (found.shape, found.dtype) == ((160_000,), np.float32)
        assert np.abs(found - expected).max() < 1e-6


def test_bytes_without_sign_lie_around_128_and_long_sounds_are_cut() -> None:
    quiet = to_waveform(np.full(16_000, 128, np.uint8), 16_000)
    assert not quiet.any()
    assert to_waveform(np.full(20 * 16_000, 64, np.uint8), 16_000).tolist() == [-0.5] * 160_000
    half = torch.full((16_000,), 0.25, dtype=torch.bfloat16)
    assert to_waveform(half, 16_000).tolist() == [0.25] * 160_000


@pytest.mark.parametrize(
    ("sound", "rate", "told"),
    [
        (np.zeros(100), None, "does not say its rate; give sample_rate_hz"),
        (np.zeros(100), 0, "sample_rate_hz is 0; give samples per second"),
        (np.zeros(100), "44100", "sample_rate_hz is 44100; give samples per second"),
        (np.zeros(100), float("nan"), "sample_rate_hz is nan"),
        (np.zeros(100), True, "sample_rate_hz is True"),
        (np.zeros(0), 16_000, "holds no samples"),
        (np.zeros(()), 16_000, r"has 0 axes \(\); give one"),
        (np.zeros((2, 3, 400)), 16_000, r"has 3 axes \(2 x 3 x 400\); give one, or two with channels"),
        (np.zeros((500, 700)), 16_000, "no axis can be told to hold channels"),
        (np.zeros((2, 2)), 16_000, "no axis can be told to hold channels"),
        (np.zeros(100), 16_000, r"100 samples at 16000 Hz are less than 0\.01 s"),
        (np.full(400, np.nan), 16_000, "holds NaN or infinity"),
        (np.full(400, 1e300), 16_000, "holds NaN or infinity"),
        (np.full(400, 20_000.0), 16_000, "reach 2e\\+04 where full scale is 1; divide them"),
        (np.zeros(400, complex), 16_000, "samples of type complex128 are no sound"),
        (np.array(["a"] * 400), 16_000, "samples of type <U1 are no sound"),
        (np.zeros(400, bool), 16_000, "samples of type bool are no sound"),
        (torch.zeros(400, device="meta"), 16_000, "a tensor without plain samples"),
        (torch.eye(400).to_sparse(), 16_000, "a tensor without plain samples"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_line_that_names_it(sound: Any, rate: Any, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        to_waveform(sound, rate, "sound 3")
    assert str(caught.value).startswith("sound 3: ")
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)
