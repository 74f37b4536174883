"""The notebooks: small, plain, of nothing reusable, importing what is there; and run from a clean kernel."""

import ast
import importlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

import laws
from sound2scene.published.models import ROLES

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
OUTPUT_BYTES = 200_000  # of one cell; a figure of ten small pictures has 100,000
NOTEBOOK_BYTES = 1_000_000
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
MAGIC = re.compile(r"^%.*$", re.MULTILINE)

SHORTEST = "01_sound_to_scene"  # run with the quick tests
# What keeps those that train shorter where the pictures do not matter.
SHORTER = {
    "04_train_your_own": "TOY_VIDEOS, EPOCHS, BATCH = 24, 1, 8",
    "05_read_a_run": "TRAIN_CLIPS, HELD_OUT_CLIPS, EPOCHS = 32, 16, 1",
}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
all_but_one_slow = pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=() if path.stem == SHORTEST else pytest.mark.slow) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def code_of(notebook: dict[str, Any]) -> ast.Module:
    """The code of all cells; what only a notebook understands is left out."""
    cells = ["".join(cell["source"]) for cell in code_cells(notebook)]
    return ast.parse(MAGIC.sub("", "\n".join(cells)))


def definitions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS):
            yield f"{node.lineno}: {type(node).__name__}"


def absolute_paths(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 1:
            text = node.value
            if PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith("~"):
                yield f"{node.lineno}: {text}"


def imported(tree: ast.Module) -> list[tuple[str, str]]:
    """Modules of the package and the names that are taken from each; no name where it is imported whole."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
    return [(module, name) for module, name in found if module.split(".")[0] == "sound2scene"]


def is_there(module: str, name: str) -> bool:
    try:
        inside = importlib.import_module(module)
    except ModuleNotFoundError:
        return False
    if not name or hasattr(inside, name):
        return True
    return hasattr(inside, "__path__") and is_there(f"{module}.{name}", "")


def large_outputs(notebook: dict[str, Any]) -> list[str]:
    sizes = {cell["id"]: len(json.dumps(cell["outputs"])) for cell in code_cells(notebook)}
    return [f"{cell}: {size} bytes" for cell, size in sizes.items() if size > OUTPUT_BYTES]


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_sound_to_scene",
        "02_latent_interpolation",
        "03_control",
        "04_train_your_own",
        "05_read_a_run",
    ]


@each
def test_a_notebook_is_valid_and_asks_for_no_kernel_of_one_machine(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["cells"][0]["cell_type"] == "markdown"


@each
def test_a_notebook_keeps_small_outputs_or_none(path: Path) -> None:
    cell = {"cell_type": "code", "id": "big", "outputs": [{"data": "x" * OUTPUT_BYTES}]}
    assert len(large_outputs({"cells": [cell]})) == 1
    assert large_outputs(read(path)) == []
    assert path.stat().st_size < NOTEBOOK_BYTES


@each
def test_a_notebook_defines_nothing(path: Path) -> None:
    offender = "x = [f(y) for y in z]\ndef f():\n    pass\nclass A: ...\ng = lambda x: x"
    assert len(list(definitions(ast.parse(offender)))) == 3
    assert list(definitions(code_of(read(path)))) == []


@each
def test_a_notebook_holds_no_absolute_path(path: Path) -> None:
    offender = "a = '/data/x'\nb = '~/x'\nc = 'C:/x'\nd = 'data/x' + '/' + f'{a} x/y'"
    assert len(list(absolute_paths(ast.parse(offender)))) == 3
    assert list(absolute_paths(code_of(read(path)))) == []
    assert list(laws.foreign_addresses(path.read_text(encoding="utf-8"))) == []


@each
def test_what_a_notebook_imports_from_the_package_is_there(path: Path) -> None:
    gone = (
        "import sound2scene.nothing\nfrom sound2scene import latent, gone\nfrom sound2scene.latent import x"
    )
    there = {one: is_there(*one) for one in imported(ast.parse(gone))}
    assert [name for (_, name), found in there.items() if found] == ["latent"]
    assert len(there) == 4
    names = imported(code_of(read(path)))
    assert len(names) > 5
    assert [one for one in names if not is_there(*one)] == []


def settings_of(source: str) -> dict[str, Any]:
    """What the first cell of a notebook assigns, as far as it is plain values."""
    found: dict[str, Any] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


@each
def test_the_first_cell_of_a_notebook_holds_every_path_and_says_how_to_put_in_published_networks(
    path: Path,
) -> None:
    first, *others = code_cells(read(path))
    source = "".join(first["source"])
    for words in ("`sound2scene models`", "sound2scene-vggsound", "src/sound2scene/published/README.md"):
        assert words in source
    settings = settings_of(source)
    assert (settings["MODEL"], settings["NETWORKS"]) == ("toy", {})
    examples = set(re.findall(r'"(\w+)": "artifacts/', source))
    assert examples
    assert examples <= {*ROLES}
    assert all(value == "" or value.startswith("experiments/") for value in settings["PATHS"].values())
    rest = "".join(line for cell in others for line in cell["source"])
    assert "experiments/" not in rest
    assert "obtain(MODEL) | NETWORKS" in rest


@each
def test_links_of_a_notebook_lead_to_files_that_exist(path: Path, tmp_path: Path) -> None:
    words = [
        line for cell in read(path)["cells"] if cell["cell_type"] == "markdown" for line in cell["source"]
    ]
    targets = [target for found in laws.LINK.findall("\n".join(words)) for target in found if target]
    assert targets
    assert [target for target in targets if not (FOLDER / target).exists()] == []


def test_make_runs_every_notebook_of_the_folder() -> None:
    done = subprocess.run(
        ["make", "-n", "notebooks"], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=300
    )
    (line,) = [line for line in done.stdout.splitlines() if "jupyter-execute" in line]
    assert [word for word in line.split() if word.endswith(".ipynb")] == [
        f"notebooks/{path.name}" for path in NOTEBOOKS
    ]


def run(path: Path, settings: str = "") -> dict[str, dict[str, Any]]:
    """Run a notebook in a kernel of its own, which starts in its folder; its code cells by their names.

    Args:
        path: The notebook, which stays as it is.
        settings: What to put below its first cell.
    """
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="notebooks are run by ipykernel (make install)")
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source += f"\n{settings}"
    resources = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", resources=resources).execute()
    return {cell["id"]: cell for cell in code_cells(notebook)}


def has_figure(cell: dict[str, Any]) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell["outputs"])


def without_figure(cells: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, cell in cells.items() if name.endswith("-figure") and not has_figure(cell)]


@all_but_one_slow
def test_a_notebook_runs_on_the_artifacts_in_git_and_shows_its_figures(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where those that train leave their runs
    cells = run(path)
    assert any(name.endswith("-figure") for name in cells)
    assert without_figure(cells) == []


@pytest.mark.slow
@each
def test_a_notebook_runs_on_other_networks_that_its_first_cell_names(
    path: Path, tmp_path: Path, tiny_image_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from controlling import trio
    from sound2scene import artifacts
    from sound2scene.data.toy.pictures import BACKGROUNDS
    from sound2scene.data.toy.truth import KINDS
    from sound2scene.models.reader import Reader
    from tiny import NET

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tiny = {role: str(one) for role, one in trio(tmp_path, tiny_image_encoder)._asdict().items()}
    settings = f"NETWORKS |= {tiny!r}\n{SHORTER.get(path.stem, '')}\n"
    if "reader" in settings_of("".join(code_cells(read(path))[0]["source"]))["PATHS"]:
        torch.manual_seed(0)
        reader = Reader(len(KINDS), len(BACKGROUNDS), backbone_options=NET)
        folder = artifacts.save(reader, tmp_path / "reader", card={"kind": "reader"})
        settings += f"PATHS |= {{'reader': {str(folder)!r}}}\n"
    assert without_figure(run(path, settings)) == []
