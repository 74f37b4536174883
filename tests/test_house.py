"""The laws of the house: each is first shown an innocent and an offender, then the whole tree."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from textwrap import indent

import pytest
from packaging.requirements import Requirement

import laws
from laws import Law

REPOSITORY = Path(__file__).resolve().parents[1]
SRC = REPOSITORY / "src"
PACKAGE = SRC / "sound2scene"
TESTS = REPOSITORY / "tests"
EXPERIMENTS = REPOSITORY / "experiments"

FILE_BYTES = 5_000_000
# Tests of the repository and not of a module.
OF_THE_WHOLE = {
    "test_extending.py",
    "test_house.py",
    "test_notebooks.py",
    "test_package.py",
    "test_pages.py",
    "test_recipes.py",
    "test_recipes_start.py",
    "test_runs.py",
    "test_several_machines.py",
    "data/video/test_hostile.py",
    "test_chain.py",
    "test_poison.py",
    "test_interrupted.py",
    "test_mutated_files.py",
}
# Files that may do by hand what a law forbids, and why.
EXCUSED: dict[Law, dict[str, str]] = {
    laws.other_writers: {
        "files.py": "the one writer",
        "artifacts.py": "a folder of two files, which is swapped as a whole",
        "download.py": "what has come of a download is kept until the rest comes",
        "data/vggsound/youtube.py": "a clip is made in a workplace of its own, and moved from there",
    },
    laws.other_seeds: {
        "data/toy/truth.py": "another seed would draw another toy world",
    },
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def python_files() -> list[Path]:
    return [*modules(), *sorted(TESTS.rglob("*.py")), *sorted(EXPERIMENTS.rglob("*.py"))]


def files() -> list[Path]:
    """Files that are in git, or will be: tracked and new ones, without the ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git working tree")
    paths = [REPOSITORY / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def offences(law: Law) -> list[str]:
    excused = EXCUSED.get(law, {})
    return [
        f"{path.relative_to(REPOSITORY)}:{offence}"
        for path in modules()
        if str(path.relative_to(PACKAGE)) not in excused
        for offence in law(parsed(path))
    ]


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a module, for all laws."""
    return ast.parse(path.read_text(encoding="utf-8"))


def text_offences(law: Callable[[str], Iterator[str]], paths: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{offence}"
        for path in paths
        for offence in law(path.read_text(encoding="utf-8", errors="ignore"))
    ]


def function(lines: int) -> str:
    return "def f():\n" + "    x = 1\n" * (lines - 1)


def constructor(arguments: int) -> str:
    return f"class A:\n    def __init__(self, {', '.join(f'a{i}' for i in range(arguments))}): ...\n"


def nest(depth: int, header: str = "if x:") -> str:
    lines = [f"{'    ' * level}{header}" for level in range(1, depth + 1)]
    return "\n".join(["def f():", *lines, f"{'    ' * (depth + 1)}pass"])


ELIF = "def f():\n    if a:\n        pass\n" + "    elif b:\n        pass\n" * 5
ELSE_IF = "def f():\n" + "".join(
    f"{'    ' * d}if a:\n{'    ' * d}    pass\n{'    ' * d}else:\n{'    ' * d}    b()\n" for d in range(1, 5)
)
CASES: list[tuple[Law, str, str]] = [
    (laws.long_module, "x = 1\n" * 299, "x = 1\n" * 300),
    (laws.long_functions, function(49), function(50)),
    (laws.long_functions, "class A:\n    def f(self): ...", f"class A:\n{indent(function(50), ' ')}"),
    (laws.wide_constructors, constructor(8), constructor(9)),
    (laws.wide_constructors, constructor(8).replace("a7", "*a7"), constructor(8).replace("a7", "a7, **a8")),
    (laws.deep_nesting, nest(3), nest(4)),
    (laws.deep_nesting, nest(3, "with x:"), nest(4, "for x in y:")),
    (laws.deep_nesting, ELIF, ELSE_IF),
    (laws.unsafe_code, "model.eval()\nimport json", "eval('1')"),
    (laws.unsafe_code, "torch.load(f, weights_only=True)", "torch.load(f)"),
    (laws.unsafe_code, "np.load(f)", "torch.load(f, weights_only=False)"),
    (laws.unsafe_code, "np.load(f, allow_pickle=False)", "np.load(f, allow_pickle=True)"),
    (laws.unsafe_code, "from pickle import UnpicklingError", "from pickle import loads"),
    (laws.unsafe_code, "import io, os.path", "import io, pickle as p"),
    (laws.unsafe_code, "subprocess.run(command)", "subprocess.run(command, shell=True)"),
    (laws.other_seeds, "g.manual_seed(seed_of(epoch, key))", "g.manual_seed(int.from_bytes(digest))"),
    (laws.other_seeds, "random.Random(seed)", "random.Random(f'{seed} {split}')"),
    (laws.other_seeds, "np.random.default_rng(self.seed)", "np.random.default_rng([seed, index])"),
    (laws.other_seeds, "Random(0)", "torch.manual_seed(seed + 1)"),
    (laws.other_seeds, "digest.hash()", "key = hash(name)"),
    (laws.other_writers, "with replacing(p) as q:\n    figure.savefig(q)", "figure.savefig(p)"),
    (laws.other_writers, "with files.replacing(p) as q:\n    q.write_text(t)", "p.write_text(t)"),
    (laws.other_writers, "files.write(p, t)", "p.write_bytes(t)"),
    (laws.other_writers, "name.replace('a', 'b')", "partial.replace(path)"),
    (laws.other_writers, "dataclasses.replace(x, y=1)", "os.replace(partial, path)"),
    (laws.other_writers, "columns.rename(columns=c)", "folder.rename(old)"),
    (
        laws.loaders_that_die_first,
        "DataLoader(x, worker_init_fn=leave_stopping_to_parent)",
        "DataLoader(x, num_workers=2)",
    ),
    (
        laws.loaders_that_die_first,
        "DataLoader(x, worker_init_fn=leave_stopping_to_parent if gpu else give_way_to_parent)",
        "DataLoader(x, worker_init_fn=leave_stopping_to_parent if gpu else None)",
    ),
    (laws.empty_class_names, "class DatabaseReader: ...", "class CacheManager: ..."),
]


@pytest.mark.parametrize(
    ("law", "innocent", "offender"), CASES, ids=lambda case: getattr(case, "__name__", "")
)
def test_law_spares_the_innocent_and_finds_the_offender(law: Law, innocent: str, offender: str) -> None:
    assert list(law(ast.parse(innocent))) == []
    assert len(list(law(ast.parse(offender)))) == 1


@pytest.mark.costly
@pytest.mark.parametrize("law", dict.fromkeys(law for law, _, _ in CASES), ids=lambda law: law.__name__)
def test_src_keeps_the_law(law: Law) -> None:
    assert offences(law) == []


def test_no_line_is_longer_than_110() -> None:
    pragma = f"{'x' * 110}  # {'noqa'}: B023 (why)"
    assert list(laws.long_lines(f"{'x' * 110}\n{pragma}\n{'x' * 111}\n{'x' * 111}  # why")) == [
        "3: 111 characters",
        "4: 118 characters",
    ]
    assert text_offences(laws.long_lines, python_files()) == []


def test_no_file_switches_the_formatter_off() -> None:
    lines = [f"x = 1  # {'fmt'}: skip", f"# {'fmt'}: off", "print(fmt)  # format: wide"]
    assert len(list(laws.unformatted("\n".join(lines)))) == 2
    assert text_offences(laws.unformatted, python_files()) == []


def test_no_file_in_src_has_an_empty_name() -> None:
    assert laws.empty_file_name(Path("data/audio_utils.py"))
    assert not laws.empty_file_name(Path("data/database.py"))
    assert [path for path in modules() if laws.empty_file_name(path.relative_to(SRC))] == []


def test_init_files_but_the_packages_own_are_empty() -> None:
    inner = [path for path in modules() if path.name == "__init__.py" and path.parent != PACKAGE]
    assert [path for path in inner if path.stat().st_size] == []


def relative(folder: Path, paths: Iterator[Path]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_every_module_has_tests_of_its_own_at_the_same_path() -> None:
    assert laws.untested(["a/__init__.py", "a/b.py", "c.py"], ["a/test_b.py", "a/test_c.py"]) == ["c.py"]
    tests = relative(TESTS, TESTS.rglob("test_*.py"))
    assert laws.untested(relative(PACKAGE, PACKAGE.rglob("*.py")), tests) == []


def test_every_test_file_mirrors_a_module_or_is_listed() -> None:
    assert laws.unmirrored(["a/b.py", "c.py"], ["a/test_b.py", "a/test_c.py"]) == ["a/test_c.py"]
    tests = set(relative(TESTS, TESTS.rglob("test_*.py"))) - OF_THE_WHOLE
    shared = [path.name for path in TESTS.glob("*.py")]
    assert laws.unmirrored(relative(PACKAGE, PACKAGE.rglob("*.py")) + shared, tests) == []


def test_no_file_is_over_5_mb() -> None:
    assert [path for path in files() if path.stat().st_size > FILE_BYTES] == []


@pytest.mark.parametrize(
    "offender",
    [
        f"open('/{'home'}/me/x')",
        f"folder=/{'work'}/main",
        f"pip install --index{'-'}url x",
        f"https://pypi{'.'}org/x",
    ],
)
def test_an_address_of_one_machine_is_found(offender: str) -> None:
    fine = f"fine ../{'work'}/x https://a.org/{'work'}/x /workspace/x"
    assert len(list(laws.foreign_addresses(f"{fine}\n{offender}"))) == 1


@pytest.mark.costly
def test_no_file_names_a_machine_or_a_registry() -> None:
    assert text_offences(laws.foreign_addresses, files()) == []


def test_a_lock_outside_the_ranges_is_found() -> None:
    shipped = "[options]\ninstall_requires =\n    torch >=2.11,<2.15\n    # why\n    PyYAML >=6\n"
    setup = f"{shipped}[options.extras_require]\ndev =\n    ruff\n"
    assert laws.outside_lock(setup, "torch==2.14.1\npyyaml==6.0.3\nruff==1.0 ; x == 'y'\n") == []
    assert laws.outside_lock(setup, "torch==2.15.0\npyyaml==6.0.3\n") == [
        "torch<2.15,>=2.11: 2.15.0",
        "ruff: not locked",
    ]


def test_the_lock_lies_inside_the_ranges_that_we_ship() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert laws.outside_lock((REPOSITORY / "setup.cfg").read_text(), lock) == []


@pytest.mark.costly
def test_src_imports_only_packages_that_setup_cfg_names() -> None:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")

    def named(lines: str) -> set[str]:
        wanted = [line for line in lines.splitlines() if line and not line.startswith("#")]
        return {laws.normal(Requirement(line).name) for line in wanted}

    declared = named(parser["options"]["install_requires"])
    # What is asked for without its extra says so, and everything else does without.
    extras = parser["options.extras_require"]
    apart = {"/demo/": named(extras["demo"]), "/completion.py:": named(extras["completion"])}
    owners = metadata.packages_distributions()  # reads the files of every installed package, so once

    def law(tree: ast.Module) -> Iterator[str]:
        return laws.undeclared(tree, declared, owners)

    assert list(law(ast.parse("import yaml, os.path\nfrom PIL import Image"))) == []
    assert list(law(ast.parse("import numpy\nimport sympy.core"))) == ["2: imports sympy"]
    allowed = {(place, f"imports {name}") for place, names in apart.items() for name in names}
    assert [
        line
        for line in offences(law)
        if not any(place in line and line.endswith(f": {what}") for place, what in allowed)
    ] == []


def lint_imports(repository: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts for the package under this folder."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def contracts() -> list[str]:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


@pytest.mark.costly
def test_every_contract_is_kept() -> None:
    done = lint_imports(REPOSITORY)
    assert done.returncode == 0, done.stdout


# Start of the contract's name, where its offender lies, what that imports, and how it is reported.
OFFENDERS = [
    ("Floors", "losses/upward.py", "import sound2scene.cli", "losses.upward -> sound2scene.cli"),
    ("Floors", "stages/sideways.py", "import sound2scene.callbacks.export", "stages.sideways -> sound"),
    ("Floors", "homeless.py", "x = 1", "- sound2scene.homeless"),
    ("Inside", "data/shards/upward.py", "import sound2scene.data.datasets", "shards.upward -> sound"),
    ("Inside", "data/toy/sideways.py", "import sound2scene.data.corpora.pairs", "toy.sideways -> sound"),
    ("A stage", "stages/reads.py", "import sound2scene.data.clips", "stages.reads -> sound2scene.data"),
    (
        "Methods",
        "methods/trains.py",
        "def f():\n    import pytorch_lightning",
        "methods.trains -> pytorch_lightning",
    ),
    ("Methods", "control/trains.py", "import sound2scene.stages.align", "control.trains -> sound2scene"),
    ("Methods", "methods/steps.py", "import sound2scene.stages.align", "methods.steps -> sound2scene"),
]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Report on a copy of the package with all offenders in it, white space and rulers made one."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(PACKAGE, folder / "src" / "sound2scene")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for _, module, line, _ in OFFENDERS:
        (folder / "src" / "sound2scene" / module).write_text(f"{line}\n")
    done = lint_imports(folder)
    assert done.returncode == 1, done.stderr
    return re.sub(r"\s+", " ", re.sub(r"-{3,}\n(-\n)?", "\n", done.stdout))


@pytest.mark.parametrize(("start", "module", "line", "report"), OFFENDERS, ids=[row[1] for row in OFFENDERS])
def test_a_broken_contract_is_found(start: str, module: str, line: str, report: str, broken: str) -> None:
    (name,) = (name for name in contracts() if name.startswith(start))
    assert f"{name} BROKEN" in broken
    details = broken.partition("Broken contracts")[2].partition(f" {name} ")[2]
    for other in contracts():
        details = details.partition(f" {other} ")[0]
    assert report in details


def test_every_contract_has_an_offender() -> None:
    starts = tuple(start for start, _, _, _ in OFFENDERS)
    assert [name for name in contracts() if not name.startswith(starts)] == []


def imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["sound2scene", "sound2scene.cli"])
def test_package_and_command_import_without_torch(module: str) -> None:
    assert "json.decoder" in imported_by("json")
    assert "torch" not in imported_by(module)


def pages() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def test_links_of_every_page_lead_to_files_that_exist(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("[a](README.md) [b](https://a.org/x) [c](#here)\n![d](no.png) [e](README.md#x)\n")
    assert list(laws.dead_links(page)) == ["2: no.png"]
    assert REPOSITORY / "README.md" in pages()
    found = [f"{page.relative_to(REPOSITORY)}:{link}" for page in pages() for link in laws.dead_links(page)]
    assert found == []


def test_every_recipe_and_every_benchmark_stands_in_the_table_of_its_folder() -> None:
    listed = {path.parent: path.read_text() for path in EXPERIMENTS.glob("*/README.md")}
    things = [*EXPERIMENTS.glob("*/*.yaml"), *EXPERIMENTS.glob("benchmarks/*.py")]
    names = {
        path: path.name if path.suffix == ".py" else f"{path.parent.name}/{path.stem}" for path in things
    }
    missing = [path for path in things if f"`{names[path]}`" not in listed.get(path.parent, "")]
    assert [str(path.relative_to(REPOSITORY)) for path in missing] == []


def test_make_without_a_fit_python_says_so_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copy(REPOSITORY / "requirements.lock", tmp_path)
    command = ["make", "-s", ".venv/bin/uv", "PYTHON=false"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0
    message = "no Python 3.11 to 3.13 with venv among: false; install one or name it"
    assert message in done.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()


def test_in_a_log_the_installer_tells_errors_alone(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "setup.cfg", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    command = ["make", "-n", "install"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    installing = [line for line in done.stdout.splitlines() if "uv pip install" in line]
    assert len(installing) == 2
    assert all("--quiet" in line for line in installing)
