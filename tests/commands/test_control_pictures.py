from pathlib import Path

import pytest
import torch

from controlling import Trio, picture, trio
from sound2scene.commands import control_pictures
from sound2scene.commands.control_pictures import (
    STATE,
    Given,
    Search,
    inversions_of,
    measured,
    read_pictures,
)
from sound2scene.control import search
from sound2scene.control.found import INVERTED, Inversions, read_inversions
from sound2scene.control.inversion import Inverter
from sound2scene.control.search import Effort, Inverted

EFFORT = Effort(steps=4, starts=1, candidates=2)


@pytest.fixture(scope="module")
def inverter(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Inverter:
    networks: Trio = trio(tmp_path_factory.mktemp("networks"), tiny_image_encoder)
    return Inverter(str(networks.generator), str(tiny_image_encoder), "cpu")


@pytest.fixture
def given(inverter: Inverter, tmp_path: Path) -> list[Given]:
    paths = [picture(tmp_path / f"{seed}.png", seed) for seed in range(3)]
    return read_pictures(inverter, paths)[0]


def same(one: Inversions, other: Inversions) -> bool:
    pairs = zip(one.found.items(), other.found.items(), strict=True)
    return all(
        key == other_key and all(torch.equal(a, b) for a, b in zip(found, other_found, strict=True))
        for (key, found), (other_key, other_found) in pairs
    )


@pytest.fixture
def calls(inverter: Inverter, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each inversion that begins has."""
    begun: list[int] = []
    real = inverter.invert

    def counted(pixels_BCHW: torch.Tensor, *more: object) -> Inverted:
        begun.append(len(pixels_BCHW))
        return real(pixels_BCHW, *more)

    monkeypatch.setattr(inverter, "invert", counted)
    monkeypatch.setattr(control_pictures, "AT_ONCE", 2)
    return begun


def test_pictures_are_inverted_in_groups_and_kept_after_each(
    inverter: Inverter, given: list[Given], calls: list[int], tmp_path: Path
) -> None:
    found = inversions_of(inverter, given, EFFORT, tmp_path / "out")
    assert calls == [2, 1]
    assert same(found, read_inversions(tmp_path / "out" / INVERTED))


def test_what_was_inverted_with_the_same_effort_is_not_inverted_again(
    inverter: Inverter, given: list[Given], calls: list[int], tmp_path: Path
) -> None:
    first = inversions_of(inverter, given[:2], EFFORT, tmp_path)
    again = inversions_of(inverter, given[:2], EFFORT, tmp_path)
    assert calls == [2]
    assert same(first, again)
    inversions_of(inverter, given[:2], Effort(5, 1, 2), tmp_path)
    assert calls == [2, 2]


def test_a_picture_that_is_given_twice_is_inverted_once(
    inverter: Inverter, given: list[Given], calls: list[int], tmp_path: Path
) -> None:
    inversions_of(inverter, [given[0], given[0]], EFFORT, tmp_path)
    assert calls == [1]


@pytest.mark.costly
@pytest.mark.parametrize("stop", [2, 6])
def test_after_an_interruption_the_work_goes_on_to_the_same_end(
    stop: int,
    inverter: Inverter,
    given: list[Given],
    calls: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "KEEP_STEPS", 1)
    whole = inversions_of(inverter, given, EFFORT, tmp_path / "whole")
    steps, advance = list[int](), search.Descent.advance

    def interrupted(self: search.Descent, *more: object) -> object:
        steps.append(1)
        if len(steps) == stop:
            raise KeyboardInterrupt
        return advance(self, *more)

    monkeypatch.setattr(search.Descent, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inversions_of(inverter, given, EFFORT, tmp_path / "cut")
    assert (tmp_path / "cut" / STATE).exists()
    assert same(inversions_of(inverter, given, EFFORT, tmp_path / "cut"), whole)
    assert len(steps) == 2 * EFFORT.steps + 1
    assert not (tmp_path / "cut" / STATE).exists()


def test_measures_compare_each_drawn_picture_with_the_one(inverter: Inverter, given: list[Given]) -> None:
    drawn_BCHW = torch.stack([given[0].pixels_CHW, given[1].pixels_CHW])
    same_one, other = measured(inverter, drawn_BCHW, given[0].pixels_CHW)
    assert (same_one.psnr_db, other.psnr_db < 30) == (100.0, True)


def test_there_are_as_many_candidates_as_starts_and_no_more_than_a_short_search_is_worth() -> None:
    assert Search(3, 100, 7).effort == Effort(3, 100, 100, 7)
    assert Search(3, 2).effort == Effort(3, 2, 3)
    assert Search().effort == Effort()


def test_networks_are_recorded_with_their_fingerprints(inverter: Inverter) -> None:
    found = Search(generator=Path("g"), image_encoder=Path("i")).networks(inverter)
    assert found["generator"] == {"folder": "g", "fingerprint": inverter.fingerprints["generator"]}
    assert found["image_encoder"]["folder"] == "i"
