"""Sweep files: the part of W&B's format that needs no server, and the trials that it asks for.

Grids and draws are scikit-learn's, distributions SciPy's; both come with librosa. W&B's own package `sweeps`
(0.3.0) would take NumPy back below version 2.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
import yaml
from scipy import stats
from sklearn.model_selection import ParameterGrid, ParameterSampler

from sound2scene.records import Record, content
from sound2scene.runs import Aim
from sound2scene.seeds import seed_of
from sound2scene.types import InputError

ARGS = "${args}"
LARGEST_BYTES = 1 << 20
MOST_TRIALS = 10_000
Values = dict[str, object]


class Distribution(Protocol):
    """A law of random values, as SciPy has them."""

    def rvs(self, *, random_state: Any) -> Any:
        """Draw one."""
        ...


class Parameter(msgspec.Struct, forbid_unknown_fields=True):
    """What W&B knows of a parameter; see https://docs.wandb.ai for the laws."""

    value: Any = msgspec.UNSET
    values: list[Any] | None = None
    probabilities: list[float] | None = None
    distribution: str | None = None
    min: float | int | None = None
    max: float | int | None = None
    q: float | int = 1
    mu: float = 0.0
    sigma: float = 1.0
    a: float = 1.0
    b: float = 1.0


class Metric(msgspec.Struct):
    """What decides which trial is the best."""

    name: str
    goal: Literal["minimize", "maximize"] = "minimize"


class SweepFile(msgspec.Struct):
    """A sweep in W&B's format.

    Attributes:
        method: How values are chosen.
        parameters: Dotted keys of a recipe.
        command: What an agent runs.
        metric: What decides which trial is the best.
        run_cap: Most trials.
        early_terminate: Rule by which a server stops bad trials.
    """

    method: str
    parameters: dict[str, Parameter]
    command: list[str | int | float] = msgspec.field(default_factory=list)
    metric: Metric | None = None
    run_cap: int | None = None
    early_terminate: Any = None


class Rounded:
    """A law whose draws are rounded to multiples of a step."""

    def __init__(self, law: Distribution, step: float) -> None:
        self.law, self.step = law, step

    def rvs(self, *, random_state: Any) -> float:
        """Draw one."""
        found = round(float(self.law.rvs(random_state=random_state)) / self.step) * self.step
        return found if isinstance(self.step, int) else float(f"{found:.12g}")


class Weighted:
    """Values with their probabilities."""

    def __init__(self, values: Sequence[object], probabilities: Sequence[float]) -> None:
        self.values = values
        self.law = stats.rv_discrete(values=(range(len(values)), probabilities))

    def rvs(self, *, random_state: Any) -> object:
        """Draw one."""
        return self.values[int(self.law.rvs(random_state=random_state))]


def read(path: Path) -> tuple[SweepFile, object]:
    """A sweep file, and its plain content.

    Raises:
        InputError: If it is none, or only W&B's server could run it.
    """
    remedy = "see experiments/sweeps for examples"
    try:
        plain: object = yaml.safe_load(content(path, remedy, LARGEST_BYTES))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no YAML ({' '.join(str(error).split())[:200]}); {remedy}") from None
    given = plain.get("parameters") if isinstance(plain, dict) else None
    for key, parameter in given.items() if isinstance(given, dict) else ():
        Record(Parameter, remedy).convert(parameter, f"{path}: parameters.{key}")
    file = Record(SweepFile, remedy).convert(plain, str(path))
    if file.method not in ("grid", "random"):
        raise InputError(
            f"{path}: method {file.method} needs W&B's server (`wandb sweep`); grid and random run here"
        )
    if file.early_terminate is not None:
        raise InputError(f"{path}: early_terminate needs W&B's server (`wandb sweep`); remove the key")
    words(file, path)
    for key, one in file.parameters.items():
        _law(f"{path}: parameters.{key}", one)
    return file, plain


def words(file: SweepFile, path: Path) -> list[str]:
    """What an agent gives to `sound2scene fit` in front of the trial's own values.

    Raises:
        InputError: If the command is another one, or a recipe in it is not there.
    """
    command = [str(word) for word in file.command]
    if "fit" not in command or command[-1] != ARGS:
        raise InputError(
            f"{path}: command has to be [${{env}}, sound2scene, fit, -c, RECIPE, ..., {ARGS}], so that "
            "agents and this command run the same"
        )
    found = command[command.index("fit") + 1 : -1]
    for word in found:
        if word.startswith("${"):
            raise InputError(f"{path}: command has {word}, which only W&B's agent knows; write it out")
    for option, word in pairwise(found):
        if option in ("-c", "--config") and not Path(word).is_file():
            raise InputError(f"{path}: recipe {word} is not there; start from the folder that it begins in")
    return found


def trials(file: SweepFile, path: Path, count: int | None, seed: int) -> list[Values]:
    """The values of each trial.

    A random trial depends on the seed and its number alone, so that more of them can follow.

    Args:
        file: The sweep.
        path: Its file, for messages.
        count: Trials; by default `run_cap`, or the whole grid.
        seed: Seed of random trials.

    Raises:
        InputError: If nobody says how many, or a grid has a law of random values in it.
    """
    laws = {key: _law(f"{path}: parameters.{key}", one) for key, one in file.parameters.items()}
    count = count or file.run_cap
    if file.method == "random":
        if count is None:
            raise InputError(f"{path}: random draws go on for ever; say how many by --count or run_cap")
        return [_drawn(laws, seed_of("sweep", seed, number) % 2**32) for number in range(count)]
    lists = {
        key: _listed(f"{path}: parameters.{key}", file.parameters[key], law) for key, law in laws.items()
    }
    size = math.prod(map(len, lists.values()))
    if count is None and size > MOST_TRIALS:
        raise InputError(f"{path}: a grid of {size} trials; take fewer by --count, or draw by method: random")
    grid = ParameterGrid(lists)
    return [dict(sorted(grid[number].items())) for number in range(min(size, count or size))]


def arguments(values: Mapping[str, object]) -> list[str]:
    """Values as W&B's agent writes them for `${args}`: `--key=value`, in Python's spelling."""
    return [f"--{key}={value}" for key, value in values.items()]


def aim(file: SweepFile) -> Aim | None:
    """Which validation of a trial is its best; None asks its recipe."""
    return None if file.metric is None else Aim(file.metric.name, file.metric.goal == "minimize")


def plan(plain: object, seed: int) -> str:
    """What makes two sweeps the same one, as JSON: method, values, command and seed."""
    given = plain if isinstance(plain, dict) else {}
    same = {key: given.get(key) for key in ("method", "parameters", "command")} | {"seed": seed}
    return json.dumps(same, indent=1, sort_keys=True, default=str) + "\n"


def _drawn(laws: Mapping[str, list[Any] | Distribution], seed: int) -> Values:
    (found,) = ParameterSampler(dict(laws), 1, random_state=seed)
    return {key: one.item() if isinstance(one, np.generic) else one for key, one in sorted(found.items())}


def _listed(where: str, given: Parameter, law: list[Any] | Distribution) -> list[Any]:
    if isinstance(law, list):
        return law
    low, high = _ends(where, given)
    if given.distribution in (None, "int_uniform") and isinstance(low, int) and isinstance(high, int):
        return list(range(low, high + 1))
    if given.distribution == "q_uniform":
        return [float(f"{one:.12g}") for one in np.arange(low, high, given.q)]
    raise InputError(f"{where}: a grid needs values, not a law of random ones; give `values`")


def _law(where: str, given: Parameter) -> list[Any] | Distribution:
    if given.value is not msgspec.UNSET:
        return [given.value]
    if given.values is not None:
        return _chosen(where, given, given.values)
    name = given.distribution or "uniform"
    base = name.removeprefix("q_")
    if name == "int_uniform" or (given.distribution is None and _are_whole(given)):
        low, high = _ends(where, given)
        law: Distribution = stats.randint(int(low), int(high) + 1)
    elif base == "uniform":
        low, high = _ends(where, given)
        law = stats.uniform(low, high - low)
    elif base in ("log_uniform_values", "inv_log_uniform_values"):
        low, high = _ends(where, given)
        if low <= 0:
            raise InputError(f"{where}: min is {low}, and a logarithmic law needs one above 0")
        law = stats.loguniform(low, high)
    elif base in ("normal", "log_normal", "beta"):
        law = _unbounded(where, base, given)
    else:
        known = "(q_)uniform, int_uniform, (q_)log_uniform_values, (q_)normal, (q_)log_normal, (q_)beta"
        raise InputError(f"{where}: distribution {name!r} does not run here; choose {known}, or values")
    if name == base:
        return law
    if given.q <= 0:
        raise InputError(f"{where}: q is {given.q}; choose a step above 0")
    return Rounded(law, given.q)


def _unbounded(where: str, name: str, given: Parameter) -> Distribution:
    positive = (given.a, given.b) if name == "beta" else (given.sigma,)
    if not all(0 < one < math.inf for one in positive):
        raise InputError(f"{where}: {'a and b' if name == 'beta' else 'sigma'} must be above 0")
    if name == "beta":
        law: Distribution = stats.beta(given.a, given.b)
    elif name == "normal":
        law = stats.norm(given.mu, given.sigma)
    else:
        law = stats.lognorm(s=given.sigma, scale=math.exp(given.mu))
    return law


def _chosen(where: str, given: Parameter, values: list[Any]) -> list[Any] | Distribution:
    if not values:
        raise InputError(f"{where}: values are none; give one or more")
    if given.probabilities is None:
        return values
    if len(given.probabilities) != len(values) or not math.isclose(sum(given.probabilities), 1, rel_tol=1e-6):
        raise InputError(f"{where}: give one probability for each value, 1 in all")
    return Weighted(values, given.probabilities)


def _are_whole(given: Parameter) -> bool:
    return isinstance(given.min, int) and isinstance(given.max, int)


def _ends(where: str, given: Parameter) -> tuple[float | int, float | int]:
    if given.min is None or given.max is None or not given.min < given.max:
        raise InputError(
            f"{where}: needs `value`, `values`, or a `min` below a `max` (write 1.0e-4, not 1e-4)"
        )
    return given.min, given.max
