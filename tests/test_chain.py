"""Each stage eats the artifact of the one before, through the public command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sound2scene import artifacts
from sound2scene.models.image_encoder import ImageEncoder

REPOSITORY = Path(__file__).resolve().parents[1]
EXPERIMENTS = REPOSITORY / "experiments"


def run(folder: Path, *arguments: str) -> str:
    """A command in a folder of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "sound2scene.cli", *arguments],
        cwd=folder, env=os.environ | {"WANDB_MODE": "offline"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def fit(folder: Path, recipe: str, *more: str) -> str:
    configs = ["-c", str(EXPERIMENTS / "trainer.yaml"), "-c", str(EXPERIMENTS / recipe)]
    return run(folder, "fit", *configs, "--trainer.enable_progress_bar", "false", *more)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_toy_chain_at_reduced_length_beats_chance_four_times_over(tmp_path: Path) -> None:
    sizes = ["--train", "384", "--val", "64", "--test", "16", "--mixed", "2"]
    run(tmp_path, "prepare", "toy", "-o", "data/toy/shards", *sizes)
    few = ["--data.init_args.train_clips", "384"]
    fit(tmp_path, "encoder/toy.yaml", *few, "--trainer.max_epochs", "12")
    encoder = artifacts.read_card(tmp_path / "artifacts/toy/image-encoder")
    assert encoder.metrics["val/neighbour_accuracy"] >= 3 / 8
    printed = fit(tmp_path, "align/toy.yaml", *few, "--trainer.max_epochs", "6", "--model.init_args.warmup_steps", "5")
    assert "class, audio to image" in printed
    audio = artifacts.read_card(tmp_path / "artifacts/toy/audio-encoder")
    assert audio.metrics["val/class/audio_to_image/recall_at_1"] >= 4 / 8
    (pictures,) = tmp_path.glob("runs/align/toy/version_0")
    assert {"reals.png", "retrieval.png", "curves.png", "table.md"} <= {path.name for path in pictures.iterdir()}


@pytest.mark.slow
def test_the_published_setting_runs_on_the_four_published_pairs(real_data: Path, tmp_path: Path) -> None:
    encoder = artifacts.save(
        ImageEncoder(), tmp_path / "artifacts/swav", card={"kind": "image-encoder", "preset": "squeeze"}
    )
    assert artifacts.load(encoder).z_dim == 2048
    source = str(real_data / "vggsound_samples" / "training")
    printed = fit(tmp_path, "align/vggsound_samples.yaml", "--data.init_args.source", source)
    assert "instance, audio to image" in printed
