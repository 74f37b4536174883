import base64
import json
from typing import Any

import numpy as np
import pytest
import torch

from sound2scene.metrics import familiarity
from sound2scene.types import InputError


def latents(count: int, width: int = 24, seed: int = 0) -> torch.Tensor:
    """Rows around five directions, of any length."""
    dice = torch.Generator().manual_seed(seed)
    centres = torch.randn(5, width, generator=torch.Generator().manual_seed(9)).abs()
    z_ND = centres[torch.arange(count) % 5] + 0.1 * torch.rand(count, width, generator=dice)
    return z_ND * torch.rand(count, 1, generator=dice)


def oracle(z_ND: torch.Tensor, z_BD: torch.Tensor) -> Any:
    """Cosine to the nearest row, with the same projection and no rounding."""
    projection = torch.randn(z_ND.shape[1], 64, generator=torch.Generator().manual_seed(0)).double().numpy()
    cosines = []
    for z_D in z_BD.double().numpy():
        mine = z_D / np.linalg.norm(z_D) @ projection
        others = [row / np.linalg.norm(row) @ projection for row in z_ND.double().numpy()]
        cosines.append(max(mine @ one / np.linalg.norm(mine) / np.linalg.norm(one) for one in others))
    return np.array(cosines)


@pytest.mark.parametrize(("count", "width"), [(32, 8), (60, 24), (256, 300)])
def test_nearness_is_the_cosine_to_the_nearest_known_sound(count: int, width: int) -> None:
    known = familiarity.of_latents(latents(count, width))
    assert known is not None
    new_BD = latents(7, width, seed=1)
    expected = oracle(latents(count, width), new_BD)
    np.testing.assert_allclose(known.nearest(new_BD).numpy(), expected, atol=0.02)


def test_nineteen_of_twenty_known_sounds_are_familiar_and_strange_ones_are_not() -> None:
    known = familiarity.of_latents(latents(200))
    assert known is not None
    assert known.is_far(latents(200)).double().mean() <= 0.05
    assert known.is_far(latents(500, seed=3)).double().mean() < 0.15
    assert known.is_far(-latents(50)).all()
    lengths = torch.rand(200, 1) + 0.1
    torch.testing.assert_close(known.nearest(latents(200) * lengths), known.nearest(latents(200)))


def test_the_note_survives_a_card_and_stays_small() -> None:
    known = familiarity.of_latents(latents(1000, 2048))
    assert known is not None
    assert known.sounds == 1000
    text = json.dumps(known.as_note())
    assert len(text) < 25_000
    assert familiarity.of_notes({familiarity.KEY: json.loads(text)}, "card.json") == known


def test_few_sounds_and_old_cards_say_nothing() -> None:
    assert familiarity.of_latents(latents(familiarity.FEWEST - 1)) is None
    assert familiarity.of_latents(latents(40) * torch.inf) is None
    assert familiarity.of_notes({"image_encoder": "ab"}, "card.json") is None


@pytest.mark.parametrize(
    "note",
    [
        7,
        {},
        {"bank": "", "cosine": 0.5, "sounds": 40},
        {"bank": "not base64!", "cosine": 0.5, "sounds": 40},
        {"bank": base64.b64encode(bytes(65)).decode(), "cosine": 0.5, "sounds": 40},
        {"bank": base64.b64encode(bytes(64)).decode(), "cosine": 7, "sounds": 40},
        {"bank": "é" * 4, "cosine": 0.5, "sounds": 40},
    ],
)
def test_a_damaged_note_is_one_line_that_names_the_card(note: Any) -> None:
    with pytest.raises(InputError, match=r"^card\.json: notes\.familiar") as caught:
        familiarity.of_notes({familiarity.KEY: note}, "card.json")
    assert "export the artifact again" in str(caught.value)
