import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d

from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.types import InputError
from tiny_s2i import AUDIO, E, autoencoder, sounds

# The published table: output side of each layer of the encoder, and the decoder's rates of dropout.
SIDES = [(61, 48), (29, 23), (25, 21), (21, 19), (17, 17), (15, 15), (13, 13), (11, 11)]
SIDES += [(9, 9), (7, 7), (5, 5), (3, 3), (1, 1)]
RATES = [0.15, 0.14, 0.13, 0.12, 0.11, 0.10, 0.10, 0.09, 0.08, 0.07, 0.06, 0.05]


def numbers(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("embedding_dim", "encoder", "decoder"),
    [
        (128, 14_902_288, 14_973_347),
        (512, 16_672_912, 16_742_819),
        (2048, 23_755_408, 23_820_707),
    ],
)
def test_the_published_sizes_have_as_many_parameters_as_the_table_adds_up_to(
    embedding_dim: int, encoder: int, decoder: int
) -> None:
    with torch.device("meta"):
        network = AudioAutoencoder(embedding_dim)
    assert (numbers(network.encoder), numbers(network.decoder)) == (encoder, decoder)
    assert network.dropout_dim == 4064


def normalised(inner_BCHW: Tensor, norm: nn.Module) -> Tensor:
    mean_C, var_C, gain_C, bias_C = norm.stored_mean, norm.stored_var, norm.gain, norm.bias
    return batch_norm(inner_BCHW, mean_C, var_C, gain_C, bias_C, training=False)  # type: ignore[arg-type]


@pytest.mark.costly
def test_the_encoder_is_the_published_chain_of_layers() -> None:
    network = autoencoder()
    inner_BCHW, strides = sounds(2), [2, 2, *[1] * 11]
    for number, (layer, stride, side) in enumerate(zip(network.encoder, strides, SIDES, strict=True)):
        convolution, norm, _ = layer  # type: ignore[misc]
        inner_BCHW = conv2d(inner_BCHW, convolution.weight, convolution.bias, stride)
        assert inner_BCHW.shape[2:] == side
        inner_BCHW = normalised(inner_BCHW, norm)
        inner_BCHW = inner_BCHW.tanh() if number == 12 else inner_BCHW.relu()
    torch.testing.assert_close(network.encode(sounds(2)), inner_BCHW.flatten(1), rtol=1e-4, atol=1e-5)
    assert network.encode(sounds(2)).shape == (2, E)


@pytest.mark.costly
def test_the_decoder_leads_back_and_drops_channels_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    network = autoencoder()
    given_BE = torch.rand(3, E) * 2 - 1
    rates: list[float] = []

    def noted(image_BCHW: Tensor, chance_BC: Tensor, rate: float) -> Tensor:
        rates.append(rate)
        return image_BCHW * (chance_BC >= rate)[:, :, None, None] / (1 - rate)

    monkeypatch.setattr("sound2scene.models.s2i_audio.drop_channels", noted)
    chance_BZ = torch.rand(3, network.dropout_dim)
    inner_BCHW, strides, first = given_BE[:, :, None, None], [*[1] * 11, 2, 2], 0
    for number, (layer, stride) in enumerate(zip(network.decoder, strides, strict=True)):
        convolution, norm, _ = layer  # type: ignore[misc]
        inner_BCHW = conv_transpose2d(inner_BCHW, convolution.weight, convolution.bias, stride)
        inner_BCHW = normalised(inner_BCHW, norm)
        if number == 12:
            inner_BCHW = inner_BCHW.tanh()
            break
        part_BC = chance_BZ[:, first : first + inner_BCHW.shape[1]]
        first += inner_BCHW.shape[1]
        inner_BCHW = inner_BCHW.relu() * (part_BC >= RATES[number])[:, :, None, None] / (1 - RATES[number])
    found_BCHW = network.decode(given_BE, chance_BZ)
    assert found_BCHW.shape == (3, 1, 128, 100)
    assert rates == RATES
    torch.testing.assert_close(found_BCHW, inner_BCHW, rtol=1e-4, atol=1e-5)


@pytest.mark.costly
def test_it_drops_in_evaluation_too_and_by_its_chance_alone() -> None:
    network = autoencoder()
    one, other = torch.rand(2, 2, network.dropout_dim).unbind()
    with torch.no_grad():
        assert torch.equal(network(sounds(2), one), network(sounds(2), one))
        assert not torch.equal(network(sounds(2), one), network(sounds(2), other))


@pytest.mark.costly
def test_its_arguments_build_it_again() -> None:
    network = autoencoder()
    again = AudioAutoencoder(**network.arguments).eval()  # type: ignore[arg-type]
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(sounds(2)), network(sounds(2)))


def test_another_number_of_widths_is_refused() -> None:
    with pytest.raises(InputError, match=r"^s2i_audio\.widths has 3 numbers; give 12$"):
        AudioAutoencoder(**(AUDIO | {"widths": [4, 4, 4]}))
