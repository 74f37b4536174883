"""The laws of the house, each a function from source to offences; each is first shown an offender, then all of src."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from textwrap import indent

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[1]
SRC = REPOSITORY / "src"
PACKAGE = SRC / "sound2scene"

MODULE_LINES, FUNCTION_LINES, CONSTRUCTOR_ARGUMENTS, NESTING = 249, 49, 8, 3
FILE_BYTES = 5_000_000
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "base", "misc", "manager"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Character classes keep these patterns from matching the lines that define them.
MACHINE_PATHS = re.compile(r"(?<![\w.~$}-])/(?:home|work|root|Users)/\w")
REGISTRIES = re.compile(
    r"pypi[.]org|pythonhosted[.]org|[.]pytorch[.]org/whl|--(?:extra-)?index[-]url|--find[-]links"
)

Law = Callable[[ast.Module], Iterator[str]]


def long_module(tree: ast.Module) -> Iterator[str]:
    last = max((node.end_lineno or 0 for node in tree.body), default=0)
    if last > MODULE_LINES:
        yield f"1: {last} lines"


def long_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, FUNCTIONS)
            and (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
        ):
            yield f"{node.lineno}: {node.name} has {lines} lines"


def wide_constructors(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            words = node.args
            named = [
                *words.posonlyargs,
                *words.args,
                *words.kwonlyargs,
                *filter(None, (words.vararg, words.kwarg)),
            ]
            if len(named) - 1 > CONSTRUCTOR_ARGUMENTS:
                yield f"{node.lineno}: the constructor takes {len(named) - 1} arguments"


def deep_nesting(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and (depth := max(map(block_depth, node.body))) > NESTING:
            yield f"{node.lineno}: {node.name} nests {depth} deep"


def block_depth(node: ast.AST) -> int:
    """Blocks around the innermost statement; an `elif` stands beside its `if`, a nested function starts anew."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return 0
    beside = isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
    inner = [child for child in ast.iter_child_nodes(node) if not (beside and child in node.orelse)]
    depth = isinstance(node, BLOCKS) + max(map(block_depth, inner), default=0)
    return max(depth, block_depth(node.orelse[0])) if beside else depth


def unsafe_code(tree: ast.Module) -> Iterator[str]:
    """Whatever lets a file that we read run code; an exception's name may come from anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [
                f"{node.module}.{alias.name}" for alias in node.names if not alias.name.endswith("Error")
            ]
        else:
            names = []
        yield from (
            f"{node.lineno}: imports {name}" for name in names if name.split(".")[0] in UNSAFE_MODULES
        )
        if isinstance(node, ast.Call) and unsafe_call(node):
            yield f"{node.lineno}: {ast.unparse(node)}"


def unsafe_call(node: ast.Call) -> bool:
    name = ast.unparse(node.func)
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    return (
        name in {"eval", "exec"}
        or (name == "torch.load" and given.get("weights_only") != "True")
        or given.get("allow_pickle", "False") != "False"
        or given.get("shell", "False") != "False"
    )


def empty_class_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and EMPTY_WORDS & {
            w.lower() for w in re.findall("[A-Z][a-z]+", node.name)
        }:
            yield f"{node.lineno}: {node.name}"


def empty_file_names(path: Path) -> bool:
    return any(EMPTY_WORDS & set(part.split("_")) for part in path.with_suffix("").parts)


def foreign_addresses(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if found := MACHINE_PATHS.search(line) or REGISTRIES.search(line):
            yield f"{number}: {found.group()}"


def outside_lock(setup_cfg: str, lock: str) -> list[str]:
    """Requirements (shipped ones and those of the checks) whose range does not hold what the lock installs."""
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, flags=re.MULTILINE):
        pins.setdefault(normal(name), []).append(version)
    parser = configparser.ConfigParser()
    parser.read_string(setup_cfg)
    lines = f"{parser['options']['install_requires']}\n{parser['options.extras_require']['dev']}".splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {str(one): pins.get(normal(one.name), ["not locked"]) for one in wanted}
    unmet = [one for one in wanted if not all(holds(one, version) for version in versions[str(one)])]
    return [f"{one}: {', '.join(versions[str(one)])}" for one in unmet]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def holds(wanted: Requirement, version: str) -> bool:
    return version != "not locked" and wanted.specifier.contains(version)


def undeclared(tree: ast.Module, declared: set[str], owners: Mapping[str, list[str]]) -> Iterator[str]:
    """Packages that are imported but only there because another package brought them, or someone's hand."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for top in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"sound2scene"}:
            if declared.isdisjoint(map(normal, owners.get(top, []))):
                yield f"{node.lineno}: imports {top}"


def imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def lint_imports(repository: Path) -> subprocess.CompletedProcess[str]:
    """Check the floors of the package under this folder."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def files() -> list[Path]:
    """Files that are in git, or will be: tracked and new ones, without the ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git working tree")
    paths = [REPOSITORY / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def offences(law: Law) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{offence}"
        for path in modules()
        for offence in law(ast.parse(path.read_text(encoding="utf-8")))
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
    (long_module, "x = 1\n" * 249, "x = 1\n" * 250),
    (long_functions, function(49), function(50)),
    (long_functions, "class A:\n    def f(self): ...", f"class A:\n{indent(function(50), ' ')}"),
    (wide_constructors, constructor(8), constructor(9)),
    (wide_constructors, constructor(8).replace("a7", "*a7"), constructor(8).replace("a7", "*, a7, **a8")),
    (deep_nesting, nest(3), nest(4)),
    (deep_nesting, nest(3, "with x:"), nest(4, "for x in y:")),
    (deep_nesting, ELIF, ELSE_IF),
    (unsafe_code, "model.eval()\nimport json", "eval('1')"),
    (unsafe_code, "torch.load(f, weights_only=True)", "torch.load(f)"),
    (unsafe_code, "np.load(f)", "torch.load(f, weights_only=False)"),
    (unsafe_code, "np.load(f, allow_pickle=False)", "np.load(f, allow_pickle=True)"),
    (unsafe_code, "from pickle import UnpicklingError", "from pickle import loads"),
    (unsafe_code, "import io, os.path", "import io, pickle as p"),
    (unsafe_code, "subprocess.run(command)", "subprocess.run(command, shell=True)"),
    (empty_class_names, "class DatabaseReader: ...", "class CacheManager: ..."),
]


@pytest.mark.parametrize(
    ("law", "innocent", "offender"), CASES, ids=lambda case: getattr(case, "__name__", "")
)
def test_law_spares_the_innocent_and_finds_the_offender(law: Law, innocent: str, offender: str) -> None:
    assert list(law(ast.parse(innocent))) == []
    assert len(list(law(ast.parse(offender)))) == 1


@pytest.mark.parametrize("law", dict.fromkeys(law for law, _, _ in CASES), ids=lambda law: law.__name__)
def test_src_keeps_the_law(law: Law) -> None:
    assert offences(law) == []


def test_no_file_in_src_has_an_empty_name() -> None:
    assert empty_file_names(Path("data/audio_utils.py"))
    assert not empty_file_names(Path("data/database.py"))
    assert [path for path in modules() if empty_file_names(path.relative_to(SRC))] == []


def test_init_files_are_empty() -> None:
    assert [path for path in modules() if path.name == "__init__.py" and path.stat().st_size] == []


def test_every_module_has_tests_of_its_own() -> None:
    named = {path.name for path in (REPOSITORY / "tests").rglob("test_*.py")}
    sources = [path for path in modules() if path.name != "__init__.py"]
    assert [str(path.relative_to(SRC)) for path in sources if f"test_{path.name}" not in named] == []


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
    assert (
        len(list(foreign_addresses(f"fine ../{'work'}/x https://a.org/{'work'}/x /workspace/x\n{offender}")))
        == 1
    )


def test_no_file_names_a_machine_or_a_registry() -> None:
    found: list[str] = []
    for path in files():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(REPOSITORY)}:{offence}" for offence in foreign_addresses(text)]
    assert found == []


def test_a_lock_outside_the_ranges_is_found() -> None:
    shipped = "[options]\ninstall_requires =\n    torch >=2.11,<2.15\n    # why\n    PyYAML >=6\n"
    setup = f"{shipped}[options.extras_require]\ndev =\n    ruff\n"
    assert outside_lock(setup, "torch==2.14.1\npyyaml==6.0.3\nruff==1.0 ; x == 'y'\n") == []
    assert outside_lock(setup, "torch==2.15.0\npyyaml==6.0.3\n") == [
        "torch<2.15,>=2.11: 2.15.0",
        "ruff: not locked",
    ]


def test_the_lock_lies_inside_the_ranges_that_we_ship() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert outside_lock((REPOSITORY / "setup.cfg").read_text(), lock) == []


def test_src_imports_only_packages_that_setup_cfg_names() -> None:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")
    lines = [
        line
        for line in parser["options"]["install_requires"].splitlines()
        if line and not line.startswith("#")
    ]
    declared = {normal(Requirement(line).name) for line in lines}
    owners = metadata.packages_distributions()  # reads the files of every installed package, so once
    assert list(undeclared(ast.parse("import yaml, os.path\nfrom PIL import Image"), declared, owners)) == []
    assert list(undeclared(ast.parse("import numpy\nimport sympy.core"), declared, owners)) == [
        "2: imports sympy"
    ]
    assert offences(lambda tree: undeclared(tree, declared, owners)) == []


def test_floors_hold() -> None:
    done = lint_imports(REPOSITORY)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("losses/offender.py", "import sound2scene.cli"),
        ("losses/offender.py", "import sound2scene.models"),
        ("offender.py", "x = 1"),
    ],
    ids=["upward", "sideways", "no floor"],
)
def test_a_broken_floor_is_found(module: str, line: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "src" / "sound2scene")
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    (tmp_path / "src" / "sound2scene" / module).write_text(f"{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert re.search(rf"sound2scene[.\w]*[.]{Path(module).stem}\b", done.stdout)


def test_the_command_imports_without_torch() -> None:
    assert "json.decoder" in imported_by("json")
    assert "torch" not in imported_by("sound2scene.cli")


def test_make_without_a_fit_python_says_so_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copy(REPOSITORY / "requirements.lock", tmp_path)
    command = ["make", "-s", ".venv/bin/uv", "PYTHON=false"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert (
        "no Python 3.11 to 3.13 with venv among: false; install one or name it" in done.stderr.splitlines()[0]
    )
    assert not (tmp_path / ".venv").exists()
