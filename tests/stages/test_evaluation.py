from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from sound2scene.blocks import HeardBlock, MeasuredBlock
from sound2scene.stages.evaluation import EvaluationStage, Terms
from sound2scene.types import CLIP_SAMPLES, DivergedError, Measured

SIDE = 8
TERMS = Terms(draws=2, seed=3, side=SIDE, shown=frozenset({11, 12}))


class Grey:
    """Draws a picture of one grey: its number in the key, plus the draw."""

    deterministic = False

    def __init__(self, resolution: int = SIDE) -> None:
        self.resolution, self.asked = resolution, list[tuple[list[str], int, int]]()

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        self.asked.append((list(keys), draws, seed))
        assert len(waveform_BT) == len(keys)
        grey_BJ = torch.tensor(
            [[int(key) + draw for draw in range(draws)] for key in keys], dtype=torch.uint8
        )
        shape = (len(keys), draws, 3, self.resolution, self.resolution)
        return grey_BJ.view(len(keys), draws, 1, 1, 1).expand(shape)


class Only(Grey):
    """The same picture for all draws."""

    deterministic = True


class Eye:
    """Sees the mean of a picture, and its double as a score; counts what it looks at."""

    def __init__(self, has_scores: bool = True, fault: float = 0.0) -> None:
        self.has_scores, self.fault, self.looked = has_scores, fault, 0

    def measure(self, pixels_BCHW: Tensor) -> Measured:
        self.looked += len(pixels_BCHW)
        mean_BD = pixels_BCHW.float().mean((1, 2, 3))[:, None] + self.fault
        return Measured(mean_BD, 2 * mean_BD if self.has_scores else None)


class Shelf:
    """Keeps blocks in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], MeasuredBlock] = {}

    def has(self, method: str, number: int) -> bool:
        return (method, number) in self.kept

    def write(self, block: MeasuredBlock) -> None:
        self.kept[block.method, block.number] = block


def heard(count: int = 4) -> HeardBlock:
    keys = [str(10 + number) for number in range(count)]
    return HeardBlock(0, keys, torch.arange(10, 10 + count), torch.zeros(count, CLIP_SAMPLES))


def test_rows_are_clip_by_clip_and_draw_by_draw() -> None:
    shelf = Shelf()
    stage = EvaluationStage({"grey": Grey()}, {"eye": Eye()}, TERMS, shelf, {})
    assert stage.predict_step(heard(), 0) == ["grey"]
    tensors = shelf.kept["grey", 0].tensors
    assert tensors["eye/feature"][:, :, 0].tolist() == [[10, 11], [11, 12], [12, 13], [13, 14]]
    assert torch.equal(tensors["eye/scores"], 2 * tensors["eye/feature"])
    assert tensors["there"].tolist() == [True] * 4


def test_first_pictures_of_the_shown_clips_are_kept() -> None:
    shelf = Shelf()
    EvaluationStage({"grey": Grey()}, {"eye": Eye()}, TERMS, shelf, {}).predict_step(heard(), 0)
    tensors = shelf.kept["grey", 0].tensors
    assert tensors["shown"].tolist() == [11, 12]
    assert tensors["pixels"][:, 0, 0, 0].tolist() == [11, 12]
    assert tensors["pixels"].shape == (2, 3, SIDE, SIDE)


def test_every_network_looks_once_at_every_picture_and_a_deterministic_method_draws_one() -> None:
    methods, eyes = {"grey": Grey(), "only": Only()}, {"one": Eye(), "two": Eye(has_scores=False)}
    shelf = Shelf()
    EvaluationStage(methods, eyes, TERMS, shelf, {}).predict_step(heard(), 0)
    assert [eye.looked for eye in eyes.values()] == [12, 12]
    assert methods["only"].asked == [(["10", "11", "12", "13"], 1, 3)]
    assert "two/scores" not in shelf.kept["grey", 0].tensors


def test_what_is_in_the_store_is_not_drawn_again() -> None:
    shelf, grey, only = Shelf(), Grey(), Only()
    shelf.write(MeasuredBlock(0, "grey", {}))
    stage = EvaluationStage({"grey": grey, "only": only}, {"eye": Eye()}, TERMS, shelf, {})
    assert stage.predict_step(heard(), 0) == ["only"]
    assert not grey.asked


def test_a_clip_without_a_picture_is_not_asked_for_and_has_rows_of_zeros() -> None:
    shelf, grey = Shelf(), Grey()
    absent = {"grey": frozenset({"11"})}
    EvaluationStage({"grey": grey}, {"eye": Eye()}, TERMS, shelf, absent).predict_step(heard(), 0)
    assert grey.asked[0][0] == ["10", "12", "13"]
    tensors = shelf.kept["grey", 0].tensors
    assert tensors["there"].tolist() == [True, False, True, True]
    assert tensors["eye/feature"][:, 0, 0].tolist() == [10, 0, 12, 13]
    assert tensors["pixels"][:, 0, 0, 0].tolist() == [0, 12]


def test_a_method_without_a_picture_of_the_whole_block_is_not_asked() -> None:
    shelf, grey = Shelf(), Grey()
    absent = {"grey": frozenset({"10", "11"})}
    EvaluationStage({"grey": grey}, {"eye": Eye()}, TERMS, shelf, absent).predict_step(heard(2), 0)
    assert not grey.asked
    assert shelf.kept["grey", 0].tensors.keys() == {"there"}


def test_pictures_of_another_size_are_resized_as_pillow_does() -> None:
    from PIL import Image

    class Noise(Grey):
        def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
            torch.manual_seed(0)
            return torch.randint(256, (len(keys), draws, 3, 24, 24), dtype=torch.uint8)

    shelf = Shelf()
    noise = Noise(24)
    EvaluationStage({"noise": noise}, {"eye": Eye()}, TERMS, shelf, {}).predict_step(heard(), 0)
    drawn_CHW = noise.pictures(torch.empty(0), ["10", "11", "12", "13"], 2, 0)[1, 0]
    image = Image.fromarray(drawn_CHW.permute(1, 2, 0).numpy()).resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR
    )
    wanted_CHW = torch.tensor(np.array(image)).permute(2, 0, 1)
    apart = (shelf.kept["noise", 0].tensors["pixels"][0].int() - wanted_CHW).abs()
    assert apart.max() <= 1  # Pillow rounds twice, between its two passes


def test_a_network_that_sees_nan_is_named_with_the_method() -> None:
    stage = EvaluationStage({"grey": Grey()}, {"eye": Eye(fault=float("nan"))}, TERMS, Shelf(), {})
    with pytest.raises(
        DivergedError, match="network eye sees NaN or infinity in what grey drew for 10, 11, 12"
    ):
        stage.predict_step(heard(), 0)
