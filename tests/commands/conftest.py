"""The bench that the commands of control are tried on."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drawn_steps import Bench


@pytest.fixture(scope="session")
def bench(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> "Bench":
    """Sounds, pictures and tiny networks; not to write to."""
    from drawn_steps import made_bench

    return made_bench(tmp_path_factory.mktemp("bench"), tiny_image_encoder)
