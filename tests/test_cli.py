import subprocess
import sys
from pathlib import Path

import pytest

from sound2scene import cli

TRAINER = Path(__file__).resolve().parents[1] / "experiments" / "trainer.yaml"
TOY = TRAINER.parent / "align" / "toy.yaml"


def fails_in_one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that has to fail as a user's error; its message."""
    assert cli.main(list(arguments)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert len(lines) == 1
    return lines[0]


def test_help_lists_every_command_and_imports_no_torch() -> None:
    code = "import sys; from sound2scene import cli; cli.main([]); print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "False"
    commands = "fit validate test predict prepare verify download select moments generate import doctor"
    for command in commands.split():
        assert f"    {command}" in printed


def test_an_unknown_command_is_refused_with_status_2() -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["fitt"])
    assert stopped.value.code == 2


def test_a_misspelt_recipe_key_is_refused_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    message = fails_in_one_line(
        capsys, "fit", "-c", str(TRAINER), "-c", str(TOY), "--model.init_args.warmup_stepz=3"
    )
    assert "warmup_stepz" in message
