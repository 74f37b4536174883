import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from sound2scene.commands.evaluation_files import write
from sound2scene.commands.evaluation_run import Evaluated, MethodFigures, Wanted
from sound2scene.data.shards.read import ShardDataset
from sound2scene.evaluation.estimates import Figure
from sound2scene.evaluation.protocol import Protocol
from sound2scene.evaluation.result import read
from sound2scene.methods.named import NamedMethod, Word
from sound2scene.types import InputError, Rejected


@pytest.fixture
def found(tiny_shards: Path) -> tuple[Wanted, Evaluated]:
    """Two methods with one figure each; the first lacks a clip."""
    split = ShardDataset(tiny_shards, "test")
    wanted = Wanted(
        ["ours"], str(tiny_shards), Protocol("a test", 32, {}), "encoder", {"test-008": "silent"}, Path()
    )
    drawing: Any = SimpleNamespace(fingerprints={"generator": "abc"})
    figure = Figure("FID", "judge", "lower", 3.0, 2.0, 4.0, 7, (3.123456789,))
    pictures = {0: torch.zeros(3, 32, 32, dtype=torch.uint8), 1: torch.zeros(3, 32, 32, dtype=torch.uint8)}
    methods = [
        MethodFigures(
            NamedMethod(kind, drawing, Word(kind, kind, {})),
            [Rejected("test-003", "test-003: no picture")] if kind == "folder" else [],
            7,
            [figure],
            pictures,
        )
        for kind in ("folder", "real")
    ]
    return wanted, Evaluated(split, list(range(8)), {}, "f" * 64, methods)


def test_a_result_reads_back_with_what_was_left_out_and_what_is_absent(
    found: tuple[Wanted, Evaluated], tmp_path: Path
) -> None:
    output = tmp_path / "results" / "mine.json"
    write(output, "protocols/mine.yaml", *found)
    result = read(output)
    assert result["protocol"]["name"] == "mine"
    assert result["data"]["left_out"] == [{"key": "test-008", "reason": "silent"}]
    assert result["data"]["clips"] == 8
    assert result["methods"][0]["absent"] == [{"key": "test-003", "reason": "test-003: no picture"}]
    assert result["methods"][0]["figures"][0]["resampled"] == [3.123457]


@pytest.mark.costly
def test_the_picture_has_a_column_for_every_method_and_one_for_the_real_pictures(
    found: tuple[Wanted, Evaluated], tmp_path: Path
) -> None:
    write(tmp_path / "one.json", "toy", *found)
    wanted, evaluated = found
    folder, real = evaluated.methods
    more = [folder, folder._replace(method=folder.method._replace(label="other")), real]
    write(tmp_path / "two.json", "toy", wanted, evaluated._replace(methods=more))
    widths = []
    for name in ("one", "two"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            widths.append(picture.width)
    assert widths[0] < widths[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "one.png", "two.json", "two.png"]


def test_where_nothing_can_be_written_one_line_says_so(
    found: tuple[Wanted, Evaluated], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "result.json", "toy", *found)


def test_a_result_is_plain_json(found: tuple[Wanted, Evaluated], tmp_path: Path) -> None:
    write(tmp_path / "one.json", "toy", *found)
    assert json.loads((tmp_path / "one.json").read_text())["format"] == 1
