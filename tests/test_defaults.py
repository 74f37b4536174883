import inspect
from pathlib import Path

import pytest
import yaml

from sound2scene import artifacts, defaults
from sound2scene.commands.generate import generate
from sound2scene.commands.select import select
from sound2scene.methods.sound2scene import SoundToScene

REPOSITORY = Path(__file__).resolve().parents[1]


def test_python_and_the_command_take_the_same_artifacts_where_none_is_named() -> None:
    python = inspect.signature(SoundToScene.__init__).parameters
    command = inspect.signature(generate).parameters
    for name, expected in (("audio_encoder", defaults.AUDIO_ENCODER), ("generator", defaults.GENERATOR)):
        assert python[name].default == str(command[name].default) == expected
    assert str(inspect.signature(select).parameters["localizer"].default) == defaults.LOCALIZER


def test_the_default_artifacts_are_in_git_and_no_run_replaces_the_audio_encoder() -> None:
    for folder in (defaults.AUDIO_ENCODER, defaults.GENERATOR, defaults.IMAGE_ENCODER, defaults.LOCALIZER):
        artifacts.read_card(REPOSITORY / folder)
    recipe = yaml.safe_load((REPOSITORY / "experiments" / "align" / "toy.yaml").read_text())
    assert recipe["run"]["publish"] != defaults.AUDIO_ENCODER


def test_what_a_folder_lacks_of_experiments_is_that_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert defaults.located(defaults.GENERATOR) == REPOSITORY / defaults.GENERATOR
    artifacts.load(defaults.GENERATOR, kind="generator")
    for path in ("experiments/nowhere", "elsewhere/toy", str(tmp_path / "experiments")):
        assert defaults.located(path) == Path(path), "is left as it is named"
    (tmp_path / defaults.GENERATOR).mkdir(parents=True)
    assert defaults.located(defaults.GENERATOR) == Path(defaults.GENERATOR), "a folder's own comes first"


def test_an_installed_package_takes_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(defaults, "_HOMES", (tmp_path / "package", tmp_path / "checkout"))
    assert defaults.shipped() == Path("experiments")
    for name in ("checkout", "package"):
        (tmp_path / name / "sounds").mkdir(parents=True)
        (tmp_path / name / "trainer.yaml").write_text("")
        assert defaults.located(defaults.SOUNDS) == tmp_path / name / "sounds"
