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
        cwd=folder,
        env=os.environ | {"WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def fit(folder: Path, recipe: str, *more: str) -> str:
    configs = ["-c", str(EXPERIMENTS / "trainer.yaml"), "-c", str(EXPERIMENTS / recipe)]
    return run(folder, "fit", *configs, "--trainer.enable_progress_bar", "false", *more)


TOY = "experiments/artifacts/toy"


def figure(folder: Path, name: str, start: str) -> float:
    """A figure of an artifact's card, by its name, or by the beginning of it up to a slash."""
    metrics = artifacts.read_card(folder / name).metrics
    (found,) = [
        value
        for key, value in metrics.items()
        if key == start or (start[-1] == "/" and key.startswith(start))
    ]
    return found


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_toy_chain_rebuilt_at_reduced_length_learns_at_every_stage(tmp_path: Path) -> None:
    sizes = ["--train", "384", "--val", "64", "--test", "16", "--mixed", "0.25"]
    run(tmp_path, "prepare", "toy", "-o", "data/toy/shards-true", *sizes)
    fit(tmp_path, "localizer/toy.yaml", "--trainer.max_epochs", "8")
    assert figure(tmp_path, f"{TOY}/localizer", "val/top1_inside") >= 0.8
    localizer = ["--frame", "localizer", "--localizer", f"{TOY}/localizer"]
    run(tmp_path, "prepare", "toy", "-o", "data/toy/shards-localizer", *localizer, *sizes)
    few = ["--data.init_args.train_clips", "384"]
    fit(tmp_path, "encoder/toy.yaml", *few, "--trainer.max_epochs", "24")
    assert figure(tmp_path, f"{TOY}/image-encoder", "val/neighbour_accuracy") >= 3 / 8
    fit(tmp_path, "judge/toy.yaml", *few, "--trainer.max_epochs", "20")
    assert figure(tmp_path, f"{TOY}/judge", "val/accuracy") >= 6 / 8
    one_step = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
    fit(tmp_path, "gan/toy.yaml", *few, *one_step, "--trainer.check_val_every_n_epoch", "1")
    untrained = figure(tmp_path, f"{TOY}/generator", "val/fid/")
    fit(tmp_path, "gan/toy.yaml", *few, "--trainer.max_epochs", "30")
    assert figure(tmp_path, f"{TOY}/generator", "val/fid/") < untrained / 2
    shorter = ["--trainer.max_epochs", "6", "--model.init_args.schedule.init_args.warmup_steps", "5"]
    printed = fit(tmp_path, "align/toy.yaml", *few, *shorter)
    assert "class, audio to image" in printed
    assert figure(tmp_path, "artifacts/toy/audio-encoder", "val/class/audio_to_image/recall_at_1") >= 3 / 8
    (pictures,) = tmp_path.glob("runs/align/toy/version_0")
    expected = {"reals.png", "retrieval.png", "generated.png", "curves.png", "table.md"}
    assert expected <= {path.name for path in pictures.iterdir()}
    sound = min(tmp_path.glob("data/toy/videos/test/*.mp4"))
    run(tmp_path, "generate", str(sound), "-o", "drawn", "-n", "2")  # a video's sound is a sound
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {f"{sound.stem}.png", "grid.png"}


def test_the_artifacts_in_git_fit_together_and_are_small() -> None:
    toy = EXPERIMENTS / "artifacts" / "toy"
    encoder, generator = artifacts.read_card(toy / "image-encoder"), artifacts.read_card(toy / "generator")
    artifacts.check_pair(generator, encoder.fingerprint, toy / "generator")
    assert artifacts.load(toy / "image-encoder").z_dim == artifacts.load(toy / "generator").z_image_dim
    assert figure(toy, "image-encoder", "val/neighbour_accuracy") >= 0.95
    assert figure(toy, "judge", "val/accuracy") >= 0.97
    assert figure(toy, "generator", "val/fid/") <= figure(toy, "generator", "val/fid_of_class_means/") / 2
    assert figure(toy, "generator", "val/inception_score/") > 0.6 * 8
    assert figure(toy, "localizer", "val/top1_inside") >= 0.9
    assert figure(toy, "localizer", "val/ciou_at_50") >= 0.6
    for name in ("image-encoder", "generator", "judge", "localizer"):
        assert sum(path.stat().st_size for path in (toy / name).iterdir()) < 5_000_000
        assert artifacts.load(toy / name) is not None  # weights and card belong together


@pytest.mark.slow
def test_the_published_setting_runs_on_the_four_published_pairs(real_data: Path, tmp_path: Path) -> None:
    encoder = artifacts.save(
        ImageEncoder(), tmp_path / "artifacts/swav", card={"kind": "image-encoder", "preset": "squeeze"}
    )
    assert artifacts.load(encoder).z_dim == 2048
    source = str(real_data / "vggsound_samples" / "training")
    printed = fit(tmp_path, "align/vggsound_samples.yaml", "--data.init_args.source", source)
    assert "instance, audio to image" in printed
