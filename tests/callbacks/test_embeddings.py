from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from drawing import pair_data
from sound2scene.callbacks.embeddings import EmbeddingWriter
from sound2scene.data.shards.read import ShardDataset
from tiny import Z_DIM, tiny_stage


@pytest.fixture(scope="module")
def predicted(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pl.LightningModule]:
    """A folder in which the same stage predicted twice."""
    folder = tmp_path_factory.mktemp("predict")
    stage = tiny_stage()
    trainer = pl.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        callbacks=[EmbeddingWriter()],
        enable_progress_bar=False,
        use_distributed_sampler=False,
    )
    for _ in range(2):
        data = pair_data(tiny_shards, tiny_image_encoder, folder / "features", batch_size=4)
        trainer.predict(stage, data, return_predictions=False)
    return folder, stage


@pytest.mark.slow
def test_every_held_out_clip_is_there_once_however_often_it_was_predicted(
    predicted: tuple[Path, pl.LightningModule], tiny_shards: Path
) -> None:
    with np.load(predicted[0] / "embeddings_0.npz") as found:  # without pickle
        keys = found["key"].tolist()
    shards = ShardDataset(tiny_shards, "val")
    assert keys == [shards.key(position) for position in range(len(shards))]


def test_each_row_is_the_latent_of_its_clip(
    predicted: tuple[Path, pl.LightningModule], tiny_shards: Path
) -> None:
    folder, stage = predicted
    shards = ShardDataset(tiny_shards, "val")
    stage.eval()
    with np.load(folder / "embeddings_0.npz") as found, torch.no_grad():
        assert found["z_audio"].shape == (len(shards), Z_DIM)
        for position, row in enumerate(found["z_audio"]):
            expected = stage(torch.from_numpy(shards.waveform(position))[None])[0]
            np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


def test_nothing_half_written_remains(predicted: tuple[Path, pl.LightningModule]) -> None:
    assert {path.name for path in predicted[0].iterdir()} == {"embeddings_0.npz", "features"}
