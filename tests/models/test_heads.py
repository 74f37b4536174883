import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from parity_fill import input_tensor, relative_error, state
from sound2scene.models.heads import FeatureQueue, PrototypeHead, Prototypes
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.types import InputError


@pytest.fixture(scope="module")
def published(parity: Path) -> dict[str, torch.Tensor]:
    return state(json.loads((parity / "state_dict_keys.json").read_text())["swav"])


@pytest.mark.costly
@torch.no_grad()
def test_projection_and_scores_equal_the_published_ones(
    parity: Path, published: dict[str, torch.Tensor]
) -> None:
    encoder, head = ImageEncoder().eval(), PrototypeHead(2048).eval()
    heads = {
        name: value
        for name, value in published.items()
        if name.startswith(("projection_head.", "prototypes."))
    }
    head.load_state_dict(heads)
    encoder.backbone.load_state_dict({name: value for name, value in published.items() if name not in heads})
    unit_BD, scores_BK = head(encoder(input_tensor("image_input", (2, 3, 224, 224))))
    expected = np.load(parity / "public.npz")
    assert relative_error(unit_BD, expected["swav_resnet50/projection"]) < 1e-4
    assert relative_error(scores_BK[:, :16], expected["swav_resnet50/scores_first16"]) < 1e-4


def test_prototypes_have_unit_length_at_the_start_and_after_a_step_that_moved_them() -> None:
    torch.manual_seed(0)
    prototypes = Prototypes(5, 7)
    torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.ones(7))
    with torch.no_grad():
        prototypes.weight.mul_(torch.rand(7, 1) + 2)
    direction = normalize(prototypes.weight.detach(), dim=1)
    prototypes.renormalise()
    torch.testing.assert_close(prototypes.weight.detach(), direction)
    assert prototypes.weight.requires_grad


def test_scores_are_cosines_in_float32_even_under_autocast() -> None:
    torch.manual_seed(0)
    head = PrototypeHead(12, 16, 8, 5)
    with torch.autocast("cpu", torch.bfloat16):
        unit_BD, scores_BK = head(torch.randn(6, 12))
    assert unit_BD.dtype == scores_BK.dtype == torch.float32
    torch.testing.assert_close(unit_BD.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(scores_BK, unit_BD @ head.prototypes.weight.T)


def rows(value: float, batch: int = 4) -> torch.Tensor:
    return torch.full((2, batch, 3), value)


def test_the_queue_keeps_the_newest_first_and_is_used_when_it_is_full() -> None:
    queue = FeatureQueue(length=10, from_step=2, dim=3)
    for step in range(5):
        assert queue.full(4) == (step >= 4)  # it began at step 2, and two batches fill it: 8 of the 10
        queue.push(rows(float(step)), step)
    assert queue.share(4, 0, 1)[0, :, 0].tolist() == [4.0] * 4 + [3.0] * 4
    halves = [queue.share(4, rank, 2) for rank in range(2)]
    assert torch.equal(torch.cat(halves, dim=1), queue.share(4, 0, 1))


def test_a_queue_shorter_than_a_batch_could_never_be_used_and_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"^queue\.length is 3, less than one global batch of 4 clips; make it"
    ):
        FeatureQueue(length=3, dim=3).full(4)
    assert not FeatureQueue(length=4, dim=3).full(4)


def test_the_queue_lives_in_the_state_dict() -> None:
    queue, other = FeatureQueue(length=8, dim=3), FeatureQueue(length=8, dim=3)
    for step in range(2):
        queue.push(rows(float(step)), step)
    other.load_state_dict(queue.state_dict())
    assert other.full(4)
    assert torch.equal(other.share(4, 0, 1), queue.share(4, 0, 1))
