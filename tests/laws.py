"""The laws of the house: each a function from source to offences, so that a test can show it an offender."""

import ast
import configparser
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

Law = Callable[[ast.Module], Iterator[str]]
LEFT_TO_PARENT = {"leave_stopping_to_parent", "give_way_to_parent"}

MODULE_LINES, FUNCTION_LINES, LINE_LENGTH, CONSTRUCTOR_ARGUMENTS, NESTING = 299, 49, 110, 8, 3
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "base", "misc", "manager"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SEEDED = {"Random", "manual_seed", "default_rng", "SeedSequence", "RandomState"}
# Character classes keep these patterns from matching the lines that define them.
PRAGMA = re.compile(r"\s*# (?:noqa|type[:]|pragma[:]).*$")
UNFORMATTED = re.compile(r"#\s*fmt[:]")
MACHINE_PATHS = re.compile(r"(?<![\w.~$}-])/(?:home|work|root|Users)/\w")
REGISTRIES = re.compile(
    r"pypi[.]org|pythonhosted[.]org|[.]pytorch[.]org/whl|--(?:extra-)?index[-]url|--find[-]links"
)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def long_module(tree: ast.Module) -> Iterator[str]:
    last = max((node.end_lineno or 0 for node in tree.body), default=0)
    if last > MODULE_LINES:
        yield f"1: {last} lines"


def long_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{node.lineno}: {node.name} has {lines} lines"


def wide_constructors(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            given = node.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            named += filter(None, (given.vararg, given.kwarg))
            if len(named) - 1 > CONSTRUCTOR_ARGUMENTS:
                yield f"{node.lineno}: the constructor takes {len(named) - 1} arguments"


def deep_nesting(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and (depth := max(map(block_depth, node.body))) > NESTING:
            yield f"{node.lineno}: {node.name} nests {depth} deep"


def block_depth(node: ast.AST) -> int:
    """Blocks around the innermost statement; `elif` counts like its `if`, a nested function starts anew."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return 0
    other = node.orelse if isinstance(node, ast.If) else []
    beside = other if len(other) == 1 and isinstance(other[0], ast.If) else []
    inner = [child for child in ast.iter_child_nodes(node) if child not in beside]
    depth = isinstance(node, BLOCKS) + max(map(block_depth, inner), default=0)
    return max([depth, *map(block_depth, beside)])


def unsafe_code(tree: ast.Module) -> Iterator[str]:
    """Whatever lets a file that we read run code; an exception's name may come from anywhere."""
    for node, name in imports(tree):
        if name.split(".")[0] in UNSAFE_MODULES and not name.endswith("Error"):
            yield f"{node.lineno}: imports {name}"
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and unsafe_call(call):
            yield f"{call.lineno}: {ast.unparse(call)}"


def imports(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every imported name with its dots, where it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            source = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
            yield from ((node, f"{source}{alias.name}") for alias in node.names)


def unsafe_call(node: ast.Call) -> bool:
    name = dotted(node.func)
    flags = ("weights_only", "allow_pickle", "shell")
    given = {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg in flags}
    return (
        name in {"eval", "exec"}
        or (name == "torch.load" and given.get("weights_only") != "True")
        or given.get("allow_pickle", "False") != "False"
        or given.get("shell", "False") != "False"
    )


def dotted(function: ast.expr) -> str:
    """The name of what is called; of the result of another call only what follows it.

    `ast.unparse` says the same and takes a hundred times as long, which counts where every call is asked.
    """
    if isinstance(function, ast.Attribute):
        return f"{dotted(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def other_seeds(tree: ast.Module) -> Iterator[str]:
    """Seeds put together by hand: neither a number nor a name nor the result of a `...seed...` function."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        seed = node.args[0] if node.args else None
        by_hand = not isinstance(seed, ast.Name | ast.Attribute | ast.Constant | None) and not (
            isinstance(seed, ast.Call) and "seed" in dotted(seed.func).lower()
        )
        if name == "hash" or (name.rpartition(".")[2] in SEEDED and by_hand):
            yield f"{node.lineno}: {ast.unparse(node)}; use sound2scene.seeds"


def other_writers(tree: ast.Module) -> Iterator[str]:
    """Files that get their names by other means than `sound2scene.files`, so that half of one may be seen."""
    safe = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any("replacing(" in ast.unparse(item) for item in node.items)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node not in safe and moves_or_writes(node):
            yield f"{node.lineno}: {ast.unparse(node)[:60]}; use sound2scene.files"


def moves_or_writes(node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Attribute):
        return False
    if dotted(node.func) in {"os.replace", "os.rename"}:
        return True
    # `replace` of a path takes one argument, that of a string two or three.
    a_path = len(node.args) == 1 and not node.keywords
    written = node.func.attr in {"savefig", "write_text", "write_bytes"}
    return written or (node.func.attr in {"replace", "rename"} and a_path)


def loaders_that_die_first(tree: ast.Module) -> Iterator[str]:
    """Loaders whose workers obey a SIGTERM that their run answers behind a step."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not dotted(node.func).endswith(
            ("DataLoader", "ResumableLoader")
        ):
            continue
        begun = [key.value for key in node.keywords if key.arg == "worker_init_fn"]
        either = [[by.body, by.orelse] if isinstance(by, ast.IfExp) else [by] for by in begun]
        if not either or not all(ast.unparse(by) in LEFT_TO_PARENT for by in either[0]):
            yield f"{node.lineno}: a loader whose worker_init_fn is none of {sorted(LEFT_TO_PARENT)}"


def empty_class_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            words = {word.lower() for word in re.findall("[A-Z][a-z]+", node.name)}
            if EMPTY_WORDS & words:
                yield f"{node.lineno}: {node.name}"


def empty_file_name(path: Path) -> bool:
    return any(EMPTY_WORDS & set(part.split("_")) for part in path.with_suffix("").parts)


def long_lines(text: str) -> Iterator[str]:
    """Lines that are too long without the pragma at their end, which a formatter cannot break."""
    for number, line in enumerate(text.splitlines(), start=1):
        if len(PRAGMA.sub("", line)) > LINE_LENGTH:
            yield f"{number}: {len(line)} characters"


def unformatted(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if UNFORMATTED.search(line):
            yield f"{number}: {line.strip()}"


def foreign_addresses(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if found := MACHINE_PATHS.search(line) or REGISTRIES.search(line):
            yield f"{number}: {found.group()}"


def dead_links(page: Path) -> Iterator[str]:
    """Links of a page to files that are not there."""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        for target in filter(None, (part for found in LINK.findall(line) for part in found)):
            path = target.partition("#")[0]
            if path and "://" not in path and not (page.parent / path).exists():
                yield f"{number}: {target}"


def untested(modules: Iterable[str], tests: Iterable[str]) -> list[str]:
    """Modules `a/b.py` without `a/test_b.py`; an `__init__.py` needs none."""
    own = [PurePosixPath(module) for module in modules if not module.endswith("__init__.py")]
    return sorted(str(path) for path in own if str(path.with_name(f"test_{path.name}")) not in set(tests))


def unmirrored(modules: Iterable[str], tests: Iterable[str]) -> list[str]:
    """Test files `a/test_b.py` without a module `a/b.py`."""
    paths = [PurePosixPath(test) for test in tests]
    named = {path: str(path.with_name(path.name.removeprefix("test_"))) for path in paths}
    return sorted(str(path) for path in paths if named[path] not in set(modules))


def outside_lock(setup_cfg: str, lock: str) -> list[str]:
    """Requirements, those of the checks among them, whose range does not hold what the lock installs."""
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
    found = {(node.lineno, name.split(".")[0]) for node, name in imports(tree)}
    for line, top in sorted(found):
        ours = top in sys.stdlib_module_names or top == "sound2scene"
        if not ours and declared.isdisjoint(map(normal, owners.get(top, []))):
            yield f"{line}: imports {top}"
