import json
from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.data.selection.file import Selection


def test_published_moments_come_in_and_go_out_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = [{}, {"9fhhMaXTraI_44000_54000": [47, 46, 45], "_-abcdefghi_0_10000": [1, 100]}]
    source, chosen, out = (tmp_path / name for name in ("top1.json", "selection.json", "out.json"))
    source.write_text(json.dumps(published))
    assert cli.main(["moments", "import", str(source), "-o", str(chosen)]) == 0
    assert "moments of 2 videos" in capsys.readouterr().out
    assert Selection.load(chosen).videos["9fhhMaXTraI_44000_54000"].moments_s == (4.6, 4.5, 4.4)
    for layout, expected in (("list", published), ("mapping", published[1])):
        assert cli.main(["moments", "export", str(chosen), "-o", str(out), "--layout", layout]) == 0
        assert json.loads(out.read_text()) == expected
