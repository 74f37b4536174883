"""Clips of tones, on which what measures control is tried."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from scoring import IdealClips


@pytest.fixture(scope="session")
def ideal_clips(tones: Path) -> "IdealClips":
    """Clips of tones, whose pictures are latents."""
    from scoring import IdealClips

    return IdealClips(str(tones), "test", 8)
