from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.commands.recipes import entries, table

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
STAGES = sorted({name.partition("/")[0] for name in entries()})


def test_every_recipe_of_every_stage_is_listed_with_its_question() -> None:
    files = {f"{path.parent.name}/{path.stem}" for path in EXPERIMENTS.glob("*/*.yaml")}
    files = {name for name in files if not name.startswith(("sweeps/", "protocols/"))}
    assert set(entries()) == files
    assert all(entry["question"] for entry in entries().values())


@pytest.mark.parametrize("stage", STAGES)
def test_the_table_of_a_page_is_the_one_that_the_command_prints(
    stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["recipes", stage, "--form", "markdown"]) == 0
    page = (EXPERIMENTS / stage / "README.md").read_text()
    start = page.index("| recipe |")
    written = page[start : page.find("\n\n", start) + 1] or page[start:]
    assert written == capsys.readouterr().out


def test_a_recipe_is_listed_with_what_it_needs_and_the_figure_to_expect_from_any_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["recipes", "align/toy", "localizer"]) == 0
    told = capsys.readouterr().out
    assert "needs: gan/toy" in told
    assert "expected: class recall at 1: 0.984" in told
    assert "encoder/toy" not in told
    assert "](" not in told
    assert "`" not in told


def test_what_is_no_recipe_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recipes", "nonsense"]) == 2
    assert "name one of localizer, encoder" in capsys.readouterr().err


def test_a_table_has_a_dash_for_what_is_not_known_and_no_columns_of_dashes_alone() -> None:
    found = {"a/b": {"question": "why?"}, "a/c": {"question": "how?", "needs": "time"}}
    head, _, first, second = table(found).splitlines()
    assert head == "| recipe | question | command | needs | expected | last verified |"
    dash = "\N{EN DASH}"
    assert first == f"| `a/b` | why? | {dash} | {dash} | {dash} | {dash} |"
    assert second == f"| `a/c` | how? | {dash} | time | {dash} | {dash} |"
    assert table({"a/b": found["a/b"]}).splitlines()[0] == "| recipe | question |"
