import json
import subprocess
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from sound2scene.callbacks.provenance import Provenance
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.shards.read import Folder
from tiny import counted, tiny_stage

REPOSITORY = Path(__file__).resolve().parents[2]


class FilesAtTheFirstStep(pl.Callback):
    """Looks into the run folder before anything is learned."""

    def on_train_batch_start(self, trainer: pl.Trainer, *rest: object) -> None:
        if trainer.global_step == 0:
            self.names = {path.name for path in Path(str(trainer.log_dir)).iterdir()}


def test_provenance_lies_in_the_run_folder_before_the_first_step_and_names_commit_versions_and_data(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 40}})
    looked = FilesAtTheFirstStep()
    trainer = pl.Trainer(
        max_steps=1,
        accelerator="cpu",
        devices=1,
        logger=CSVLogger(tmp_path, "run"),
        limit_val_batches=0,
        callbacks=[Provenance("seed_everything: 7\n", {"seed_everything": 7}), looked],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    data = ClipDataModule(str(shards), batch_size=6, workers=0)
    trainer.fit(tiny_stage(tiny_image_encoder, tmp_path / "features"), data)
    assert {"recipe.yaml", "provenance.json"} <= looked.names
    folder = Path(str(trainer.log_dir))
    assert (folder / "recipe.yaml").read_text() == "seed_everything: 7\n"
    about = json.loads((folder / "provenance.json").read_text())
    assert about["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert about["coverage"] == {"train": {"found": 30, "expected": 40, "clips": 27}}
    assert about["data"]["train"] == Folder(tiny_shards).card["splits"]["train"]["fingerprint"]
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if head.returncode:
        pytest.skip("the tests do not run in a checkout")
    assert about["commit"] == head.stdout.strip()
