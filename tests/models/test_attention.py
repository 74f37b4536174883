import numpy as np
import torch
from torch.nn.functional import max_pool2d

from sound2scene.models.attention import SelfAttention


def test_attention_equals_the_sum_over_pooled_positions() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(16).eval()
    with torch.no_grad():
        attention.gamma.fill_(0.7)
    image = torch.randn(2, 16, 4, 4)
    theta, phi, g = (
        attention.theta(image),
        max_pool2d(attention.phi(image), 2),
        max_pool2d(attention.g(image), 2),
    )
    t, p, v = (x.detach().double().flatten(2).numpy() for x in (theta, phi, g))
    mixed = np.zeros((2, v.shape[1], 16))
    for b in range(2):
        for place in range(16):
            score = np.array([t[b, :, place] @ p[b, :, other] for other in range(4)])
            share = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
            mixed[b, :, place] = sum(share[other] * v[b, :, other] for other in range(4))
    mixed_BCHW = torch.from_numpy(mixed).float().view(2, -1, 4, 4)
    expected = image + 0.7 * attention.o(mixed_BCHW)
    torch.testing.assert_close(attention(image), expected, rtol=1e-4, atol=1e-5)


def test_attention_starts_as_nothing_and_works_at_any_width() -> None:
    for width in (2, 4, 24):
        attention = SelfAttention(width)
        image = torch.randn(1, width, 4, 4)
        assert torch.equal(attention(image), image)
