import torch

from sound2scene.models.dropout import drop_channels, split_chance


def test_whole_channels_are_dropped_and_the_others_made_up_for_it() -> None:
    image_BCHW = torch.rand(2, 3, 4, 4)
    chance_BC = torch.tensor([[0.1, 0.25, 0.9], [0.24, 0.5, 0.0]])
    dropped_BCHW = drop_channels(image_BCHW, chance_BC, 0.25)
    kept_BC = torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(dropped_BCHW, image_BCHW * kept_BC[:, :, None, None] / 0.75)


def test_the_mean_over_chance_is_the_picture_itself() -> None:
    dropped_BCHW = drop_channels(torch.ones(4000, 2, 1, 1), torch.rand(4000, 2), 0.3)
    assert abs(float(dropped_BCHW.mean()) - 1) < 0.05


def test_each_layer_gets_its_own_part_of_chance_or_none() -> None:
    chance_BZ = torch.rand(2, 6)
    one, other = split_chance(chance_BZ, [4, 2])
    assert one is not None
    assert other is not None
    assert torch.equal(torch.cat([one, other], 1), chance_BZ)
    assert list(split_chance(None, [4, 2])) == [None, None]
