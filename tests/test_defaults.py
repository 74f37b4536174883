import inspect
from pathlib import Path

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
