from pathlib import Path

import pytest

from sound2scene import artifacts, cli, defaults
from sound2scene.callbacks import table


def test_an_artifact_is_written_with_the_figures_of_its_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "judge"
    assert cli.main(["export", JUDGE, "--to", "hf-folder", "-o", str(folder)]) == 0
    figures = table.markdown(table.rows_of(artifacts.read_card(JUDGE).metrics))
    assert "| accuracy |" in figures
    assert figures in (folder / "README.md").read_text()
    assert f"hf upload OWNER/judge {folder}" in capsys.readouterr().out


def test_what_is_no_artifact_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 2
    assert "no artifact" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


JUDGE = str(Path(defaults.GENERATOR).with_name("judge"))
