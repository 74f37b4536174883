import io
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from sound2scene import cli
from sound2scene.commands.python_values import as_yaml

REPOSITORY = Path(__file__).resolve().parents[2]
TRAINER, TOY = (str(REPOSITORY / "experiments" / name) for name in ("trainer.yaml", "gan/toy.yaml"))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("--a.b=None", "--a.b=null"),
        ("None", "null"),
        ("--a=[0.1, None, True]", "--a=[0.1, null, true]"),
        ("--a={'b': None, 'c': 'd'}", '--a={"b": null, "c": "d"}'),
        ("--a=(1, 2)", "--a=[1, 2]"),
        ("[True]", "[true]"),
        ("--a=True", "--a=True"),  # YAML's spelling, too
        ("--a=[adam, sgd]", "--a=[adam, sgd]"),
        ("--a={b: 1}", "--a={b: 1}"),
        ("--a=Nonesuch", "--a=Nonesuch"),
        ("--a=[", "--a=["),
        ("--a", "--a"),
        ("[[[[" * 50_000, "[[[[" * 50_000),
    ],
)
def test_values_of_python_are_written_as_recipes_write_them_and_all_else_stays(
    given: str, wanted: str
) -> None:
    assert as_yaml([given]) == [wanted]


def printed(arguments: list[str]) -> dict[str, Any]:
    """The whole recipe of a command line of `fit`."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setattr(sys, "argv", ["sound2scene", *arguments, "--print_config"])
        with pytest.raises(SystemExit, match=r"^0$"):
            cli.main()
    found: dict[str, Any] = yaml.safe_load(out.getvalue())
    return found


@pytest.mark.costly
@pytest.mark.parametrize("macro", ["${args}", "${args_no_equals}"])
def test_the_command_line_that_an_agent_builds_is_read_with_its_lists_nulls_and_booleans(macro: str) -> None:
    values = {
        "run.publish": None,
        "run.wandb": False,
        "trainer.deterministic": True,
        "trainer.callbacks": None,
        "model.init_args.phases.augment": ["translation", "cutout"],
        "model.init_args.discriminator_optimizer.init_args.betas": [0.5, 0.999],
        "model.init_args.discriminator_optimizer.init_args.lr": 1e-05,
        "model.init_args.generator": {
            "class_path": "sound2scene.models.biggan.Generator",
            "init_args": {"resolution": 32, "channels": 4, "attention": [], "z_dim": 20, "z_image_dim": 256},
        },
        "data.init_args.read.init_args.neighbours": 7,
    }
    # As `wandb agent` does it: the command of the sweep, with the macros replaced.
    agent = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    command = agent.create_sweep_command(["${env}", "sound2scene", "fit", "-c", TRAINER, "-c", TOY, macro])
    built = agent.create_sweep_command_args(
        {"args": {key: {"value": value} for key, value in values.items()}}
    )
    words = [word for part in command for word in built.get(str(part)[2:-1], [str(part)])]
    assert words[:3] == ["${env}", "sound2scene", "fit"]
    assert "None" in " ".join(words)
    found = printed(words[2:])
    assert (found["run"]["publish"], found["run"]["wandb"]) == (None, False)
    assert (found["trainer"]["deterministic"], found["trainer"]["callbacks"]) == (True, None)
    model = found["model"]["init_args"]
    assert model["phases"]["augment"] == ["translation", "cutout"]
    assert model["discriminator_optimizer"]["init_args"]["betas"] == [0.5, 0.999]
    assert model["discriminator_optimizer"]["init_args"]["lr"] == 1e-5
    assert model["generator"]["init_args"]["channels"] == 4
    assert found["data"]["init_args"]["read"]["init_args"]["neighbours"] == 7
