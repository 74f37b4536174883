import json
from pathlib import Path

import pytest

from sound2scene.commands.control_record import FORMAT, RECORD, Made, read_record, write_record
from sound2scene.commands.picture_record import Network, Unreadable
from sound2scene.types import InputError

MADE = Made("mix", 3, 4, 0.5, {"a": [1.0, 0.5], "normalise": False, "device": None}, "cpu", {})


def written(folder: Path) -> Path:
    made = MADE._replace(networks={"generator": Network(folder="g", fingerprint="b" * 64)})
    bad = [Unreadable(file="a.wav", reason="no sound")]
    write_record(folder, made, "latents.safetensors", ["mix.png"], [], bad)
    return folder / RECORD


def test_what_is_written_is_read_from_the_file_or_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path)
    record = read_record(tmp_path)
    assert record == read_record(path)
    assert record["format"] == FORMAT
    assert (record["operation"], record["settings"]) == ("mix", MADE.settings)
    assert record["noise"]["seed"] == 3
    assert record["noise"]["truncation"] == 0.5
    assert record["networks"]["generator"]["folder"] == "g"


@pytest.mark.parametrize("damage", [{"rows": 3}, {"format": 99}, {"noise": {"seed": -1}}, {"latents": None}])
def test_a_damaged_record_is_one_line(tmp_path: Path, damage: dict[str, object]) -> None:
    path = written(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(InputError, match=r"control\.json: .*make the pictures anew"):
        read_record(path)
