import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sound2scene import artifacts
from sound2scene.published.sound2scene import import_audio_encoder

State = OrderedDict[str, Tensor]


@pytest.mark.costly
@pytest.mark.parametrize("prefix", ["", "module."])
def test_audio_encoder_comes_with_its_card(
    audio_state: State, checkpoint: Callable[..., Path], prefix: str
) -> None:
    path = checkpoint({prefix + name: tensor for name, tensor in audio_state.items()}, "sound2scene.pth")
    folder = import_audio_encoder(path, path.parent / "artifact")
    loaded, card = artifacts.load(folder, "audio-encoder"), artifacts.read_card(folder)
    own = loaded.state_dict()
    for name, tensor in audio_state.items():
        inner = name.removeprefix("audnet.")
        assert torch.equal(own[inner if inner in own else f"backbone.{inner}"], tensor), name
    content = path.read_bytes()
    assert card.origin.source == {
        "address": "sound2scene.pth",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    assert card.preset == "paper"
    assert "states no licence" in str(card.licence)
    assert loaded.final_relu


@pytest.mark.costly
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: {
                **{name: tensor for name, tensor in state.items() if ".fc." not in name},
                "audnet.pool.centroids": torch.zeros(16, 512),
                "audnet.fc_.weight": torch.zeros(2048, 8192),
            },
            r"2 missing \(fc\.bias, fc\.weight \.\.\.\); 2 unexpected \(fc_\.weight, pool\.centroids",
        ),
        (lambda state: state | {"audnet.fc2.weight": torch.zeros(8, 8)}, r"1 unexpected \(fc2\.weight"),
        (lambda state: state | {"audnet.fc.bias": torch.zeros(1024)}, r"1 of another shape \(fc\.bias"),
    ],
    ids=["netvlad", "sound2vision", "width"],
)
def test_other_audio_layouts_are_refused(
    audio_state: State,
    checkpoint: Callable[..., Path],
    refused: Callable[..., None],
    change: Callable[[State], dict[str, Any]],
    message: str,
) -> None:
    refused(import_audio_encoder, checkpoint(change(audio_state)), message)
