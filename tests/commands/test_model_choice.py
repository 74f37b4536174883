from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from command_words import commands
from sound2scene import cli, defaults
from sound2scene.commands.model_choice import chosen, with_networks
from sound2scene.commands.parser import arguments_of
from sound2scene.published import models
from sound2scene.types import InputError

USUAL = {"audio_encoder": Path(defaults.AUDIO_ENCODER), "generator": Path(defaults.GENERATOR)}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the models that were asked for; all lie in folders of their own names."""
    names: list[str] = []

    def obtain(name: str) -> dict[str, Path]:
        names.append(name)
        return {role: Path(name, role) for role in models.ROLES}

    monkeypatch.setattr(models, "obtain", obtain)
    return names


def test_without_a_model_what_is_given_stays(asked: list[str]) -> None:
    assert chosen(None, **USUAL) == USUAL
    assert asked == []


def test_a_model_stands_for_what_no_option_names(asked: list[str]) -> None:
    mine = USUAL | {"generator": Path("mine")}
    assert chosen("m", **mine) == {"audio_encoder": Path("m/audio_encoder"), "generator": Path("mine")}
    assert chosen("m", generator=Path("mine")) == {"generator": Path("mine")}
    assert asked == ["m"]


class Options(NamedTuple):
    model: str | None
    seed: int = 3
    generator: Path = USUAL["generator"]
    audio_encoder: Path = Path("mine")


def test_options_get_the_artifacts_that_they_have_a_place_for_and_do_not_name(asked: list[str]) -> None:
    assert with_networks(Options("m")) == Options("m", generator=Path("m/generator"))
    assert with_networks(Options(None)) == Options(None)
    assert asked == ["m"]


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "bell.wav"],
        ["volume", "bell.wav"],
        ["mix", "bell.wav", "rain.wav"],
        ["alter", "bell.wav", "--pitch", "2"],
        ["interpolate", "bell.wav", "rain.wav"],
        ["invert", "picture.png"],
        ["edit", "picture.png", "--sound", "bell.wav"],
        ["control-score", "--data", "shards"],
    ],
    ids=lambda words: str(words[0]),
)
def test_every_command_that_draws_takes_the_artifacts_of_the_model(
    words: list[str], asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("bell.wav", "rain.wav"):
        soundfile.write(tmp_path / name, np.full(16_000, 0.1), 16_000)
    given = [str(tmp_path / word) if word.endswith(".wav") else word for word in words]
    assert cli.main([*given, "--model", "nowhere", "-o", str(tmp_path / "out")]) != 0
    told = capsys.readouterr().err
    assert set(asked) == {"nowhere"}
    assert "nowhere/" in told, "the folders of the model were looked for"


def test_no_command_takes_a_generator_and_no_model() -> None:
    for words, function in commands().items():
        names = {argument.name for argument in arguments_of(function)}
        if {"generator"} <= names and words != ("models",):
            assert "model" in names, words


def test_a_method_names_its_artifacts_itself_and_nothing_is_downloaded(asked: list[str]) -> None:
    from sound2scene.commands.picture_order import drawn_by

    with pytest.raises(InputError, match="leave out --model"):
        drawn_by("s2i", *USUAL.values(), "m")
    assert asked == []
