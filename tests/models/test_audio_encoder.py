import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from parity_fill import input_tensor, relative_error, state
from sound2scene import artifacts
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.published import sound2scene


@pytest.fixture(scope="module")
def imported(parity: Path, tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    folder = tmp_path_factory.mktemp("audio")
    shapes = json.loads((parity / "state_dict_keys.json").read_text())["audio"]
    torch.save(state(shapes), folder / "sound2scene.pth")
    return artifacts.load(
        sound2scene.import_audio_encoder(folder / "sound2scene.pth", folder / "artifact"), "audio-encoder"
    )


@pytest.mark.costly
@torch.no_grad()
@pytest.mark.parametrize(
    ("array", "part"), [("audio_encoder/pooled", "pooled"), ("audio_encoder/z_audio", "forward")]
)
def test_imported_weights_give_the_published_outputs(
    parity: Path, imported: nn.Module, array: str, part: str
) -> None:
    got = getattr(imported, part)(input_tensor("audio_input", (2, 1, 257, 1004)))
    assert relative_error(got, np.load(parity / "public.npz")[array]) < 1e-4


def test_names_and_shapes_are_the_published_ones(parity: Path) -> None:
    published_shapes = json.loads((parity / "state_dict_keys.json").read_text())["audio"]
    own = {
        "audnet." + name.removeprefix("backbone."): list(tensor.shape)
        for name, tensor in AudioEncoder().state_dict().items()
    }
    assert own == published_shapes
    assert sum(parameter.numel() for parameter in AudioEncoder().parameters()) == 12_220_864


@pytest.mark.costly
@torch.no_grad()
def test_final_relu_is_what_clips_the_output() -> None:
    torch.manual_seed(0)
    with_relu, without = AudioEncoder(64).eval(), AudioEncoder(64, final_relu=False).eval()
    without.load_state_dict(with_relu.state_dict())
    spectrogram_BFT = torch.randn(2, 65, 80)
    z_audio_BD = without(spectrogram_BFT)
    assert z_audio_BD.min() < 0
    assert torch.equal(with_relu(spectrogram_BFT), z_audio_BD.clamp(min=0))


@torch.no_grad()
def test_channel_axis_may_be_left_out() -> None:
    encoder = AudioEncoder(8).eval()
    spectrogram_BFT = torch.randn(2, 65, 80)
    assert torch.equal(encoder(spectrogram_BFT), encoder(spectrogram_BFT[:, None]))


def test_starts_as_published() -> None:
    torch.manual_seed(0)
    encoder = AudioEncoder()
    convolutions = [module for module in encoder.modules() if isinstance(module, torch.nn.Conv2d)]
    norms = [module for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for convolution in convolutions:
        fan_out = convolution.out_channels * convolution.kernel_size[0] * convolution.kernel_size[1]
        assert convolution.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
    weights = torch.cat([norm.weight for norm in norms])
    assert len(norms) == 20
    assert weights.mean().item() == pytest.approx(1, abs=0.002)
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
    assert all(norm.bias.abs().max() == 0 for norm in norms)
    assert encoder.fc.bias.abs().max() <= 512**-0.5
