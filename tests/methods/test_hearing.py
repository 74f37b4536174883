import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sound2scene import artifacts
from sound2scene.methods import hearing as hearings
from sound2scene.methods.hearing import FrozenAudioEncoder, RememberingAudioEncoder
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.scratch import Scratch
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES, InputError
from spying import spied
from tiny import NET, Z_DIM


def save(folder: Path, notes: dict[str, str]) -> Path:
    torch.manual_seed(0)
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    return artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder, card=card)


@pytest.mark.costly
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


@pytest.fixture
def pair(tmp_path: Path) -> tuple[FrozenAudioEncoder, RememberingAudioEncoder]:
    """The same audio encoder twice, one of which remembers."""
    folder = str(save(tmp_path / "audio", {"image_encoder": "abc"}))
    return FrozenAudioEncoder(folder, "cpu"), RememberingAudioEncoder(folder, "cpu")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sounds an encoder was given each time that it had to hear."""
    return spied(monkeypatch, FrozenAudioEncoder, "encode", len)


@pytest.mark.costly
def test_a_remembered_sound_is_not_heard_again_and_its_latent_is_the_same_to_the_last_bit(
    pair: tuple[FrozenAudioEncoder, RememberingAudioEncoder], heard: list[int]
) -> None:
    plain, remembering = pair
    sound_BT = 0.3 * torch.rand(10, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    whole_BD = plain.encode(sound_BT)
    heard.clear()
    for rows, new in (([0, 1, 2], 3), ([2, 5, 0, 5, 9], 2), ([9, 5, 1], 0), ([*range(10)], 5), ([], 0)):
        assert torch.equal(remembering.encode(sound_BT[rows]), whole_BD[rows])
        assert sum(heard) == new, rows
        heard.clear()
    hair_BT = sound_BT[:1].clone()
    hair_BT[0, -1] += 1e-6
    assert torch.equal(remembering.encode(hair_BT), plain.encode(hair_BT))
    assert sum(heard) == 2
    assert torch.equal(remembering.encode(sound_BT[:1].double()), whole_BD[:1])
    assert torch.equal(remembering.encode(sound_BT.T.contiguous().T), whole_BD)


def test_the_oldest_latents_go_where_they_take_too_much_memory(
    pair: tuple[FrozenAudioEncoder, RememberingAudioEncoder],
    heard: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, remembering = pair
    monkeypatch.setattr(hearings, "NUMBERS_KEPT", 4 * Z_DIM + 1)
    sound_BT = 0.3 * torch.rand(6, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    whole_BD = plain.encode(sound_BT)
    heard.clear()
    assert torch.equal(remembering.encode(sound_BT), whole_BD)
    assert torch.equal(remembering.encode(sound_BT[2:]), whole_BD[2:])
    assert heard == [6]
    assert torch.equal(remembering.encode(sound_BT[1:3]), whole_BD[1:3])
    assert heard == [6, 1]
    assert len(remembering._latents) == 4


def test_latents_are_kept_where_room_is_made_for_them_and_it_is_given_back(
    pair: tuple[FrozenAudioEncoder, RememberingAudioEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms: list[tuple[int, ...]] = []
    gone: list[int] = []

    class Room(Scratch):
        def zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            numbers = np.zeros(shape, np.float32)
            weakref.finalize(numbers, gone.append, len(rooms))
            rooms.append(shape)
            return torch.from_numpy(numbers)

    monkeypatch.setattr(hearings, "NUMBERS_KEPT", 3 * Z_DIM)
    monkeypatch.setattr(hearings, "_NUMBERS_AT_ONCE", 2 * Z_DIM)
    remembering = RememberingAudioEncoder(pair[0].folder, "cpu", Room())
    sound_BT = 0.3 * torch.rand(7, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    assert torch.equal(remembering.encode(sound_BT), pair[0].encode(sound_BT))
    assert rooms == [(2, Z_DIM)] * 4
    assert gone == [0, 1]
    assert torch.equal(remembering.encode(sound_BT[4:]), pair[0].encode(sound_BT[4:]))


def test_what_is_no_sound_is_refused_by_either(
    pair: tuple[FrozenAudioEncoder, RememberingAudioEncoder],
) -> None:
    for encoder in pair:
        for wrong in (torch.zeros(2, 5), torch.zeros(CLIP_SAMPLES), torch.zeros(1, CLIP_SAMPLES).int()):
            with pytest.raises(InputError, match=rf"^encode takes floats \(B, {CLIP_SAMPLES}\), not torch"):
                encoder.encode(wrong)
