import json
from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.data.selection.file import Selection


def test_published_moments_come_in_and_go_out_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = [{}, {"9fhhMaXTraI_44000_54000": [47, 46, 45], "_-abcdefghi_0_10000": [1, 100]}]
    (tmp_path / "top1_boxes_top10_moments.json").write_text(json.dumps(published))
    source, chosen = tmp_path / "top1_boxes_top10_moments.json", tmp_path / "selection.json"
    assert cli.main(["moments", "import", str(source), "-o", str(chosen)]) == 0
    assert "moments of 2 videos" in capsys.readouterr().out
    assert Selection.load(chosen).videos["9fhhMaXTraI_44000_54000"].moments_s == (4.6, 4.5, 4.4)
    for layout, expected in (("list", published), ("mapping", published[1])):
        assert (
            cli.main(["moments", "export", str(chosen), "-o", str(tmp_path / "out.json"), "--layout", layout])
            == 0
        )
        assert json.loads((tmp_path / "out.json").read_text()) == expected


def test_select_without_a_localizer_says_which_artifact_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    given = ["select", str(tmp_path), "-o", str(tmp_path / "s.json"), "--localizer", str(tmp_path / "none")]
    assert cli.main(given) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert f"{tmp_path / 'none'}: no artifact" in line
    assert not (tmp_path / "s.json").exists()


def test_a_folder_of_broken_videos_selects_nothing_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    given = ["select", str(tmp_path), "-o", str(tmp_path / "s.json"), "--scorer", "middle", "--workers", "0"]
    assert cli.main([*given, "--accelerator", "cpu", "--devices", "1"]) == 1
    assert "0 videos with moments, 1 rejected (undecodable 1)" in capsys.readouterr().out


def test_download_without_its_table_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        "download",
        "vggsound",
        "--csv",
        str(tmp_path / "none.csv"),
        "--videos",
        str(tmp_path / "videos"),
    ]
    assert cli.main(given) == 2
    assert f"{tmp_path / 'none.csv'}: cannot be read" in capsys.readouterr().err
