from collections.abc import Sequence

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from sound2scene import images
from sound2scene.callbacks.drawings import FROM_Z_IMAGE, Drawings, drawing_stage, drawn
from sound2scene.callbacks.scene_metrics import SceneMetrics
from sound2scene.latent import seed_of_clip
from sound2scene.types import DivergedError, InputError, PictureBatch


class Stage(pl.LightningModule):
    """Draws grey pictures and counts how often; the grey is the seed's and the draw's."""

    resolution = 4

    def __init__(self, grey: float = 0.0) -> None:
        super().__init__()
        self.grey, self.asked = grey, list[tuple[str, int]]()

    def sample(self, batch: PictureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        self.asked.append(("", draw))
        shade_B = torch.tensor([(seed + draw) % 100 / 100 for seed in seeds]) + self.grey
        return shade_B[:, None, None, None].expand(-1, 3, 4, 4)

    def sample_ceiling(self, batch: PictureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        self.asked.append((FROM_Z_IMAGE, draw))
        return torch.ones(len(seeds), 3, 4, 4)


def batch(*keys: str) -> PictureBatch:
    count = len(keys)
    return PictureBatch(list(keys), torch.arange(count), torch.zeros(count, dtype=torch.long), torch.zeros(0))


def test_a_batch_is_drawn_once_for_all_who_ask_and_the_next_one_anew() -> None:
    stage, trainer = Stage(), pl.Trainer(logger=False, enable_checkpointing=False)
    one, other = batch("a", "b"), batch("a", "b")
    first = drawn(trainer, stage, one, 0)
    assert drawn(trainer, stage, one, 0)[""] is first[""]
    drawn(trainer, stage, one, 1)
    assert stage.asked == [("", 0), (FROM_Z_IMAGE, 0), ("", 1), (FROM_Z_IMAGE, 1)]
    drawn(trainer, stage, other, 0)
    assert stage.asked[4:] == [("", 0), (FROM_Z_IMAGE, 0)]


def test_pictures_have_the_noise_of_their_clips_and_leave_as_pixels() -> None:
    stage, at_hand = Stage(), batch("a", "b")
    found = Drawings().of(stage, at_hand, 2, step=0)
    seeds = [seed_of_clip(0, key) for key in ("a", "b")]
    assert torch.equal(found[""], images.to_pixel(stage.sample(at_hand, seeds, 2)))
    assert found[FROM_Z_IMAGE].unique().tolist() == [255]


def test_a_picture_that_is_not_finite_is_told_by_step_and_clip() -> None:
    with pytest.raises(DivergedError, match="step 7: pictures is NaN or infinite for clips a"):
        Drawings().of(Stage(float("nan")), batch("a"), 0, step=7)


def test_a_stage_that_draws_nothing_is_told_which_callback_to_remove() -> None:
    callback = SceneMetrics.__new__(SceneMetrics)
    with pytest.raises(InputError, match="LightningModule draws no pictures; remove SceneMetrics"):
        drawing_stage(pl.LightningModule(), callback)
