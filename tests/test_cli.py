import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

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
    for command in ("fit", "validate", "test", "predict", "prepare", "verify", "import", "doctor"):
        assert f"    {command}" in printed


def test_an_unknown_command_is_refused_with_status_2() -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["fitt"])
    assert stopped.value.code == 2


def test_a_misspelt_recipe_key_is_refused_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    message = fails_in_one_line(capsys, "fit", "-c", str(TRAINER), "-c", str(TOY), "--model.init_args.warmup_stepz=3")
    assert "warmup_stepz" in message


def test_a_missing_dataset_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert str(tmp_path / "nothing") in fails_in_one_line(capsys, "verify", str(tmp_path / "nothing"))


def test_prepare_folder_prints_its_clips_and_the_rejected_ones(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for sub in ("images", "audios"):
        (tmp_path / "pairs" / sub).mkdir(parents=True)
    for number in range(4):
        Image.new("RGB", (16, 16), (number * 50, 0, 0)).save(tmp_path / f"pairs/images/{number}.jpg")
        soundfile.write(tmp_path / f"pairs/audios/{number}.wav", np.full(1600, 0.1), 16_000)
    (tmp_path / "pairs/audios/3.wav").write_text("this is a text")
    given = ["prepare", "folder", str(tmp_path / "pairs"), "-o", str(tmp_path / "shards"), "--val-share", "0"]
    assert cli.main(given) == 0
    assert "train 3 clips (1 rejected: 1 unreadable)" in capsys.readouterr().out
    assert cli.main(["verify", str(tmp_path / "shards")]) == 0
    (tmp_path / "shards/train/000000.tar").unlink()
    assert cli.main(["verify", str(tmp_path / "shards")]) == 1
