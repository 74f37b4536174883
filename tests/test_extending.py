"""The pages on how to put in something of one's own: what they say is written and run, word for word."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sound2scene import artifacts, cli
from sound2scene.models.biggan import Generator
from sound2scene.models.image_encoder import ImageEncoder

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "src" / "sound2scene"
VIDEOS_CARD = {"kind": "image-encoder", "preset": "small64"}
BLOCK = re.compile(r"```(?:python|yaml)\n(# (mine/\S+)\n.*?)```", re.DOTALL)
COMMAND = re.compile(r"^    (PYTHONPATH=\. )?\.venv/bin/(sound2scene|python) (.*)$", re.MULTILINE)
# A run is made short, and nothing else of what a page says is changed.
SHORT = [
    *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"),
    *(
        "--trainer.num_sanity_val_steps",
        "0",
        "--trainer.log_every_n_steps",
        "1",
        "--trainer.accelerator",
        "cpu",
    ),
    *("--data.init_args.workers", "0", "--data.init_args.batch_size", "4"),
]


class Typed(NamedTuple):
    """A command of a page.

    Attributes:
        finds_mine: Whether it lets Python look for packages in the current folder.
        program: `sound2scene` or `python`.
        words: What stands behind it.
    """

    finds_mine: bool
    program: str
    words: list[str]


def files_of(text: str) -> dict[str, str]:
    """The files that a page shows, by the paths in their first lines."""
    return {path: code for code, path in BLOCK.findall(text)}


def commands_of(text: str) -> list[Typed]:
    """The commands of a page, in order; those that stand for what is told elsewhere are not among them."""
    return [Typed(bool(path), program, shlex.split(words)) for path, program, words in COMMAND.findall(text)]


def page(name: str, heading: str = "") -> str:
    """A page, or what stands below one of its headings."""
    text = (PACKAGE / name / "README.md").read_text(encoding="utf-8")
    return text[text.index(heading) :]


@pytest.fixture
def folder(tmp_path: Path, tiny_shards: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a reader of the pages stands: shards, and networks where recipes of videos look for them."""
    for shards in ("data/videos/shards", "data/mine/shards"):
        shutil.copytree(tiny_shards, tmp_path / shards)
    encoder = artifacts.save(of_videos(), tmp_path / "artifacts/videos/image-encoder", card=VIDEOS_CARD)
    notes = {"image_encoder": artifacts.read_card(encoder).fingerprint}
    card = {"kind": "generator", "notes": notes}
    artifacts.save(generator_of_videos(), tmp_path / "artifacts/videos/generator", card=card)
    shutil.copy(REPOSITORY / "experiments" / "sounds" / "bell.flac", tmp_path)
    (tmp_path / "selection.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


def of_videos() -> ImageEncoder:
    """An untrained encoder of the size that `encoder/videos` makes."""
    small = {"channels": [32, 64, 128, 256], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 16}
    return ImageEncoder(backbone="resnet18", backbone_options=small)


def generator_of_videos() -> Generator:
    """An untrained generator of the size that `gan/videos` makes."""
    return Generator(resolution=64, channels=8, attention=[], z_dim=40, feature_dim=64, z_image_dim=256)


def followed(text: str, folder: Path, *more: str) -> None:
    """Write the files that a page shows, and run its commands; every one has to end well.

    Args:
        text: The page.
        folder: Where to.
        more: Further options for commands that evaluate.
    """
    for path, code in files_of(text).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(code)
    for command in commands_of(text):
        if command.program == "python":
            done = subprocess.run(
                [sys.executable, *command.words],
                cwd=folder,
                env={"PYTHONPATH": "." if command.finds_mine else "", "PATH": "", "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr
            continue
        with pytest.MonkeyPatch.context() as patch:
            if command.finds_mine:
                patch.syspath_prepend(str(folder))
            extra = {"fit": SHORT, "evaluate": more}.get(command.words[0], ())
            assert cli.main([*command.words, *extra]) == 0, command


def test_files_and_commands_of_a_page_are_found() -> None:
    text = (
        "```python\n# mine/a.py\nx = 1\n```\n\n    PYTHONPATH=. .venv/bin/sound2scene fit -c 'a b'\n    ls\n"
    )
    assert files_of(text) == {"mine/a.py": "# mine/a.py\nx = 1\n"}
    assert commands_of(text) == [Typed(True, "sound2scene", ["fit", "-c", "a b"])]


@pytest.mark.parametrize("name", ["models", "losses", "metrics", "data/selection", "data/corpora", "methods"])
def test_the_readme_leads_to_a_page_that_shows_a_file_and_a_command(name: str) -> None:
    assert f"](src/sound2scene/{name}/README.md" in (REPOSITORY / "README.md").read_text()
    assert files_of(page(name))
    assert commands_of(page(name))


@pytest.mark.costly
def test_a_loss_of_ones_own_is_trained_with_as_its_page_says(folder: Path) -> None:
    followed(page("losses"), folder)
    (log,) = folder.glob("runs/align/videos/*/metrics.csv")
    assert {"train/chance", "train/floor"} <= set(log.read_text().partition("\n")[0].split(","))
    (recipe,) = folder.glob("runs/align/videos/*/recipe.yaml")
    assert "mine.losses.Margin" in recipe.read_text()


@pytest.mark.slow
def test_encoders_of_timm_of_a_file_and_of_ones_own_are_put_in_as_their_page_says(folder: Path) -> None:
    import timm
    import torch
    from safetensors.torch import save_file

    from sound2scene import artifacts

    torch.manual_seed(0)
    save_file(timm.create_model("resnet18").state_dict(), folder / "weights.safetensors")
    followed(page("models"), folder)
    assert artifacts.read_card(folder / "artifacts" / "mine" / "image-encoder").preset == "centre_crop"
    assert artifacts.read_card(folder / "artifacts" / "mine" / "hearing").class_path == "mine.hearing.Hearing"
    assert (folder / "drawn" / "bell.png").is_file()


@pytest.mark.slow
def test_a_figure_and_a_network_to_look_with_are_put_in_as_their_page_says(folder: Path) -> None:
    followed(page("metrics"), folder)
    logged = [path.read_text().partition("\n")[0] for path in folder.glob("runs/align/videos/*/metrics.csv")]
    assert sum("val/pair_cosine" in head for head in logged) == 1
    assert sum("colours4x4" in head for head in logged) == 1


@pytest.mark.slow
def test_a_scorer_of_ones_own_chooses_where_it_is_loud_as_its_page_says(folder: Path) -> None:
    from made_videos import TONE_S, write_video
    from sound2scene.data.selection.file import Selection

    (folder / "selection.json").unlink()
    shutil.rmtree(folder / "data" / "mine")
    (folder / "videos").mkdir()
    for number in range(3):
        write_video(folder / "videos" / f"{number}.mp4", 10.0, tone_s=TONE_S - number)
    followed(page("data/selection"), folder)
    chosen = Selection.load(folder / "selection.json").videos
    assert all(choice.moments_s[0] > TONE_S - int(key) for key, choice in chosen.items())
    assert len(chosen) == 3
    assert (folder / "data" / "mine" / "shards" / "dataset.json").is_file()


@pytest.mark.slow
def test_a_dataset_of_ones_own_is_written_verified_and_trained_on_as_its_page_says(folder: Path) -> None:
    from sound2scene.data.shards.read import ShardDataset

    followed(page("data/corpora"), folder)
    assert ShardDataset("data/beeps", "val").classes == ["low", "high"]
    assert "too_high" in (folder / "data" / "beeps" / "report.json").read_text()


@pytest.mark.slow
def test_a_method_of_ones_own_is_measured_beside_others_as_its_page_says(folder: Path) -> None:
    from evaluating import made_trial

    trial = made_trial(folder / "trial")
    shutil.copytree(trial.shards, folder / "data" / "toy" / "shards-localizer")
    more = ["--protocol", str(trial.protocol), "--workers", "0", "--accelerator", "cpu"]
    followed(page("methods", "## Another method"), folder, *more)
    assert '"tinted"' in (folder / "results" / "tinted.json").read_text()
