from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.commands.verify import describe


def test_a_missing_dataset_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["verify", str(tmp_path / "nothing")]) == 2
    assert f"sound2scene: {tmp_path / 'nothing'}: no dataset.json there" in capsys.readouterr().err


def test_a_sound_dataset_is_counted_and_status_0(
    tiny_shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", str(tiny_shards)]) == 0
    counts = "train 18 clips (0 rejected), val 9 clips (0 rejected), test 9 clips (0 rejected)"
    assert describe(tiny_shards) == counts
    assert capsys.readouterr().out == f"{tiny_shards}: {counts}; 0 problems\n"
