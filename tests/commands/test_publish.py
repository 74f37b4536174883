from pathlib import Path

import pytest

from sound2scene import artifacts, cli
from tiny import tiny_encoder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder whose recipe names a place."""
    encoder = artifacts.load(tiny_encoder(tmp_path / "encoder", seed=1))
    recipe = {"run": {"publish": str(tmp_path / "shown")}}
    artifacts.save(encoder, tmp_path / "run" / "artifact", card={"kind": "image-encoder", "recipe": recipe})
    return tmp_path / "run"


def test_the_artifact_goes_where_the_recipe_says_and_what_was_there_is_kept(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, before = tmp_path / "shown", tmp_path / "shown.before"
    tiny_encoder(shown)
    was = artifacts.read_card(shown).fingerprint
    assert cli.main(["publish", str(run)]) == 0
    assert capsys.readouterr().out == (
        f"{shown}: published from {run / 'artifact'}; the one before is {before}\n"
    )
    assert artifacts.read_card(shown) == artifacts.read_card(run / "artifact")
    assert artifacts.read_card(before).fingerprint == was


def test_another_place_may_be_named(run: Path, tmp_path: Path) -> None:
    assert cli.main(["publish", str(run), "-o", str(tmp_path / "else" / "where")]) == 0
    assert artifacts.load(tmp_path / "else" / "where")
    assert not (tmp_path / "shown").exists()


def test_a_run_without_an_artifact_or_a_place_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["publish", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"sound2scene: {tmp_path / 'artifact'}: no artifact")
    tiny_encoder(tmp_path / "artifact")
    assert cli.main(["publish", str(tmp_path)]) == 2
    assert "names no place (run.publish); give -o FOLDER" in capsys.readouterr().err
