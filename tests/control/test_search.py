from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from drawing import tiny_generator
from selected import first
from sound2scene.control import search
from sound2scene.control.search import Effort, Inverted, Parts, Search, psnr_db
from sound2scene.control.views import Eye
from sound2scene.latent import draw_pictures, noise
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.types import InputError
from tiny import Z_DIM

EFFORT = Effort(steps=12, starts=2, candidates=4)


@pytest.fixture(scope="module")
def parts(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tiny_generator(tmp_path_factory.mktemp("search") / "generator", tiny_image_encoder)
    eye = Eye(str(tiny_image_encoder), torch.device("cpu"))
    return Parts(FrozenGenerator(str(folder)).network, eye, 3, {"generator": "a"})


def own(parts: Parts, count: int = 2) -> Tensor:
    """Pictures that the generator drew of noise that no search begins with."""
    dice = torch.Generator().manual_seed(1)
    z_BD = normalize(torch.rand(count, Z_DIM, generator=dice), dim=1)
    noise_BZ = torch.stack([noise(99, draw, 8) for draw in range(count)])
    with torch.no_grad():
        return draw_pictures(parts.network, z_BD, noise_BZ)


def same(one: Inverted, other: Inverted) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.costly
def test_a_picture_that_the_generator_drew_is_found_again(parts: Parts) -> None:
    found = Search(parts, own(parts), Effort(steps=60, starts=2, candidates=8)).result()
    image_BCHW = draw_pictures(parts.network, found.z_BD, found.noise_BZ)
    assert psnr_db(image_BCHW, own(parts)).min() > 20
    assert bool((found.psnr_BT[:, -1] > found.psnr_BT[:, 0] + 5).all())
    assert found.loss_BT.shape == found.psnr_BT.shape == (2, 60)
    assert bool((found.loss_BT[:, -1] < 0.2 * found.loss_BT[:, 0]).all())
    torch.testing.assert_close(found.z_BD.norm(dim=1), torch.ones(2))


@pytest.mark.costly
def test_the_same_seed_finds_the_same_and_another_one_another(parts: Parts) -> None:
    first, again = (Search(parts, own(parts), EFFORT).result() for _ in range(2))
    other = Search(parts, own(parts), Effort(steps=12, starts=2, candidates=4, seed=1)).result()
    assert same(first, again)
    assert not torch.equal(first.noise_BZ, other.noise_BZ)


@pytest.mark.costly
@pytest.mark.parametrize("stop", first([4, 1, 3, 5, 11, 12], 2))
def test_going_on_equals_never_stopping(
    stop: int, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "KEEP_STEPS", 1)
    state, told = tmp_path / "state", list[int]()

    def stops(steps: int) -> None:
        told.append(steps)
        if len(told) == stop + 1:
            raise KeyboardInterrupt

    try:
        Search(parts, own(parts), EFFORT, state, stops).result()
    except KeyboardInterrupt:
        assert state.exists()
    told.clear()
    again = Search(parts, own(parts), EFFORT, state, told.append).result()
    assert same(again, Search(parts, own(parts), EFFORT).result())
    assert sum(told) == EFFORT.steps
    assert stop == EFFORT.steps or told[0] == stop
    assert not state.exists()


def test_the_state_of_other_work_is_named(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "KEEP_STEPS", 1)
    state = tmp_path / "state"

    def stops(_: int) -> None:
        if state.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Search(parts, own(parts), EFFORT, state, stops).result()
    others = (Search, parts, -own(parts), EFFORT), (Search, parts, own(parts), Effort(12, 2, 4, 7))
    for of, *arguments in others:
        with pytest.raises(InputError, match=r"the state of other work .*; remove it to begin anew"):
            of(*arguments, state)


def test_the_starts_are_the_candidates_that_suit_a_picture_best(parts: Parts) -> None:
    effort = Effort(steps=1, starts=1, candidates=6)
    z_BD = normalize(parts.eye(own(parts)), dim=1)
    wanted_ZB = torch.stack([noise(0, draw, 8) for draw in (4, 2)])
    target_BCHW = draw_pictures(parts.network, z_BD.detach(), wanted_ZB)
    work = Search(parts, target_BCHW, effort)
    work._z_BD = z_BD.detach()  # what the pictures were drawn of, so that the noise decides alone
    noise_RZ, owner_R = work._starts()
    assert torch.equal(noise_RZ, wanted_ZB)
    assert owner_R.tolist() == [0, 1]


def test_a_search_of_one_step_ends(parts: Parts) -> None:
    found = Search(parts, own(parts, 1), Effort(steps=1, starts=1, candidates=1)).result()
    assert found.noise_BZ.shape == (1, 8)
    assert found.loss_BT.shape == (1, 1)


def test_the_loss_rises_with_noise_that_is_not_normal(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Search(parts, own(parts, 1), EFFORT)
    rows = 3 * torch.ones(1, 8), work._z_BD, torch.tensor([0])
    whole_R = work._loss_of(*rows)[0]
    monkeypatch.setattr(search, "NORMAL_WEIGHT", 0.0)
    torch.testing.assert_close(whole_R - work._loss_of(*rows)[0], torch.tensor([0.05 * (9 - 1.0) ** 2]))


def test_psnr_is_that_of_the_formula() -> None:
    image_BCHW = torch.zeros(1, 3, 2, 2)
    torch.testing.assert_close(psnr_db(image_BCHW, image_BCHW + 0.2), torch.tensor([20.0]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "invert.steps is 0"),
        ({"starts": 0}, "invert.starts is 0"),
        ({"starts": 5, "candidates": 4}, "invert.candidates is 4, fewer than 5 starts; set it to more"),
        ({"seed": -1}, "invert.seed is -1"),
    ],
)
def test_an_effort_out_of_its_range_is_named(settings: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Effort(**settings)
