import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from selected import first
from sound2scene import cli
from sound2scene.commands import sweep_file
from sound2scene.types import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
SWEEPS = sorted((REPOSITORY / "experiments" / "sweeps").glob("*.yaml"))
SCHEMA = json.loads((REPOSITORY / "tests" / "wandb_sweep_schema.json").read_text())
COMMAND = ["${env}", "sound2scene", "fit", "--trainer.max_epochs=1", "${args}"]


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes that a sweep names begin here."""
    monkeypatch.chdir(REPOSITORY)


def write(folder: Path, parameters: object, **keys: object) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"method": "grid", "command": COMMAND, "parameters": parameters} | keys))
    return path


def trials(path: Path, count: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
    file, _ = sweep_file.read(path)
    return sweep_file.trials(file, path, count, seed)


def breaches(plain: object) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(plain)]


def test_there_is_a_sweep_of_each_kind_and_the_page_lists_them() -> None:
    names = [path.stem for path in SWEEPS]
    assert names == ["align", "generator", "localizer"]
    page = (SWEEPS[0].parent / "README.md").read_text()
    assert all(f"| `sweeps/{name}` |" in page for name in names)


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_sweep_keeps_to_the_schema_of_wandb(path: Path) -> None:
    plain = yaml.safe_load(path.read_text())
    assert breaches(plain) == []
    assert breaches(plain | {"methods": "grid"})
    assert breaches(plain | {"parameters": {"a": {"valeus": [1]}}})
    assert plain["program"] == "sound2scene"  # which `wandb sweep` asks for


@pytest.mark.costly
@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.slow) for turn in (1, 2, 3))])
@pytest.mark.parametrize("path", first(SWEEPS), ids=lambda path: path.stem)
def test_every_key_and_value_of_the_sweep_is_one_of_its_recipe(
    path: Path, turn: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = sweep_file.read(path)
    values = sweep_file.trials(file, path, 1, seed=turn)[0]
    listed = {key: one.values for key, one in file.parameters.items() if one.values}
    assert max(map(len, listed.values())) <= 4  # so that four turns see every value
    values |= {key: every[turn % len(every)] for key, every in listed.items()}
    line = ["fit", *sweep_file.words(file, path), *sweep_file.arguments(values), "--print_config"]
    monkeypatch.setattr(sys, "argv", ["sound2scene", *line])
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main()
    recipe = yaml.safe_load(capsys.readouterr().out)
    check_taken(recipe, values)
    assert recipe["run"]["publish"] is None  # a trial leaves the networks in git alone


def check_taken(recipe: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        found: Any = recipe
        for part in key.split("."):
            found = found[part]
        if isinstance(found, dict) and "class_path" in found:
            given = value if isinstance(value, dict) else {"class_path": value}
            assert found["class_path"] == given["class_path"]
            assert found.get("init_args", {}).items() >= given.get("init_args", {}).items()
        else:
            assert found == value, key


def test_a_trial_is_the_command_line_that_an_agent_would_build() -> None:
    values = {"a.b": None, "c": [1, None, True], "d": {"class_path": "x.Y"}, "e": 1e-05, "f": True, "g": "h"}
    agent = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    built = agent.create_sweep_command_args({"args": {key: {"value": one} for key, one in values.items()}})
    assert sweep_file.arguments(values) == built["args"]


def test_a_grid_holds_every_combination_once_in_a_settled_order(tmp_path: Path) -> None:
    parameters = {"b": {"values": [[0.0, 0.9], None]}, "a": {"min": 1, "max": 3}, "c": {"value": 7}}
    path = write(tmp_path, parameters)
    found = trials(path)
    assert found == [{"a": a, "b": b, "c": 7} for a in (1, 2, 3) for b in ([0.0, 0.9], None)]
    assert trials(path, count=2, seed=5) == found[:2]
    assert [list(one) for one in found] == [["a", "b", "c"]] * 6
    quantised = write(tmp_path, {"a": {"distribution": "q_uniform", "min": 0.0, "max": 0.3, "q": 0.1}})
    assert trials(quantised) == [{"a": 0.0}, {"a": 0.1}, {"a": 0.2}]


LAWS: dict[str, tuple[dict[str, Any], float, float, type]] = {
    "whole": ({"min": 3, "max": 5}, 3, 5, int),
    "uniform": ({"min": 1.0, "max": 2.0}, 1, 2, float),
    "int_uniform": ({"distribution": "int_uniform", "min": 0, "max": 2}, 0, 2, int),
    "q_uniform": ({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}, 0, 1, float),
    "q_whole": ({"distribution": "q_uniform", "min": 0, "max": 100, "q": 10}, 0, 100, int),
    "log": ({"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1}, 1e-4, 1e-1, float),
    "q_log": ({"distribution": "q_log_uniform_values", "min": 8, "max": 512, "q": 8}, 8, 512, int),
    "normal": ({"distribution": "normal", "mu": 5.0, "sigma": 0.1}, 4, 6, float),
    "log_normal": ({"distribution": "log_normal", "mu": 0.0, "sigma": 0.1}, 0.5, 2, float),
    "beta": ({"distribution": "beta", "a": 2.0, "b": 2.0}, 0, 1, float),
}


@pytest.mark.parametrize("name", LAWS)
def test_draws_keep_to_their_law_and_depend_on_seed_and_number_alone(name: str, tmp_path: Path) -> None:
    law, low, high, kind = LAWS[name]
    path = write(tmp_path, {"a": law}, method="random")
    assert breaches({"method": "random", "parameters": {"a": law}}) == []
    found = trials(path, 40)
    values = [one["a"] for one in found]
    assert all(low <= value <= high and type(value) is kind for value in values)
    assert len(set(values)) > 2
    assert trials(path, 10) == found[:10]
    assert trials(path, 40, seed=1) != found
    if name == "log":
        assert 12 < sum(value < 10**-2.5 for value in values) < 28  # half of them below the middle
    if name == "q_uniform":
        assert set(values) <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_values_are_drawn_by_their_probabilities(tmp_path: Path) -> None:
    law = {"values": [None, [1], "x"], "probabilities": [0.0, 0.9, 0.1]}
    values = [one["a"] for one in trials(write(tmp_path, {"a": law}, method="random"), 60)]
    assert None not in values
    assert values.count([1]) > 40
    assert values.count("x") > 0


A = {"a": {"values": [1]}}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"method": "bayes"}, "method bayes needs W&B's server"),
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate needs W&B's server"),
        ({"method": "random"}, "say how many by --count or run_cap"),
        ({"command": ["python", "train.py"]}, "command has to be"),
        ({"command": ["fit", "${args}", "-c", "x"]}, "command has to be"),
        ({"command": ["fit", "${envvar:X}", "${args}"]}, "only W&B's agent knows"),
        ({"command": ["fit", "-c", "no/such.yaml", "${args}"]}, "recipe no/such.yaml is not there"),
        ({"parameters": {"a": {"min": 2, "max": 1}}}, "parameters.a: needs `value`"),
        ({"parameters": {"a": {"min": 1e-4, "max": "1e-3"}}}, "parameters.a: Expected `int | float | null`"),
        ({"parameters": {"a": {"distribution": "log_uniform", "min": 0, "max": 1}}}, "does not run here"),
        ({"parameters": {"a": {"distribution": "log_uniform_values", "min": 0, "max": 1}}}, "above 0"),
        ({"parameters": {"a": {"distribution": "normal", "sigma": 0}}}, "sigma must be above 0"),
        ({"parameters": {"a": {"distribution": "q_normal", "q": 0}}}, "choose a step above 0"),
        ({"parameters": {"a": {"min": 0.0, "max": 1.0}}}, "a grid needs values"),
        ({"parameters": {"a": {"parameters": A}}}, "parameters.a: Object contains unknown field"),
        ({"parameters": {"a": {"values": []}}}, "values are none"),
        ({"parameters": {"a": {"values": [1, 2], "probabilities": [1.0]}}}, "one probability for each value"),
        ({"parameters": {k: {"values": [*range(50)]} for k in "abc"}}, "a grid of 125000 trials"),
        ({"parameters": [1]}, "Expected `object`"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_cannot_run_here_is_one_line_that_names_the_file(
    keys: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path, keys.pop("parameters", A), **keys)
    with pytest.raises(InputError) as told:
        trials(path)
    message = str(told.value)
    assert message.startswith(str(path))
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"a: [", b"\xff\xfe", b"- 1", b"method: grid"])
def test_what_is_no_sweep_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"sweep\.yaml: [^\n]+; see experiments/sweeps for examples$"):
        sweep_file.read(path)


def test_a_plan_is_the_same_for_more_trials_and_another_name_and_no_other(tmp_path: Path) -> None:
    plain = yaml.safe_load(write(tmp_path, A, run_cap=3).read_text())
    plan = sweep_file.plan(plain, 0)
    assert sweep_file.plan(plain | {"run_cap": 9, "name": "x"}, 0) == plan
    assert len({plan, sweep_file.plan(plain, 1), sweep_file.plan(plain | {"parameters": {}}, 0)}) == 3


def test_the_metric_of_a_sweep_says_which_validation_is_the_best(tmp_path: Path) -> None:
    file, _ = sweep_file.read(write(tmp_path, A, metric={"name": "val/fid", "goal": "minimize"}))
    aim = sweep_file.aim(file)
    assert aim is not None
    assert (aim.monitor, aim.smaller_is_better) == ("val/fid", True)
    assert sweep_file.aim(sweep_file.read(write(tmp_path, A))[0]) is None
