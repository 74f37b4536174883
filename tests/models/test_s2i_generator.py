import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv_transpose2d

from sound2scene.models.s2i_generator import BLOCKS, DenseGenerator
from sound2scene.types import InputError
from tiny_s2i import GENERATOR, E, generator


def test_the_published_sizes_have_as_many_parameters_as_the_table_adds_up_to() -> None:
    with torch.device("meta"):
        network = DenseGenerator()
    assert sum(weight.numel() for weight in network.parameters()) == 38_644_137
    assert (network.resolution, network.dropout_dim) == (96, 1872)


def layer(inner_BCHW: Tensor, part: nn.Sequential, stride: int, padding: int) -> Tensor:
    """Transposed convolution and batch norm, without what follows."""
    convolution, norm, _ = part
    inner_BCHW = conv_transpose2d(inner_BCHW, convolution.weight, convolution.bias, stride, padding)
    statistics = norm.stored_mean, norm.stored_var, norm.gain, norm.bias
    return batch_norm(inner_BCHW, *statistics, training=False)  # type: ignore[arg-type]


def test_a_picture_comes_through_the_published_dense_blocks_and_transitions() -> None:
    network = generator()
    given_BE, chance_BZ = torch.rand(3, E) * 2 - 1, torch.rand(3, network.dropout_dim)
    inner_BCHW, first = given_BE[:, :, None, None], 0
    geometry = [(1, 0, 2, 0.15), (1, 0, 4, 0.13), (1, 0, 6, 0.11), (2, 1, 12, 0.09)]
    for number, (stride, padding, side, rate) in enumerate(geometry):
        inner_BCHW = layer(inner_BCHW, network.transitions[number], stride, padding).relu()  # type: ignore[arg-type]
        assert inner_BCHW.shape[2:] == (side, side)
        part_BC = chance_BZ[:, first : first + inner_BCHW.shape[1]]
        first += inner_BCHW.shape[1]
        inner_BCHW = inner_BCHW * (part_BC >= rate)[:, :, None, None] / (1 - rate)
        block = network.blocks[number]
        a = layer(inner_BCHW, block.first, 1, 1).relu()  # type: ignore[arg-type]
        b = layer(a, block.second, 1, 1).relu()  # type: ignore[arg-type]
        c = layer(torch.cat([a, b], 1), block.third, 1, 1).relu()  # type: ignore[arg-type]
        inner_BCHW = torch.cat([a, b, c], 1)
    expected_BCHW = layer(inner_BCHW, network.output, 2, 1).tanh()
    found_BCHW = network(given_BE, chance_BZ)
    assert found_BCHW.shape == (3, 3, 24, 24)
    torch.testing.assert_close(found_BCHW, expected_BCHW, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("blocks", "side"), [(4, 24), (5, 48), (6, 96)])
def test_each_block_less_halves_the_side(blocks: int, side: int) -> None:
    network = DenseGenerator(E, 2, [[2, 2, 2]] * blocks).eval()
    assert network.resolution == side
    assert network(torch.rand(1, E), None).shape == (1, 3, side, side)


def test_it_drops_in_evaluation_too_and_by_its_chance_alone() -> None:
    network, given_BE = generator(), torch.rand(2, E)
    one, other = torch.rand(2, 2, network.dropout_dim).unbind()
    assert torch.equal(network(given_BE, one), network(given_BE, one))
    assert not torch.equal(network(given_BE, one), network(given_BE, other))


def test_its_arguments_build_it_again() -> None:
    network = generator()
    again = DenseGenerator(**network.arguments).eval()  # type: ignore[arg-type]
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(torch.ones(1, E), None), network(torch.ones(1, E), None))


def test_blocks_of_another_form_are_refused() -> None:
    told = r"^s2i_generator\.blocks is .*; give 4 to 6 of 3 widths each$"
    for blocks in (BLOCKS[:3], [[2, 2]] * 4):
        with pytest.raises(InputError, match=told):
            DenseGenerator(**(GENERATOR | {"blocks": blocks}))
