from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from scripted import ScriptedStage, fit
from sound2scene import artifacts
from sound2scene.callbacks.export import ExportArtifact
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.provenance import Origins, Provenance
from sound2scene.data.shards.read import Folder
from sound2scene.runs import Aim
from tiny import NET, counted

AIM = Aim("val/score")


def exported(
    stage: ScriptedStage, shards: Path, folder: Path, export: ExportArtifact, *more: pl.Callback
) -> None:
    """Fit for as many epochs as there are scores, into the folder `run`."""
    logger = CSVLogger(folder, "", "run")
    fit(stage, shards, folder, *more, Best(AIM, [export]), logger=logger, max_epochs=len(stage.scores))


@pytest.mark.costly
def test_the_artifact_is_the_best_state_bit_for_bit(tiny_shards: Path, tmp_path: Path) -> None:
    stage = ScriptedStage([0.2, 0.5, 0.3])
    exported(stage, tiny_shards, tmp_path, ExportArtifact(Origins()))
    loaded = artifacts.load(tmp_path / "run" / "artifact", kind="image-encoder").state_dict()
    first, best, last = (
        [torch.equal(state[name], loaded[name]) for name in loaded] for state in stage.states
    )
    assert all(best)
    assert not all(first)
    assert not all(last)


@pytest.mark.costly
def test_the_card_says_what_the_network_is_and_where_it_comes_from(tiny_shards: Path, tmp_path: Path) -> None:
    stage = ScriptedStage([0.2, 0.5, 0.3], extra={"val/other": 4.0, "train/seen": 1.0})
    origins = Origins({"run": {"name": "encoder/tiny"}})
    exported(stage, tiny_shards, tmp_path, ExportArtifact(origins, licence="CC0"), Provenance("", origins))
    card = artifacts.read_card(tmp_path / "run" / "artifact")
    assert (card.kind, card.preset, card.licence) == ("image-encoder", "small64", "CC0")
    assert card.class_path == "sound2scene.models.image_encoder.ImageEncoder"
    assert card.arguments == {"backbone": "resnet18", "backbone_options": NET}
    assert card.metrics == pytest.approx({"val/score": 0.5, "val/other": 4.0})
    assert card.origin.recipe == {"run": {"name": "encoder/tiny"}}
    assert card.origin.commit == origins.commit
    data = Folder(tiny_shards).card["splits"]
    assert card.origin.data_fingerprint == data["train"]["fingerprint"] != data["val"]["fingerprint"]
    # 18 clips in batches of 6: the second epoch ends after step 6
    held_out = {"held_out": data["val"]["fingerprint"]}
    assert card.origin.notes == {"why": "tests", "step": 6, "epoch": 1} | held_out | {"data": "tiny"}


@pytest.mark.costly
def test_the_card_says_how_much_of_its_source_the_data_covers(tiny_shards: Path, tmp_path: Path) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 183_730}})
    origins = Origins()
    exported(ScriptedStage([0.2]), shards, tmp_path, ExportArtifact(origins), Provenance("", origins))
    covered = {"train": {"found": 30, "expected": 183_730, "clips": 27}}
    assert artifacts.read_card(tmp_path / "run" / "artifact").origin.notes["coverage"] == covered


class Mute(ScriptedStage):
    """Has nothing to export."""

    exports = None  # type: ignore[assignment]


@pytest.mark.costly
def test_a_stage_with_nothing_to_export_leaves_none(tiny_shards: Path, tmp_path: Path) -> None:
    exported(Mute([0.2]), tiny_shards, tmp_path, ExportArtifact(Origins()))
    assert not (tmp_path / "run" / "artifact").exists()


def test_only_the_first_rank_writes(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ScriptedStage([0.2])
    trainer = fit(stage, tiny_shards, tmp_path, logger=CSVLogger(tmp_path, "", "run"), max_epochs=1)
    monkeypatch.setattr(type(trainer), "is_global_zero", False)
    ExportArtifact(Origins()).improved(trainer, stage)
    assert not list(tmp_path.rglob("artifact"))
