import json
from pathlib import Path

import pytest

import drawn_copies
from sound2scene import cli
from sound2scene.data.hygiene import read_hygiene
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.data.shards.verify import verify
from sound2scene.data.shards.write import Plan, write_dataset


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copies") / "shards"
    return write_dataset(folder, drawn_copies.jobs(), drawn_copies.draw, Plan("copies", workers=1))


@pytest.mark.costly
def test_a_split_is_looked_at_its_clips_are_counted_and_left_out(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed, clean = tmp_path / "hygiene.json", tmp_path / "clean"
    assert cli.main(["hygiene", str(shards), "-o", str(listed)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "test: 5 of 7 clips to leave out beside train (3)",
        "- 2 same picture",
        "- 2 same sound",
        "- 1 same video",
        "- 1 silent",
        "- still: not looked for; no folder of videos was named (--videos)",
        f"{listed}: lists them",
    ]
    assert cli.main(["prepare", "clean", str(shards), "--leave-out", str(listed), "-o", str(clean)]) == 0
    kept = ShardDataset(clean, "test")
    assert {kept.key(position) for position in range(len(kept))} == {"new", "new-again"}
    assert verify(clean) == []
    counts = {"same_picture": 2, "same_sound": 2, "same_video": 1, "silent": 1}
    assert Folder(clean).notes["left_out"] == {"test": counts}
    report = json.loads((clean / "report.json").read_text())
    assert sum(found["count"] for found in report["splits"]["test"]["rejected"].values()) == 5


def test_what_was_found_elsewhere_is_refused(
    shards: Path, tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "hygiene.json"
    assert cli.main(["hygiene", str(shards), "-o", str(listed)]) == 0
    asked = ["prepare", "clean", str(tiny_shards), "--leave-out", str(listed), "-o", str(tmp_path / "clean")]
    assert cli.main(asked) == 2
    assert "its split test is not the one in which clips to leave out were found" in capsys.readouterr().err
    assert not (tmp_path / "clean").exists()


def test_other_splits_may_be_compared(shards: Path, tmp_path: Path) -> None:
    asked = ["hygiene", str(shards), "-o", str(tmp_path / "h.json"), "--against", "train", "test"]
    assert cli.main(asked) == 0
    assert "new-again" in read_hygiene(tmp_path / "h.json").left_out
