from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from selected import first
from sound2scene import artifacts
from sound2scene.published.swav import import_swav
from sound2scene.types import InputError

State = OrderedDict[str, Tensor]


@pytest.mark.costly
@pytest.mark.parametrize("layout", first(["published", "training"]))
def test_swav_comes_in_both_layouts_without_its_head(
    swav_state: State, checkpoint: Callable[..., Path], layout: str
) -> None:
    training = {
        "epoch": 3,
        "state_dict": swav_state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "amp": {},
    }
    path = checkpoint(swav_state if layout == "published" else training)
    folder = import_swav(path, path.parent / "artifact")
    whole, card = artifacts.load(folder, "image-encoder").state_dict(), artifacts.read_card(folder)
    own = {name.removeprefix("backbone."): tensor for name, tensor in whole.items()}
    assert all(torch.equal(tensor, swav_state[f"module.{name}"]) for name, tensor in own.items())
    assert len(own) == 318
    assert len(card.origin.notes["left_out"]) == 10
    assert card.preset == "squeeze"
    assert "CC BY-NC 4.0" in str(card.licence)


@pytest.mark.costly
def test_supervised_resnet_is_not_swav(
    swav_state: State, checkpoint: Callable[..., Path], refused: Callable[..., None]
) -> None:
    path = checkpoint(swav_state | {"fc.weight": torch.zeros(1000, 2048)})
    refused(import_swav, path, r"1 unexpected \(fc.weight")


def test_an_unknown_image_chain_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="square"):
        import_swav(tmp_path / "nowhere.pth", tmp_path / "artifact", preset="square")
