"""What the pages tell a user to type works."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sound2scene import audio, cli
from sound2scene.data.toy.sounds import voice

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob(".github/*.md")]
PAGES += [path for part in ("experiments", "src") for path in (REPOSITORY / part).rglob("*.md")]


def output(*command: str) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout


def typed(start: str) -> set[str]:
    """The words that follow `start` in any page."""
    return {word for page in PAGES for word in re.findall(rf"{start} ([a-z][\w-]*)", page.read_text())}


def page(name: str) -> str:
    return (REPOSITORY / name).read_text()


def a_checkout(folder: Path) -> None:
    """What a checkout holds: sounds and networks, the ones in git."""
    (folder / "experiments").symlink_to(REPOSITORY / "experiments")


@pytest.mark.costly
def test_the_python_of_the_readme_draws_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", page("README.md"), re.DOTALL)
    a_checkout(tmp_path)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(code, found)
    assert [picture.size for picture in found["pictures"]] == [(64, 64)] * 4
    assert Image.open(tmp_path / "bell.png").tobytes() == found["pictures"][0].tobytes()


def test_the_command_of_the_readme_draws_the_sounds_in_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = re.findall(r"^    \.venv/bin/sound2scene (generate .*)$", page("README.md"), re.MULTILINE)
    a_checkout(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(line.split()) == 0
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {
        "bell.png",
        "rain.png",
        "grid.png",
        "pictures.json",
    }


def test_the_sounds_in_git_are_small_and_those_of_the_toy_world() -> None:
    for kind in ("bell", "rain"):
        path = REPOSITORY / "experiments" / "sounds" / f"{kind}.flac"
        assert path.stat().st_size < 100_000
        expected_T = np.zeros(160_000, np.float32)
        expected_T[48_000:88_000] = voice(kind, 0.5, -14.0, 2.5, seed=1)
        assert np.abs(audio.load(path) - expected_T).max() < 1e-4


def test_every_command_that_a_page_names_is_one() -> None:
    words = re.findall(
        r"^ +([a-z][a-z-]*)  +\S", output(sys.executable, "-m", "sound2scene.cli", "--help"), re.MULTILINE
    )
    assert typed("sound2scene") - set(words) == set()
    assert {"fit", "generate", "select", "import"} <= typed("sound2scene")


def test_every_make_target_that_a_page_names_is_one() -> None:
    targets = set(re.findall(r"^  (\S+)", output("make", "-s", "help"), re.MULTILINE))
    named = typed("(?:`|    )make")
    assert named - targets == set()
    assert {"train-align", "test"} <= named
