import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from sound2scene import artifacts
from sound2scene.published.hub_folder import write_hub_folder
from sound2scene.types import InputError


def changed(artifact: Path, folder: Path, **entries: object) -> Path:
    """A copy of an artifact with other entries on its card."""
    shutil.copytree(artifact, folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | entries))
    return folder


def test_the_page_has_a_head_for_the_hub_and_tells_data_figures_licence_and_origin(
    tiny_image_encoder: Path, tmp_path: Path
) -> None:
    notes = {"data": "vggsound", "coverage": {"train": {"clips": 7, "expected": 9}}}
    stated = {"licence": "CC BY-NC 4.0", "notes": notes, "commit": "abc123", "preset": "small64"}
    artifact = changed(tiny_image_encoder, tmp_path / "artifact", **stated)
    written = write_hub_folder(artifact, tmp_path / "out" / "net", "| figure | value |")
    _, head, page = (written / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "sound2scene"
    assert yaml.safe_load(head)["license"] == "other"
    for told in (
        "# net\n",
        "Trained on: vggsound.",
        "| train | 7 | 9 |",
        "| figure | value |",
        "CC BY-NC 4.0",
        "`abc123`",
        "`small64`",
    ):
        assert told in page


def test_what_is_written_is_an_artifact_again(tiny_image_encoder: Path, tmp_path: Path) -> None:
    written = write_hub_folder(tiny_image_encoder, tmp_path / "net")
    assert {path.name for path in written.iterdir()} == {"README.md", "card.json", "model.safetensors"}
    assert (
        artifacts.fingerprint(artifacts.load(written)) == artifacts.read_card(tiny_image_encoder).fingerprint
    )
    assert "None are stated." in (written / "README.md").read_text()
    copied = artifacts.copy(written, tmp_path / "again")
    assert (copied / "weights.safetensors").read_bytes() == (written / "model.safetensors").read_bytes()


def test_a_folder_that_is_there_stays_as_it_is(tiny_image_encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="net: is there already; choose a new folder"):
        write_hub_folder(tiny_image_encoder, tmp_path / "net")
    assert os.listdir(tmp_path / "net") == ["mine.txt"]


def test_a_damaged_artifact_goes_nowhere_and_leaves_nothing(tiny_image_encoder: Path, tmp_path: Path) -> None:
    artifact = changed(tiny_image_encoder, tmp_path / "artifact", fingerprint="0" * 64)
    with pytest.raises(InputError, match="fingerprints differ"):
        write_hub_folder(artifact, tmp_path / "net")
    assert os.listdir(tmp_path) == ["artifact"]
