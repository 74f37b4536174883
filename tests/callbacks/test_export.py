from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from scripted import ScriptedStage, fit
from sound2scene import artifacts
from sound2scene.callbacks.export import ExportArtifact
from sound2scene.types import InputError
from tiny import NET

PROVENANCE = {
    "recipe": {"run": {"name": "encoder/tiny"}},
    "commit": "1234567",
    "data": {"train": "ab", "val": "cd"},
}


class Provenance(pl.Callback):
    """What a recipe's run leaves on its Trainer."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        trainer.provenance = PROVENANCE  # type: ignore[attr-defined]


def test_the_artifact_is_the_best_state_bit_for_bit(tiny_shards: Path, tmp_path: Path) -> None:
    stage = ScriptedStage([0.2, 0.5, 0.3])
    fit(stage, tiny_shards, tmp_path, ExportArtifact(str(tmp_path / "artifact"), "val/score"))
    loaded = artifacts.load(tmp_path / "artifact", kind="image-encoder").state_dict()
    first, best, last = (
        [torch.equal(state[name], loaded[name]) for name in loaded] for state in stage.states
    )
    assert all(best)
    assert not all(first)
    assert not all(last)


def test_the_card_says_what_the_network_is_and_where_it_comes_from(tiny_shards: Path, tmp_path: Path) -> None:
    stage = ScriptedStage([0.2, 0.5, 0.3], extra={"val/other": 4.0, "train/seen": 1.0})
    export = ExportArtifact(str(tmp_path / "artifact"), "val/score", licence="CC0")
    fit(stage, tiny_shards, tmp_path, Provenance(), export)
    card = artifacts.read_card(tmp_path / "artifact")
    assert (card.kind, card.preset, card.licence) == ("image-encoder", "small64", "CC0")
    assert card.class_path == "sound2scene.models.image_encoder.ImageEncoder"
    assert card.arguments == {"backbone": "resnet18", "backbone_options": NET}
    assert card.metrics == pytest.approx({"val/score": 0.5, "val/other": 4.0})
    assert card.origin.recipe == PROVENANCE["recipe"]
    assert card.origin.commit == "1234567"
    assert card.origin.data_fingerprint == "ab"
    # 18 clips in batches of 6: the second epoch ends after step 6
    assert card.origin.notes == {"why": "tests", "step": 6, "epoch": 1}


def test_the_card_says_how_much_of_its_source_the_data_covers(
    tiny_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    covered = {"train": {"found": 20, "expected": 183_730, "clips": 18}}
    monkeypatch.setitem(PROVENANCE, "coverage", covered)
    export = ExportArtifact(str(tmp_path / "artifact"), "val/score")
    fit(ScriptedStage([0.2]), tiny_shards, tmp_path, Provenance(), export, max_epochs=1)
    assert artifacts.read_card(tmp_path / "artifact").origin.notes["coverage"] == covered


def test_a_folder_of_other_things_is_left_alone(tiny_shards: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="something other than an artifact"):
        fit(ScriptedStage([0.2]), tiny_shards, tmp_path, ExportArtifact(str(tmp_path / "mine"), "val/score"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_two_exports_keep_their_states_apart() -> None:
    keys = {ExportArtifact(folder, "val/score").state_key for folder in ("one", "two")}
    assert len(keys) == 2
