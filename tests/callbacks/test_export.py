from pathlib import Path

import pytest
import torch

from scripted import ScriptedStage, fit
from sound2scene import artifacts
from sound2scene.callbacks.export import ExportArtifact
from sound2scene.callbacks.improvement import Aim, Best
from sound2scene.callbacks.provenance import Origins, Provenance
from sound2scene.data.shards.read import Folder
from sound2scene.types import InputError
from tiny import NET, counted

AIM = Aim("val/score")


def test_the_artifact_is_the_best_state_bit_for_bit(tiny_shards: Path, tmp_path: Path) -> None:
    stage = ScriptedStage([0.2, 0.5, 0.3])
    export = ExportArtifact(str(tmp_path / "artifact"), Origins())
    fit(stage, tiny_shards, tmp_path, Best(AIM, [export]))
    loaded = artifacts.load(tmp_path / "artifact", kind="image-encoder").state_dict()
    first, best, last = (
        [torch.equal(state[name], loaded[name]) for name in loaded] for state in stage.states
    )
    assert all(best)
    assert not all(first)
    assert not all(last)


def test_the_card_says_what_the_network_is_and_where_it_comes_from(tiny_shards: Path, tmp_path: Path) -> None:
    stage = ScriptedStage([0.2, 0.5, 0.3], extra={"val/other": 4.0, "train/seen": 1.0})
    origins = Origins({"run": {"name": "encoder/tiny"}})
    export = ExportArtifact(str(tmp_path / "artifact"), origins, licence="CC0")
    fit(stage, tiny_shards, tmp_path, Provenance("", origins), Best(AIM, [export]))
    card = artifacts.read_card(tmp_path / "artifact")
    assert (card.kind, card.preset, card.licence) == ("image-encoder", "small64", "CC0")
    assert card.class_path == "sound2scene.models.image_encoder.ImageEncoder"
    assert card.arguments == {"backbone": "resnet18", "backbone_options": NET}
    assert card.metrics == pytest.approx({"val/score": 0.5, "val/other": 4.0})
    assert card.origin.recipe == {"run": {"name": "encoder/tiny"}}
    assert card.origin.commit == origins.commit
    data = Folder(tiny_shards).card["splits"]
    assert card.origin.data_fingerprint == data["train"]["fingerprint"] != data["val"]["fingerprint"]
    # 18 clips in batches of 6: the second epoch ends after step 6
    assert card.origin.notes == {"why": "tests", "step": 6, "epoch": 1, "data": "tiny"}


def test_the_card_says_how_much_of_its_source_the_data_covers(tiny_shards: Path, tmp_path: Path) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 183_730}})
    origins = Origins()
    export = ExportArtifact(str(tmp_path / "artifact"), origins)
    fit(ScriptedStage([0.2]), shards, tmp_path, Provenance("", origins), Best(AIM, [export]), max_epochs=1)
    covered = {"train": {"found": 30, "expected": 183_730, "clips": 27}}
    assert artifacts.read_card(tmp_path / "artifact").origin.notes["coverage"] == covered


def test_without_saying_where_it_comes_from_no_artifact_can_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="origins"):
        ExportArtifact(str(tmp_path / "artifact"))  # type: ignore[call-arg]


def test_a_folder_of_other_things_is_left_alone(tiny_shards: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    best = Best(AIM, [ExportArtifact(str(tmp_path / "mine"), Origins())])
    with pytest.raises(InputError, match="something other than an artifact"):
        fit(ScriptedStage([0.2]), tiny_shards, tmp_path, best)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


class Mute(ScriptedStage):
    """Has nothing to export."""

    exports = None  # type: ignore[assignment]


def test_a_stage_with_nothing_to_export_is_told_which_key_to_remove(
    tiny_shards: Path, tmp_path: Path
) -> None:
    best = Best(AIM, [ExportArtifact(str(tmp_path / "artifact"), Origins())])
    with pytest.raises(InputError, match=r"^Mute has nothing to export; remove run\.export$"):
        fit(Mute([0.2]), tiny_shards, tmp_path, best, max_epochs=1)


def test_only_the_first_rank_writes(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ScriptedStage([0.2])
    trainer = fit(stage, tiny_shards, tmp_path, max_epochs=1)
    monkeypatch.setattr(type(trainer), "is_global_zero", False)
    ExportArtifact(str(tmp_path / "artifact"), Origins()).improved(trainer, stage)
    assert not (tmp_path / "artifact").exists()
