from pathlib import Path

import pytest
import torch

from sound2scene import artifacts
from sound2scene.methods.hearing import FrozenAudioEncoder
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES, InputError
from tiny import NET, Z_DIM


def save(folder: Path, notes: dict[str, str]) -> Path:
    torch.manual_seed(0)
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    return artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder, card=card)


def test_latents_are_those_of_the_network_at_unit_length_whatever_is_beside_them(tmp_path: Path) -> None:
    hearing = FrozenAudioEncoder(str(save(tmp_path / "audio", {"image_encoder": "abc"})), "cpu")
    assert (hearing.image_encoder, hearing.familiar) == ("abc", None)
    assert hearing.fingerprint == artifacts.read_card(tmp_path / "audio").fingerprint
    sound_BT = 0.3 * torch.rand(10, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    whole_BD = hearing.encode(sound_BT)
    with torch.no_grad():
        z_BD = artifacts.load(tmp_path / "audio")(spectrogram("log_mel")(sound_BT))
    torch.testing.assert_close(whole_BD, z_BD / z_BD.norm(dim=1, keepdim=True))
    assert torch.equal(hearing.encode(sound_BT[[9, 3]]), whole_BD[[9, 3]])
    assert hearing.encode(sound_BT[:0]).shape == (0, Z_DIM)
    assert not any(parameter.requires_grad for parameter in hearing.network.parameters())


def test_an_encoder_of_no_known_image_encoder_and_another_artifact_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"audio: its card does not say to which image encoder it belongs"):
        FrozenAudioEncoder(str(save(tmp_path / "audio", {})))
    with pytest.raises(InputError, match=r"nowhere: no artifact"):
        FrozenAudioEncoder(str(tmp_path / "nowhere"))
