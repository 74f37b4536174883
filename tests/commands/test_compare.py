import csv
import json
from pathlib import Path

import pytest

from sound2scene.cli import main
from written_results import figure, result


@pytest.fixture
def results(tmp_path: Path) -> list[str]:
    found = {
        "a": result({"ours": [figure(0.5), figure(30.0, name="FID", better="lower")]}),
        "b": result({"theirs_": [figure(0.25), figure(60.0, name="FID", better="lower")]}),
        "other": result({"ours": [figure(0.75)]}, protocol="q" * 64),
    }
    for name, one in found.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(one))
    return [str(tmp_path / f"{name}.json") for name in found]


def test_one_protocol_is_one_table_with_intervals(
    results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *results[:2]]) == 0
    about, head, *rows = capsys.readouterr().out.splitlines()
    assert about == "protocol toy (pppppppp), 4 clips of the split test of shards"
    assert head.split() == ["method", "R@1", "↑", "FID", "↓"]
    assert rows[0].split() == ["ours", "0.500", "[0.400,", "0.600]", "30.00", "[29.90,", "30.10]"]
    assert rows[1].startswith("theirs_")


def test_two_protocols_are_two_tables_and_that_is_said(
    results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *results]) == 0
    text = capsys.readouterr().out
    assert text.startswith("2 protocols or sets of clips among the results: their figures do not compare\n")
    assert text.count("R@1 ↑") == 2


def test_published_figures_stand_apart_with_their_source(
    results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", results[0], "--published"]) == 0
    ours, published = capsys.readouterr().out.split("published: ")
    assert "Sound2Scene" not in ours
    assert "CVPR 2023, Figure 3" in published
    assert "0.776" in published


def test_differences_are_told_to_the_base(results: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *results[:2], "--base", "ours"]) == 0
    text = capsys.readouterr().out
    assert "difference to ours on the same clips" in text
    assert "-0.250 [-0.250, -0.250], p = 0.500" in text


@pytest.mark.parametrize("suffix", [".md", ".csv", ".tex"])
def test_the_tables_are_written_too(results: list[str], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "tables" / f"both{suffix}"
    assert main(["compare", *results[:2], "-o", str(path)]) == 0
    text = path.read_text()
    if suffix == ".csv":
        head, first, _ = csv.reader(text.splitlines())
        assert (head[1], first[1], first[3]) == ("method", "ours", "30.00 [29.90, 30.10]")
    elif suffix == ".tex":
        assert r"theirs\_ & 0.250 [0.150, 0.350] & 60.00 [59.90, 60.10] \\" in text
        assert r"FID $\downarrow$" in text
    else:
        assert "| ours | 0.500 [0.400, 0.600] | 30.00 [29.90, 30.10] |" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.json"], "nothing.json: missing; evaluate again"),
        (["a.json", "-o", "table.doc"], "--output table.doc: ends in none of .md, .csv, .tex"),
        (["a.json", "--base", "nobody"], "--base nobody: no such method; choose one of ours"),
    ],
)
def test_bad_orders_get_one_line(
    results: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_damaged_result_is_named_with_its_key(
    results: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(Path(results[0]).read_text())
    found["methods"][0]["figures"][0]["value"] = "high"
    Path(results[0]).write_text(json.dumps(found))
    assert main(["compare", results[0]]) == 2
    assert (
        f"{results[0]}: Expected `float`, got `str` - at `$.methods[0].figures[0].value`"
        in capsys.readouterr().err
    )
