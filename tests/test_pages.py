"""What the pages tell a user to type works."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from sound2scene import artifacts
from sound2scene.models.audio_encoder import AudioEncoder
from tiny import NET

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob(".github/*.md")]
PAGES += [path for part in ("experiments", "src") for path in (REPOSITORY / part).rglob("*.md")]


def output(*command: str) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout


def typed(start: str) -> set[str]:
    """The words that follow `start` in any page."""
    return {word for page in PAGES for word in re.findall(rf"{start} ([a-z][\w-]*)", page.read_text())}


def test_the_python_of_the_readme_draws_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    card = artifacts.read_card(REPOSITORY / "experiments" / "artifacts" / "toy" / "generator")
    aligned = {"kind": "audio-encoder", "preset": "log_mel", "notes": card.origin.notes}
    torch.manual_seed(0)
    artifacts.save(AudioEncoder(256, "resnet18", NET), tmp_path / "artifacts/toy/audio-encoder", card=aligned)
    (tmp_path / "experiments").symlink_to(REPOSITORY / "experiments")
    soundfile.write(tmp_path / "bell.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["pictures"].shape == (1, 8, 3, 64, 64)
    assert found["pictures"].dtype == torch.uint8


def test_every_command_that_a_page_names_is_one() -> None:
    words = re.findall(
        r"^ +([a-z]+)  +\S", output(sys.executable, "-m", "sound2scene.cli", "--help"), re.MULTILINE
    )
    assert typed("sound2scene") - set(words) == set()
    assert {"fit", "generate", "select", "import"} <= typed("sound2scene")


def test_every_make_target_that_a_page_names_is_one() -> None:
    targets = set(re.findall(r"^  (\S+)", output("make", "-s", "help"), re.MULTILINE))
    named = typed("(?:`|    )make")
    assert named - targets == set()
    assert {"train-align", "test"} <= named
