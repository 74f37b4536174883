import math

import pytest
import torch
from torch import Tensor

from sound2scene.models.s2i_sound import SoundImage, Span
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES, InputError

SECOND = 16_000


def noise(level: float = 0.01) -> Tensor:
    """White noise, with a second ten times as loud from 7 s on."""
    waveform_BT = level * torch.randn(1, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    waveform_BT[:, 7 * SECOND : 8 * SECOND] *= 10
    return waveform_BT


def test_a_sound_is_a_picture_of_128_by_100_in_256_steps() -> None:
    sound_BCHW = SoundImage()(torch.cat([noise(), noise(0.1)]))
    assert sound_BCHW.shape == (2, 1, 128, 100)
    assert sound_BCHW.abs().max() <= 1
    step_BCHW = (sound_BCHW + 1) * 127.5
    torch.testing.assert_close(step_BCHW, step_BCHW.round(), rtol=0, atol=1e-4)


def test_silence_is_minus_1_and_loudness_moves_levels_by_its_decibels() -> None:
    hear = SoundImage(top_db=60.0)
    assert torch.equal(hear(torch.zeros(1, CLIP_SAMPLES)), torch.full((1, 1, 128, 100), -1.0))
    loud_BCHW, quiet_BCHW = hear(noise(0.8)), hear(noise(0.4))
    difference_db = (loud_BCHW - quiet_BCHW).mean() * 30
    assert float(difference_db) == pytest.approx(20 * math.log10(2), abs=0.4)


@pytest.mark.parametrize(("span", "start_frame"), [("middle", 450), ("loudest", 700)])
def test_a_second_is_heard_frame_by_frame(span: Span, start_frame: int) -> None:
    level_BFT = spectrogram("log_mel").log_density(noise())[..., start_frame : start_frame + 100]  # type: ignore[operator]
    share_BFT = (level_BFT * 10 / math.log(10) / 50).clamp(0, 1)
    found_BFT = SoundImage(span)(noise())[:, 0]
    torch.testing.assert_close(found_BFT, 2 * share_BFT - 1, rtol=0, atol=1.01 / 255)


def test_a_clip_is_heard_as_means_of_ten_frames() -> None:
    level_BFT = spectrogram("log_mel").log_density(noise())  # type: ignore[operator]
    mean_BFT = torch.stack([level_BFT[..., n : n + 10].mean(-1) for n in range(0, 1000, 10)], dim=-1)
    share_BFT = (mean_BFT * 10 / math.log(10) / 50).clamp(0, 1)
    torch.testing.assert_close(SoundImage()(noise())[:, 0], 2 * share_BFT - 1, rtol=0, atol=1.01 / 255)


def test_an_unknown_span_or_a_level_of_0_is_refused() -> None:
    with pytest.raises(InputError, match=r"^s2i_audio\.span is 'all'; choose clip, middle or loudest$"):
        SoundImage("all")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"s2i_audio\.top_db is 0"):
        SoundImage(top_db=0)
