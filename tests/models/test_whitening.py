import pytest
import torch
from torch import Tensor

from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.models.whitening import Whitening
from sound2scene.types import InputError
from tiny import NET


@pytest.fixture(scope="module")
def features() -> Tensor:
    """Features with a large mean, whose directions differ by a thousand in scale."""
    dice = torch.Generator().manual_seed(0)
    turn_PP = torch.linalg.qr(torch.randn(8, 8, generator=dice))[0]
    return 5 + torch.randn(500, 8, generator=dice) * torch.logspace(0, -3, 8) @ turn_PP


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_each_direction_is_divided_by_a_power_of_its_deviation(features: Tensor, power: float) -> None:
    whitening = Whitening(8, 5, power)
    whitening.fit(features)
    whitened_NK = whitening(features).double()
    variance_K = torch.linalg.eigvalsh(torch.cov(features.double().T, correction=0)).flip(0)[:5]
    assert whitened_NK.mean(0).abs().max() < 1e-3
    covariance_KK = torch.cov(whitened_NK.T, correction=0)
    torch.testing.assert_close(covariance_KK, variance_K.pow(1 - power).diag(), rtol=2e-2, atol=2e-3)


def test_the_order_of_pictures_does_not_turn_a_direction_round(features: Tensor) -> None:
    one, other = Whitening(8, 5), Whitening(8, 5)
    one.fit(features)
    other.fit(features.flip(0))
    torch.testing.assert_close(one.matrix_KP, other.matrix_KP, rtol=1e-3, atol=1e-3)


def test_more_dimensions_than_the_features_have_are_refused(features: Tensor) -> None:
    with pytest.raises(InputError, match="whitening is 9 and the features have 8 dimensions; lower it"):
        Whitening(8, 9)
    with pytest.raises(InputError, match="whitening is 5 and 3 pictures differ in fewer directions"):
        Whitening(8, 5).fit(features[:3])
    with pytest.raises(InputError, match="whitening_power is 2"):
        Whitening(8, 5, 2)


@torch.no_grad()
def test_an_image_encoder_whitens_what_it_pools() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder("resnet18", NET, whitening=3).eval()
    assert encoder.whitening is not None
    image_BCHW = torch.randn(16, 3, 32, 32)
    encoder.whitening.fit(encoder.pooled(image_BCHW))
    assert encoder.z_dim == encoder(image_BCHW).shape[1] == 3
    assert torch.equal(encoder(image_BCHW), encoder.whitening(encoder.pooled(image_BCHW)))
    again = ImageEncoder(**encoder.arguments).eval()
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(again(image_BCHW), encoder(image_BCHW))
