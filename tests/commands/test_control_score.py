import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from controlling import Trio, trio
from scoring import tiny_reader, tone_shards
from sound2scene import cli
from sound2scene.commands.control_score import row_of
from sound2scene.control.score_bench import Figure
from sound2scene.metrics.intervals import Estimate


class Scored(NamedTuple):
    """A folder of figures, and what the command said."""

    folder: Path
    status: int
    out: str
    err: str


def words(networks: Trio, reader: Path, shards: Path, folder: Path, *more: str) -> list[str]:
    named = [*networks.options(*Trio._fields), "--reader", str(reader), "--device", "cpu"]
    return ["control-score", "--data", str(shards), "-o", str(folder), *named, *more]


@pytest.fixture(scope="module")
def tools(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trio, Path, Path]:
    """Networks, a reader, and shards of which one clip is silent."""
    folder = tmp_path_factory.mktemp("tools")
    shards = tone_shards(folder / "shards", single=4, double=2, silent=1)
    return trio(folder, tiny_image_encoder), tiny_reader(folder / "reader"), shards


@pytest.fixture(scope="module")
def scored(tools: tuple[Trio, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp("scored") / "out"
    quick = ["--clips", "3", "--inverted", "2", "--inversion-steps", "2"]
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        status = cli.main(words(*tools, folder, *quick))
    return Scored(folder, status, out.getvalue(), err.getvalue())


def test_every_figure_is_in_the_record_and_in_the_table(scored: Scored) -> None:
    record = json.loads((scored.folder / "scores.json").read_text())
    assert record["operation"] == "control-score"
    assert (record["source"]["single"], record["source"]["double"]) == (2, 2)
    assert set(record["networks"]) == {"audio_encoder", "generator", "image_encoder", "reader"}
    assert record["extent"]["effort"]["steps"] == 2
    rows = (scored.folder / "scores.md").read_text().splitlines()[2:]
    assert len(rows) == len(record["figures"])
    for row, figure in zip(rows, record["figures"], strict=True):
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert (
            f"| {figure['value']:.3f} | {figure['low']:.3f} to {figure['high']:.3f} | {figure['n']} |" in row
        )
    edit = next(figure for figure in record["figures"] if figure["name"] == "edit_moved_right")
    assert edit["n"] == 2


def test_the_claims_are_printed_side_by_side_with_what_no_effect_gives(scored: Scored) -> None:
    head, *rows = scored.out.splitlines()
    assert head.split("  ")[0] == "claim"
    for claim in ("sound finds its scene", "louder is bigger", "two sounds, both there", "editing keeps"):
        assert any(row.startswith(claim) for row in rows)
    assert any(row.startswith("louder is bigger") and "0 (size knows nothing of gain)" in row for row in rows)


def test_a_clip_that_cannot_be_used_gets_one_line_and_the_rest_is_measured(scored: Scored) -> None:
    assert scored.status == 1
    told = [line for line in scored.err.splitlines() if line.startswith("sound2scene: ")]
    assert len(told) == 1
    assert "silent, so that nothing can be heard in it" in told[0]
    (left_out,) = json.loads((scored.folder / "scores.json").read_text())["left_out"]
    assert told[0] == f"sound2scene: {left_out['reason']}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--split", "tset"], "no split 'tset'"),
        (["--reader", "nowhere"], "nowhere"),
        (["--clips", "1"], "--clips: must be between 2 and"),
        (["--data", "nowhere"], "nowhere: no dataset.json there"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    change: list[str],
    message: str,
    tools: tuple[Trio, Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(words(*tools, tmp_path / "out", *change)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_figure_that_falls_short_is_a_row_like_any_other() -> None:
    short = Figure("a", "louder is bigger", "rank", Estimate(0.1, -0.05, 0.25, 9), 0.0, "no effect")
    assert row_of(short) == [
        "louder is bigger",
        "rank",
        "0.100",
        "-0.050 to 0.250",
        "9",
        "0 (no effect)",
    ]
    assert row_of(short._replace(without=None))[-1] == ""
