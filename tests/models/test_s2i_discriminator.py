import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d

from sound2scene.models.s2i_discriminator import ConvDiscriminator
from sound2scene.types import InputError
from tiny_s2i import DISCRIMINATOR, SIDE, E


def discriminator(**settings: bool) -> ConvDiscriminator:
    torch.manual_seed(0)
    return ConvDiscriminator(**(DISCRIMINATOR | settings))


def pictures(rows: int = 4) -> tuple[Tensor, Tensor]:
    dice = torch.Generator().manual_seed(rows)
    return torch.rand(rows, 3, SIDE, SIDE, generator=dice), torch.rand(rows, E, generator=dice)


@pytest.mark.parametrize(("conditional", "parameters"), [(True, 5_276_450), (False, 5_275_938)])
def test_the_published_sizes_have_as_many_parameters_as_the_table_adds_up_to(
    conditional: bool, parameters: int
) -> None:
    with torch.device("meta"):
        network = ConvDiscriminator(conditional=conditional)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert len(network.layers) == 12


def test_a_score_comes_through_the_published_chain_with_the_embedding_at_2_by_2() -> None:
    network = discriminator().train()
    image_BCHW, embedding_BE = pictures()
    chance_BZ = torch.rand(4, network.dropout_dim)
    inner_BCHW, first = image_BCHW, 0
    for layer, stride, side in zip(network.layers, [2, 2, 1], [10, 4, 2], strict=True):
        convolution, norm, _ = layer  # type: ignore[misc]
        assert convolution.bias is None
        inner_BCHW = conv2d(inner_BCHW, convolution.weight, None, stride)
        assert inner_BCHW.shape[2:] == (side, side)
        inner_BCHW = batch_norm(inner_BCHW, None, None, norm.gain, norm.bias, training=True).relu()
        part_BC = chance_BZ[:, first : first + inner_BCHW.shape[1]]
        first += inner_BCHW.shape[1]
        inner_BCHW = inner_BCHW * (part_BC >= 0.5)[:, :, None, None] * 2
    inner_BCHW = torch.cat([inner_BCHW, embedding_BE.reshape(4, E // 4, 2, 2)], dim=1)
    convolution, norm, _ = network.output
    score_BCHW = conv2d(inner_BCHW, convolution.weight)  # type: ignore[arg-type]
    expected_B = batch_norm(score_BCHW, None, None, norm.gain, norm.bias, training=True).tanh().flatten()  # type: ignore[arg-type]
    found_B = network(image_BCHW, embedding_BE, chance_BZ)
    torch.testing.assert_close(found_B, expected_B, rtol=1e-4, atol=1e-5)
    assert found_B.shape == (4,)


@pytest.mark.parametrize("conditional", [True, False])
def test_the_embedding_counts_where_it_is_shown(conditional: bool) -> None:
    network = discriminator(conditional=conditional)
    image_BCHW, embedding_BE = pictures()
    alike = torch.equal(
        network(image_BCHW, embedding_BE, None), network(image_BCHW, embedding_BE.flip(0), None)
    )
    assert alike is not conditional


def test_widths_that_do_not_lead_to_2_by_2_are_refused_with_how_many_do() -> None:
    told = r"^s2i_discriminator\.widths has 3 numbers, which do not lead from 96 px to 2; give 12$"
    with pytest.raises(InputError, match=told):
        ConvDiscriminator(96, 8, [4, 4, 4])
    with pytest.raises(InputError, match=r"embedding_dim is 6; give a multiple of 4"):
        ConvDiscriminator(SIDE, 6, [4, 4, 4])
