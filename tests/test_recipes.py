"""Each recipe under `experiments/` is one: it parses against the constructors and is named after itself."""

import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import ArgumentParser

from selected import first
from sound2scene import cli
from sound2scene.stages.align import AlignStage
from sound2scene.stages.encoder import EncoderStage
from sound2scene.stages.gan import GanStage
from sound2scene.stages.judge import JudgeStage
from sound2scene.stages.localizer import LocalizerStage
from sound2scene.stages.manifold import AudioStage, AutoencoderStage
from sound2scene.stages.reader import ReaderStage
from sound2scene.stages.s2i import S2IStage
from sound2scene.stages.s2i_audio import S2IAudioStage

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
STAGES = ("align", "encoder", "gan", "judge", "localizer", "manifold", "reader", "s2i")
RECIPES = sorted(path for stage in STAGES for path in (EXPERIMENTS / stage).glob("*.yaml"))
# The first of each stage before all others.
ONE_OF_EACH = sorted(RECIPES, key=lambda path: path != min(path.parent.glob("toy*.yaml")))
ABLATIONS = sorted((EXPERIMENTS / "ablations").glob("*.yaml"))
ABLATED = EXPERIMENTS / "align" / "toy.yaml"  # below all of them


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
    others -= {path.relative_to(EXPERIMENTS).as_posix() for path in ABLATIONS}
    sweeps = {name for name in others if name.startswith("sweeps/")}  # tests/commands/test_sweep_file.py
    protocols = {name for name in others if name.startswith("protocols/")}  # test_protocol.py
    assert others - sweeps - protocols == {"trainer.yaml", "recipes.yaml"}


@pytest.mark.costly
@pytest.mark.parametrize(
    "path", first(ONE_OF_EACH, len(STAGES)), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_the_recipe_parses_and_carries_its_own_name(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = parsed(path, capsys)
    assert recipe["run"]["name"] == f"{path.parent.name}/{path.stem}"
    module = recipe["model"]["class_path"].rpartition(".")[0].removeprefix("sound2scene.stages.")
    assert module.partition("_")[0] == path.parent.name  # a word with two stages has a module for each
    assert recipe["trainer"]["use_distributed_sampler"] is False  # from trainer.yaml


@pytest.mark.costly
@pytest.mark.parametrize("path", first(ABLATIONS[::-1]), ids=lambda path: path.stem)
def test_an_ablation_changes_one_choice_of_its_base_and_publishes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    diff = yaml.safe_load(path.read_text())
    assert diff.pop("run") == {"name": f"ablations/{path.stem}", "publish": None}
    changed = [key for part in diff.values() for key in part["init_args"]]
    assert len(changed) == (path.stem != "base")
    recipe = parsed(ABLATED, capsys, "-c", str(path))
    assert (recipe["run"]["name"], recipe["run"]["publish"]) == (f"ablations/{path.stem}", None)
    base = parsed(ABLATED, capsys)
    for part in ("model", "data"):
        both = recipe[part]["init_args"], base[part]["init_args"]
        differing = {key for key in both[0] if both[0][key] != both[1][key]}
        assert differing == set(diff.get(part, {}).get("init_args", {}))


@pytest.mark.parametrize("path", [*RECIPES, *ABLATIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_recipe_states_its_question_and_is_listed(path: Path) -> None:
    assert path.read_text().startswith("# Question: ")
    assert f"| `{path.parent.name}/{path.stem}` |" in (path.parent / "README.md").read_text()


@pytest.mark.costly
@pytest.mark.parametrize(
    ("recipe", "optimizer", "kept"),
    first(
        [
            ("align/vegas", "optimizer", {"weight_decay": 1e-5}),
            ("encoder/imagenet_200ep_bs4096", "optimizer", {"momentum": 0.9, "weight_decay": 1e-6}),
            ("gan/imagenet128_icgan", "generator_optimizer", {"betas": [0.0, 0.999], "eps": 1e-6}),
            ("gan/imagenet128_icgan", "discriminator_optimizer", {"betas": [0.0, 0.999], "eps": 1e-6}),
            ("manifold/vegas", "optimizer", {"weight_decay": 0.0}),
            ("s2i/vegas_audio", "optimizer", {"momentum": 0.9}),
            ("s2i/vegas", "discriminator_optimizer", {"betas": [0.5, 0.999]}),
        ],
        2,
    ),
)
def test_a_rate_needs_no_class_and_leaves_the_published_numbers(
    recipe: str, optimizer: str, kept: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rate = f"--model.init_args.{optimizer}.init_args.lr=0.01"
    found = parsed(EXPERIMENTS / f"{recipe}.yaml", capsys, rate)["model"]["init_args"][optimizer]
    assert found["class_path"].rpartition(".")[0] in ("torch.optim", "sound2scene.optimization")
    assert found["init_args"] | kept | {"lr": 0.01} == found["init_args"]


@pytest.mark.parametrize(
    "stage",
    [
        AlignStage,
        AudioStage,
        AutoencoderStage,
        EncoderStage,
        GanStage,
        JudgeStage,
        LocalizerStage,
        ReaderStage,
        S2IAudioStage,
        S2IStage,
    ],
)
def test_every_stage_has_optimizers_of_which_one_number_can_be_set(stage: type) -> None:
    parser = ArgumentParser()
    parser.add_class_arguments(stage, "stage", instantiate=False)
    usual = parser.get_defaults().stage.as_dict()
    names = [name for name in inspect.signature(stage).parameters if name.endswith("optimizer")]
    assert names
    for name in names:
        # What jsonargparse cannot read stays a function, of which nothing can be set.
        assert inspect.isclass(usual[name]) or {"lr", "weight_decay"} <= usual[name]["init_args"].keys()


def test_a_recipe_of_an_older_run_folder_still_names_its_optimizer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    older = "--model.init_args.optimizer=sound2scene.optimization.adam"
    found = parsed(EXPERIMENTS / "align" / "vegas.yaml", capsys, older)["model"]["init_args"]["optimizer"]
    assert found == "sound2scene.optimization.adam"
