from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from drawing import tiny_data, tiny_gan, tiny_generator, tiny_judge, tiny_trainer
from sound2scene.callbacks import sample_grid
from sound2scene.callbacks.generation_metrics import GenerationMetrics
from sound2scene.callbacks.sample_grid import SampleGrid
from tiny import tiny_stage


def pixels(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(Image.open(path).convert("RGB"))


def test_first_fakes_come_before_the_first_step_and_the_same_latents_after_each_validation(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, list[int], torch.Tensor]] = []
    plain = sample_grid.draw_grid

    def spy(
        shards: Any, positions: list[int], drawn_BJCHW: torch.Tensor, path: Path, *rest: Any, **more: Any
    ) -> None:
        shown.append((path.name, positions, drawn_BJCHW))
        plain(shards, positions, drawn_BJCHW, path, *rest, **more)

    monkeypatch.setattr(sample_grid, "draw_grid", spy)
    stage = tiny_gan(tiny_image_encoder, tmp_path / "features")
    metrics = GenerationMetrics(str(tiny_judge(tmp_path / "judge")), splits=1, cache=str(tmp_path / "cache"))
    grid = SampleGrid("val/generation_score", rows=3, draws=2)
    run = tiny_trainer(tmp_path, callbacks=[metrics, grid], logger=CSVLogger(tmp_path, "run"), max_epochs=2)
    first = stage.average.module.linear.weight.detach().clone()
    run.fit(stage, tiny_data(tiny_shards))
    folder = Path(str(run.log_dir))
    names = {"step_0000000.png", "step_0000003.png", "step_0000006.png"}
    assert {path.name for path in (folder / "samples").iterdir()} == names
    assert [name for name, _, _ in shown if name.startswith("step")] == sorted(names)
    assert all(positions == [0, 1, 2] for _, positions, _ in shown)  # one of each class
    begin, end = shown[0][2], next(drawn for name, _, drawn in shown if name == "step_0000006.png")
    assert begin.shape == (3, 2, 3, 32, 32)
    assert begin.dtype == torch.uint8
    assert not torch.equal(begin, end)  # the generator has learned
    assert not torch.equal(begin[:, 0], begin[:, 1])  # draws have noise of their own
    assert (folder / "generated.png").exists()
    assert not torch.equal(first, stage.average.module.linear.weight)
    # The last grid again, from the same clips, noise and weights.
    batch = tiny_data(tiny_shards)
    batch.features = run.datamodule.features  # type: ignore[attr-defined]
    again = sample_grid.images.to_pixel(stage.sample(batch.examples("val", [0, 1, 2]), 1))
    assert torch.equal(again, end[:, 1])


def test_an_alignments_grid_shows_the_sounds_too(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    stage = tiny_stage(tiny_image_encoder, tmp_path / "features", generator=str(generator))
    grid = SampleGrid("val/recall", rows=2, draws=3)
    logger = CSVLogger(tmp_path, "run")
    run = tiny_trainer(tmp_path, callbacks=[grid], logger=logger, limit_train_batches=1)
    run.fit(stage, tiny_data(tiny_shards, read=["waveform"]))
    picture = pixels(Path(str(run.log_dir)) / "generated.png")
    assert picture.std() > 10
    # two rows of five panels: sound, real, three generated
    assert picture.shape[1] > 2 * picture.shape[0]


def test_a_dry_run_writes_nothing(tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path) -> None:
    stage = tiny_gan(tiny_image_encoder, tmp_path / "features")
    metrics = GenerationMetrics(str(tiny_judge(tmp_path / "judge")), splits=1, cache=str(tmp_path / "cache"))
    grid = SampleGrid("val/generation_score")
    run = tiny_trainer(
        tmp_path, callbacks=[metrics, grid], logger=CSVLogger(tmp_path, "run"), fast_dev_run=True
    )
    run.fit(stage, tiny_data(tiny_shards))
    assert not list(tmp_path.rglob("*.png"))
