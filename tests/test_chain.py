"""Each stage eats the artifact of the one before, through the public command."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sound2scene import artifacts
from sound2scene.models.image_encoder import ImageEncoder

REPOSITORY = Path(__file__).resolve().parents[1]
EXPERIMENTS = REPOSITORY / "experiments"
SCRIPT = EXPERIMENTS / "from_nothing.sh"
METHODS = ("ours", "manifold", "s2i", "ceiling", "nearest", "shuffled", "class_mean", "real")


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


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of this checkout as a program, whether or not one is installed."""
    path = tmp_path_factory.mktemp("bin") / "sound2scene"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sound2scene.cli "$@"\n')
    path.chmod(0o755)
    return path


def from_nothing(folder: Path, program: Path, length: str) -> subprocess.CompletedProcess[str]:
    """The chain as its page has it, `experiments/from_nothing.sh`, in a folder."""
    variables = {"SOUND2SCENE": str(program), "LENGTH": length, "WANDB_MODE": "offline"}
    return subprocess.run(
        [str(SCRIPT), str(folder)], env=os.environ | variables, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(10_800)
def test_the_toy_chain_rebuilt_at_reduced_length_learns_at_every_stage(tmp_path: Path, program: Path) -> None:
    done = from_nothing(tmp_path, program, "short")
    assert done.returncode == 0, done.stderr[-3000:]
    assert figure(tmp_path, f"{TOY}/localizer", "val/top1_inside") >= 0.8
    assert figure(tmp_path, f"{TOY}/image-encoder", "val/neighbour_accuracy") >= 3 / 8
    # Size and height are learned, if not yet drawn.
    assert figure(tmp_path, f"{TOY}/image-encoder", "val/probe_height_r2") >= 0.3
    assert figure(tmp_path, f"{TOY}/image-encoder", "val/probe_diameter_r2") >= 0.3
    assert figure(tmp_path, f"{TOY}/judge", "val/accuracy") >= 6 / 8
    few = ["--data.init_args.train_clips", "1024", "--run.name", "gan/untrained", "--run.publish", "null"]
    one_step = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
    fit(tmp_path, "gan/toy.yaml", *few, *one_step, "--trainer.check_val_every_n_epoch", "1")
    untrained = figure(tmp_path, "runs/gan/untrained/version_0/artifact", "val/fid/")
    assert figure(tmp_path, f"{TOY}/generator", "val/fid/") < untrained / 2
    assert "class recall at 1, audio to image" in done.stdout
    assert figure(tmp_path, "artifacts/toy/audio-encoder", "val/class/audio_to_image/recall_at_1") >= 3 / 8
    hearing = artifacts.read_card(tmp_path / "artifacts/toy/audio-encoder").origin.notes
    # The chain's own, not the one of that name in git.
    assert hearing["image_encoder"] == artifacts.read_card(tmp_path / TOY / "image-encoder").fingerprint
    (pictures,) = tmp_path.glob("runs/align/toy/version_0")
    expected = {"reals.png", "retrieval.png", "generated.png", "curves.png", "table.md"}
    assert expected <= {path.name for path in pictures.iterdir()}
    table = (tmp_path / "results/figure3.md").read_text()
    assert all(f"| {method} |" in table for method in METHODS)
    assert (tmp_path / "results/figure3.png").is_file()
    sound = min(tmp_path.glob("data/toy/videos/test/*.mp4"))
    run(tmp_path, "generate", str(sound), "-o", "drawn", "-n", "2")  # a video's sound is a sound
    drawn = {"grid.png", "pictures.json", f"{sound.stem}.png"}
    assert drawn == {path.name for path in (tmp_path / "drawn").iterdir()}


@pytest.mark.parametrize(
    ("length", "program_of", "message"),
    [
        ("long", lambda program: program, "LENGTH=long is none of full, short, step"),
        ("step", lambda program: program.parent / "none", "no program sound2scene; run `make install`"),
    ],
)
def test_the_chain_says_in_one_line_what_it_lacks_and_makes_nothing(
    length: str, program_of: Callable[[Path], Path], message: str, tmp_path: Path, program: Path
) -> None:
    done = from_nothing(tmp_path / "chain", program_of(program), length)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith(message) or message in line
    assert not (tmp_path / "chain").exists()


def test_every_step_of_the_chain_names_a_page_that_is_there_and_a_recipe_of_the_toy_world() -> None:
    text = SCRIPT.read_text().replace("\\\n", " ")
    pages = re.findall(r'^say (\d+) ".+\?.*" +(\S+)$', text, re.MULTILINE)
    assert [int(number) for number, _ in pages] == list(range(1, 13))
    assert all((REPOSITORY / page.partition("#")[0]).is_file() for _, page in pages)
    recipes = re.findall(r"^train (\S+)", text, re.MULTILINE)
    assert all((EXPERIMENTS / f"{recipe}.yaml").is_file() for recipe in recipes)
    stages = {path.parent.name for path in EXPERIMENTS.glob("*/toy.yaml")} - {"protocols"}
    assert {recipe.partition("/")[0] for recipe in recipes} == stages


@pytest.mark.costly
def test_the_artifacts_in_git_fit_together_and_are_small() -> None:
    toy = EXPERIMENTS / "artifacts" / "toy"
    encoder, generator = artifacts.read_card(toy / "image-encoder"), artifacts.read_card(toy / "generator")
    artifacts.check_pair(generator, encoder.fingerprint, toy / "generator")
    assert artifacts.load(toy / "image-encoder").z_dim == artifacts.load(toy / "generator").z_image_dim
    assert figure(toy, "image-encoder", "val/neighbour_accuracy") >= 0.9  # 0.95 is wanted, below
    assert figure(toy, "judge", "val/accuracy") >= 0.97
    assert figure(toy, "generator", "val/fid/") <= figure(toy, "generator", "val/fid_of_class_means/") / 2
    assert figure(toy, "generator", "val/inception_score/") > 0.6 * 8
    assert figure(toy, "localizer", "val/top1_inside") >= 0.9
    assert figure(toy, "localizer", "val/ciou_at_50") >= 0.6
    assert figure(toy, "generator", "val/height_rank/") >= 0.8
    assert figure(toy, "generator", "val/diameter_rank/") >= 0.75
    assert figure(toy, "reader", "val/kinds_right") >= 0.98
    assert figure(toy, "audio-encoder", "val/class/audio_to_image/recall_at_1") >= 0.95
    for name in ("image-encoder", "generator", "judge", "localizer", "reader", "audio-encoder"):
        assert sum(path.stat().st_size for path in (toy / name).iterdir()) < 5_000_000
        assert artifacts.load(toy / name) is not None  # weights and card belong together


# It held on version 1 of the toy world, where clips were of one source and nothing was smaller than 0.25.
@pytest.mark.xfail(strict=True, reason="0.918; `encoder/toy_long` reaches it, and waits for its generator")
def test_the_image_encoder_in_git_tells_kinds_as_it_should() -> None:
    assert figure(EXPERIMENTS / "artifacts" / "toy", "image-encoder", "val/neighbour_accuracy") >= 0.95


@pytest.mark.slow
def test_the_published_setting_runs_on_the_four_published_pairs(real_data: Path, tmp_path: Path) -> None:
    encoder = artifacts.save(
        ImageEncoder(), tmp_path / "artifacts/swav", card={"kind": "image-encoder", "preset": "squeeze"}
    )
    assert artifacts.load(encoder).z_dim == 2048
    source = str(real_data / "vggsound_samples" / "training")
    printed = fit(tmp_path, "align/vggsound_samples.yaml", "--data.init_args.source", source)
    assert "instance recall at 1, audio to image" in printed
