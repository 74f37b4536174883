import pytest
import torch

from sound2scene.models.reader import Reader
from sound2scene.types import InputError
from tiny import NET


def reader() -> Reader:
    torch.manual_seed(0)
    return Reader(3, 4, 32, "resnet18", NET).eval()


def pixels(side: int = 32) -> torch.Tensor:
    return torch.randint(
        256, (5, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def test_answers_have_their_shapes_for_pictures_of_any_size() -> None:
    for side in (32, 50):
        logits_BK, place_BK3, background_BG = reader()(pixels(side))
        assert (logits_BK.shape, place_BK3.shape, background_BG.shape) == ((5, 3), (5, 3, 3), (5, 4))


def test_what_is_read_follows_the_raw_answers() -> None:
    network = reader()
    with torch.no_grad():
        network.head.bias[:3] = torch.tensor([5.0, -5.0, 0.0])
    logits_BK, place_BK3, background_BG = network(pixels())
    scene = network.read(pixels())
    assert torch.equal(scene.present_BK, (logits_BK > 0).float())
    assert torch.equal(scene.place_BK3[:, 0], place_BK3[:, 0].detach())
    assert not scene.place_BK3[:, 1].any()
    assert torch.equal(scene.background_B, background_BG.argmax(1))
    assert not scene.place_BK3.requires_grad


def test_its_arguments_build_it_again() -> None:
    network = reader()
    again = Reader(**network.arguments).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(pixels())[0], network(pixels())[0])


def test_a_number_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match=r"reader\.backgrounds is 0"):
        Reader(3, 0)
