import json
from pathlib import Path

import pytest

from sound2scene.commands.control_score_record import Source, read_record, write_record
from sound2scene.control.score_bench import Course, Extent, Figure, Part
from sound2scene.control.score_clips import ToyClips
from sound2scene.metrics.intervals import Estimate
from sound2scene.types import InputError

PART = Part(
    [Figure("one", "a claim", "of this", Estimate(0.5, 0.4, 0.6, 8), None)],
    [Course("over", "gain", (-1, 1), {"size": [0.1, 0.2]})],
)


def test_what_is_written_is_read_again(tones: Path, tmp_path: Path) -> None:
    source = Source(str(tones), ToyClips(str(tones), "test", 4))
    made_with = {"reader": ("here", "0" * 64)}, "cpu"
    write_record(tmp_path, source, Extent(), PART, made_with)
    found = read_record(tmp_path)
    assert found["figures"][0]["value"] == 0.5
    assert found["figures"][0]["without"] is None
    assert found["courses"] == [
        {"name": "over", "over": "gain", "at": [-1, 1], "lines": {"size": [0.1, 0.2]}}
    ]
    assert found["source"]["single"] == 4
    assert found["networks"]["reader"]["folder"] == "here"
    assert found["extent"]["gains_db"] == [-12, -8, -4, 0, 4, 8, 12]


@pytest.mark.parametrize("damage", [{"figures": 3}, {"format": 99}, {"source": None}])
def test_a_damaged_record_is_refused_in_one_line(
    damage: dict[str, object], tones: Path, tmp_path: Path
) -> None:
    source = Source(str(tones), ToyClips(str(tones), "test", 4))
    write_record(tmp_path, source, Extent(), PART, ({}, "cpu"))
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(InputError, match=r"scores\.json: ") as found:
        read_record(path)
    assert "\n" not in str(found.value)
