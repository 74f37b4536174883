"""Each recipe under `experiments/` is one: it parses against the constructors and is named after itself."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sound2scene import cli

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
STAGES = ("align", "encoder", "gan", "judge", "localizer")
RECIPES = sorted(path for stage in STAGES for path in (EXPERIMENTS / stage).glob("*.yaml"))


def parsed(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    """The whole recipe, defaults included, as `sound2scene fit` would run it."""
    shared = EXPERIMENTS / "trainer.yaml"
    command = ["sound2scene", "fit", "-c", str(shared), "-c", str(path), *more, "--print_config"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit, match=r"^0$"):
            cli.main()
    recipe: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return recipe


def test_every_file_under_experiments_belongs_to_a_stage() -> None:
    assert len(RECIPES) >= 5
    others = {path.relative_to(EXPERIMENTS).as_posix() for path in EXPERIMENTS.rglob("*.yaml")} - {
        path.relative_to(EXPERIMENTS).as_posix() for path in RECIPES
    }
    sweeps = {name for name in others if name.startswith("sweeps/")}  # tests/commands/test_sweep_file.py
    assert others - sweeps == {"trainer.yaml"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_recipe_parses_and_carries_its_own_name(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = parsed(path, capsys)
    assert recipe["run"]["name"] == f"{path.parent.name}/{path.stem}"
    assert recipe["model"]["class_path"].startswith(f"sound2scene.stages.{path.parent.name}.")
    assert recipe["trainer"]["use_distributed_sampler"] is False  # from trainer.yaml


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_recipe_states_its_question_and_is_listed(path: Path) -> None:
    assert path.read_text().startswith("# Question: ")
    assert f"| `{path.parent.name}/{path.stem}` |" in (path.parent / "README.md").read_text()
