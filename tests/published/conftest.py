"""Checkpoints as they are published, with random weights, and a file that would run code."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.heads import ProjectionHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.types import InputError

Import = Callable[[Path, Path], Path]


@pytest.fixture(scope="package")
def audio_state() -> OrderedDict[str, Tensor]:
    """State dict of Sound2Scene's audio encoder under the published names."""
    torch.manual_seed(0)
    own = AudioEncoder().state_dict()
    return OrderedDict(("audnet." + name.removeprefix("backbone."), tensor) for name, tensor in own.items())


@pytest.fixture(scope="package")
def swav_state() -> OrderedDict[str, Tensor]:
    """State dict of SwAV with its head and prototypes under the published names."""
    torch.manual_seed(0)
    head = {f"projection_head.{name}": t for name, t in ProjectionHead(16, 16, 8).state_dict().items()}
    state = ImageEncoder().backbone.state_dict() | head | {"prototypes.weight": torch.zeros(30, 8)}
    return OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Write something as torch does, under a name."""

    def write(content: Any, name: str = "checkpoint.pth") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Import, Path, str], None]:
    """Check that an import refuses a file in one line and writes nothing."""

    def check(import_it: Import, path: Path, message: str) -> None:
        with pytest.raises(InputError, match=message) as caught:
            import_it(path, tmp_path / "artifact")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "artifact").exists()

    return check
