import sys
from pathlib import Path

import pytest

from selected import first
from sound2scene import cli
from sound2scene.commands.keys import laid_out, merged
from sound2scene.commands.recipe_keys import DEFAULT, REQUIRED, Key
from sound2scene.commands.recipe_keys import keys as keys_of
from sound2scene.types import InputError
from test_recipes import EXPERIMENTS


def found(name: str) -> dict[str, Key]:
    from pytorch_lightning import Trainer

    from sound2scene.commands.recipe import Run

    recipe = merged([EXPERIMENTS / "trainer.yaml", EXPERIMENTS / f"{name}.yaml"])
    return {key.name: key for key in keys_of(recipe, Run, Trainer)}


@pytest.mark.costly
@pytest.mark.parametrize(
    "name", first(["align/toy", "gan/imagenet128_icgan", "encoder/videos", "localizer/videos"])
)
def test_every_listed_key_and_value_is_one_that_fit_takes(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = found(name)
    unset = tuple(f"{key.name}." for key in known.values() if key.value == "null")
    given = [
        f"--{key.name}={key.value}"
        for key in known.values()
        if key.value not in (REQUIRED, DEFAULT, "null")
        and key.name not in ("model", "data", "run.best", "trainer.callbacks", "trainer.devices")
        and not key.name.startswith(unset)
        and not key.value.startswith("sound2scene.data.batches.")  # a dataclass has no class in a recipe
    ]
    assert len(given) > 30
    files = ["-c", str(EXPERIMENTS / "trainer.yaml"), "-c", str(EXPERIMENTS / f"{name}.yaml")]
    printed = []
    for more in ([], given):
        monkeypatch.setattr(sys, "argv", ["sound2scene", "fit", *files, *more, "--print_config"])
        with pytest.raises(SystemExit, match=r"^0$"):
            cli.main()
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_lines_stay_within_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for width in (40, 80, 120):
        lines = laid_out(list(found("align/toy").values()), width).splitlines()
        assert max(map(len, lines)) <= width


def test_the_command_lists_what_matches_on_top_of_the_shared_recipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["keys", str(EXPERIMENTS / "align" / "toy.yaml"), "--match", "log_every"]) == 0
    assert capsys.readouterr().out.startswith("trainer.log_every_n_steps  int | None = 10\n")
    assert cli.main(["keys", str(EXPERIMENTS / "align" / "toy.yaml"), "--match", "nothing like it"]) == 1
    assert "keys has 'nothing like it' in name or meaning" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"absent.yaml: cannot be read \(No such file"),
        ("a: [", r"r.yaml: no recipe in YAML"),
        ("word", r"r.yaml: no recipe, which has keys"),
        ("model: {}", r"model.class_path is missing"),
        ("model: {class_path: sound2scene.stages.align.Absent}", r"Absent cannot be imported"),
    ],
)
def test_what_is_no_recipe_is_one_line(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / ("absent.yaml" if content is None else "r.yaml")
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        merged([path]) if content is None or "model" not in content else found_in(path)
    assert "\n" not in str(caught.value)


def found_in(path: Path) -> list[Key]:
    return list(keys_of(merged([path]), dict, dict))
