import csv
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from forked import command as cli_command
from forked import run_pair
from killed_run import fit
from scripted import Spy, mark
from selected import first
from sound2scene import artifacts, cli
from sound2scene.callbacks import provenance
from sound2scene.callbacks.provenance import Origins
from sound2scene.callbacks.report import Report
from sound2scene.callbacks.retrieval_pictures import RetrievalPictures
from sound2scene.commands.recipe import Run
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.runs import Aim
from tiny import tiny_recipe, tiny_stage

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = str(REPOSITORY / "experiments" / "trainer.yaml")
SEED = 7
CLIPS, BATCH, EPOCHS = 18, 4, 3
STEPS = CLIPS // BATCH * EPOCHS
PIXELS = {"class_path": "sound2scene.data.reading.ReadPictures", "init_args": {"preset": "pixels32"}}
BEST = {"monitor": "val/score"}
RECALL = "val/instance/audio_to_image/recall_at_10"


def command(*arguments: object) -> int:
    """The command as a shell would give it, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/somewhere/bin/sound2scene", *map(str, arguments)])
        return cli.main()


def printed_recipe(capsys: pytest.CaptureFixture[str], *configs: object) -> str:
    options = [option for config in configs for option in ("-c", config)]
    with pytest.raises(SystemExit, match=r"^0$"):
        command("fit", *options, "--print_config")
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command is refused."""
    assert command(*arguments) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("sound2scene: ")]
    assert lines == err.splitlines()[-1:]
    assert "Traceback" not in out + err
    return lines[0]


def scripted_recipe(folder: Path, shards: Path, scores: list[float], **run: Any) -> Path:
    """A recipe whose held-out scores are prescribed."""
    recipe = {
        "run": {"name": "encoder/scripted", "folder": str(folder / "runs")} | run,
        "trainer": {
            "max_epochs": len(scores),
            "accelerator": "cpu",
            "devices": 1,
            "enable_progress_bar": False,
        },
        "model": {"class_path": "scripted.ScriptedStage", "init_args": {"scores": scores}},
        "data": {
            "class_path": "sound2scene.data.clips.ClipDataModule",
            "init_args": {"shards": str(shards), "batch_size": 6, "workers": 0, "read": PIXELS},
        },
    }
    path = folder / "scripted.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture(scope="module")
def recipe(tiny_shards: Path, tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny alignment with a seed of its own, watched by a spy."""
    path = tiny_recipe(
        tmp_path_factory.mktemp("recipe") / "recipe.yaml", tiny_shards, tiny_image_encoder, checkpoint_steps=5
    )
    whole = yaml.safe_load(path.read_text())
    whole["seed_everything"] = SEED
    whole["trainer"]["callbacks"] = [{"class_path": "scripted.Spy"}]
    path.write_text(yaml.safe_dump(whole))
    return path


@pytest.fixture(scope="module")
def run_folder(recipe: Path) -> Path:
    """What a whole run of that recipe leaves."""
    assert command("fit", "-c", SHARED, "-c", recipe) == 0
    return recipe.parent / "runs/align/tiny/version_0"


def test_recipe_and_provenance_are_there_before_the_first_step(run_folder: Path) -> None:
    assert {"recipe.yaml", "provenance.json"} <= Spy.files


def test_provenance_says_what_ran_on_what(run_folder: Path, recipe: Path, tiny_shards: Path) -> None:
    about = json.loads((run_folder / "provenance.json").read_text())
    assert about["command"] == ["sound2scene", "fit", "-c", SHARED, "-c", str(recipe)]
    assert (about["commit"], about["changed_files"]) == provenance.commit_of_code()
    assert about["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert about["versions"]["python"] == sys.version.split()[0]
    assert about["data"] == {
        name: card["fingerprint"] for name, card in Folder(tiny_shards).card["splits"].items()
    }
    assert (about["stage"], about["processes"]) == ("fit", 1)


def test_a_recipe_in_a_run_folder_repeats_itself(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed_recipe(capsys, run_folder / "recipe.yaml") == (run_folder / "recipe.yaml").read_text()


def test_a_recipe_in_a_run_folder_is_all_that_was_asked_for(
    run_folder: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = yaml.safe_load(printed_recipe(capsys, SHARED, recipe))
    assert asked["seed_everything"] == SEED
    # A checkpoint is read without pickle wherever the recipe does not say otherwise.
    assert yaml.safe_load((run_folder / "recipe.yaml").read_text()) == asked | {"weights_only": True}


def test_one_seed_reaches_the_order_of_the_data(run_folder: Path) -> None:
    assert Spy.data is not None
    assert Spy.data.seed == SEED


def test_every_step_and_every_validation_is_in_the_log(run_folder: Path) -> None:
    with (run_folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows if row["train/loss"]] == list(range(STEPS))
    assert len([row for row in rows if row[RECALL]]) == EPOCHS
    first = next(float(row["progress/kclips"]) for row in rows if row["progress/kclips"])
    assert first == pytest.approx(10 * BATCH / 1000)


@pytest.mark.costly
def test_the_best_checkpoint_is_the_state_of_the_best_validation_and_test_measures_it(
    tiny_shards: Path, tmp_path: Path
) -> None:
    path = scripted_recipe(tmp_path, tiny_shards, [0.2, 0.5, 0.3], best=BEST)
    assert command("fit", "-c", path) == 0
    checkpoints = tmp_path / "runs/encoder/scripted/version_0/checkpoints"
    assert {file.name for file in checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}
    found = {name: torch.load(checkpoints / f"{name}.ckpt", weights_only=True) for name in ("best", "last")}
    assert (found["best"]["global_step"], found["last"]["global_step"]) == (6, 9)
    assert command("test", "-c", path, "--ckpt_path", checkpoints / "best.ckpt") == 0
    with (tmp_path / "runs/encoder/scripted/version_1/metrics.csv").open(newline="") as file:
        (tested,) = csv.DictReader(file)
    best, last = (mark(weights(found[name]["state_dict"])) for name in ("best", "last"))
    assert float(tested["test/mark"]) == pytest.approx(best, rel=1e-6) != pytest.approx(last, rel=1e-6)


def weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Those of the scripted stage's network."""
    return {name.removeprefix("network."): tensor for name, tensor in state.items()}


@pytest.mark.costly
def test_the_artifact_of_a_run_carries_the_recipe_as_it_was_run_and_where_it_comes_from(
    tiny_shards: Path, tmp_path: Path
) -> None:
    path = scripted_recipe(
        tmp_path, tiny_shards, [0.2, 0.5, 0.3], best=BEST, publish=str(tmp_path / "artifact")
    )
    assert command("fit", "-c", path) == 0
    folder = tmp_path / "runs/encoder/scripted/version_0"
    about = json.loads((folder / "provenance.json").read_text())
    card = artifacts.read_card(tmp_path / "artifact")
    assert card.origin.recipe == yaml.safe_load((folder / "recipe.yaml").read_text())
    assert (card.origin.commit, card.origin.data_fingerprint) == (about["commit"], about["data"]["train"])
    assert card.metrics == {"val/score": 0.5}
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    loaded = artifacts.load(tmp_path / "artifact").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights(best).items())


@pytest.mark.costly
def test_every_listener_follows_the_same_judgement(tiny_shards: Path, tmp_path: Path) -> None:
    path = scripted_recipe(
        tmp_path,
        tiny_shards,
        [0.2, 0.1, 0.4, 0.1],
        best=BEST | {"smaller_is_better": True, "patience": 2},
        publish=str(tmp_path / "artifact"),
    )
    assert command("fit", "-c", path) == 0
    folder = tmp_path / "runs/encoder/scripted/version_0"
    assert (folder / "table.md").read_text().endswith("| score | 0.1 | 9 |\n")
    assert artifacts.read_card(tmp_path / "artifact").origin.notes["epoch"] == 1  # the earlier of two equals
    assert torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["global_step"] == 6
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 12


@pytest.mark.costly
def test_without_a_figure_to_choose_by_the_last_state_is_kept(tiny_shards: Path, tmp_path: Path) -> None:
    assert command("fit", "-c", scripted_recipe(tmp_path, tiny_shards, [0.5, 0.2])) == 0
    checkpoint = tmp_path / "runs/encoder/scripted/version_0/checkpoints/last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 6


@pytest.mark.costly
def test_a_dry_run_leaves_artifacts_and_runs_alone(tiny_shards: Path, tmp_path: Path) -> None:
    path = scripted_recipe(tmp_path, tiny_shards, [0.5], best=BEST, publish=str(tmp_path / "artifact"))
    assert command("fit", "-c", path, "--trainer.fast_dev_run", "true") == 0
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.costly
def test_predict_writes_the_latents_of_the_held_out_clips(
    run_folder: Path, recipe: Path, tiny_shards: Path
) -> None:
    checkpoint = run_folder / "checkpoints/last.ckpt"
    assert command("predict", "-c", SHARED, "-c", recipe, "--ckpt_path", checkpoint) == 0
    (path,) = (recipe.parent / "runs").glob("align/tiny/*/embeddings_0.npz")
    stage = tiny_stage().eval()
    stage.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    shards = ShardDataset(tiny_shards, "val")
    waveform_BT = torch.stack(
        [torch.from_numpy(shards.waveform(position)) for position in range(len(shards))]
    )
    with np.load(path) as found, torch.no_grad():
        assert found["key"].tolist() == [shards.key(position) for position in range(len(shards))]
        np.testing.assert_allclose(found["z_audio"], stage(waveform_BT), rtol=1e-4, atol=1e-5)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("changes", "message"),
    first(
        [
            (["--run.publish", "somewhere", "--run.best", "null"], "run.publish needs run.best, the figure"),
            (["--trainer.logger", "false"], "trainer.logger: a run has its own logs; remove the key"),
            (["--trainer.accelerator", "tpu"], "trainer: .*(accelerator|torch_xla)"),
            (["--data.init_args.batch_size", "0"], "data.batch_size is 0; set it to between 1"),
            (
                ["--data.init_args.batch_size", "19"],
                "18 clips do not fill a batch of 19 .*; lower data.batch_size",
            ),
            (
                ["--data.init_args.features.image_encoder", "nowhere"],
                "nowhere: no artifact .* there; check the",
            ),
            (["--data.init_args.features", "null"], "name data.init_args.features.image_encoder"),
            (["--data.init_args.read", "ReadCrops", "--data.init_args.read.preset", "sqeeze"], "sqeeze"),
            (
                ["--model.init_args.audio_encoder.init_args.backbone", "resnet81"],
                "'resnet81' is unknown to timm; did you",
            ),
            (
                ["--run.best.monitor", "val/recal", "--trainer.max_epochs", "1"],
                f"run.best: nothing logs 'val/recal'; set it to one of the held-out figures: .*{RECALL}",
            ),
            (["--run.monitor", RECALL], "recipe: command line: run.monitor is now run.best.monitor$"),
        ],
        5,
    ),
)
def test_a_value_that_cannot_work_is_refused_in_one_line(
    recipe: Path, capsys: pytest.CaptureFixture[str], changes: list[str], message: str
) -> None:
    line = refusal(capsys, "fit", "-c", SHARED, "-c", recipe, *changes)
    assert re.search(message, line)


@pytest.mark.costly
@pytest.mark.parametrize("word", first(["validate", "test", "predict"]))
def test_nothing_is_measured_without_a_trained_state(
    recipe: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    line = refusal(capsys, word, "-c", SHARED, "-c", recipe)
    assert line == f"sound2scene: {word}: needs a trained state; give --ckpt_path RUN/checkpoints/best.ckpt"


@pytest.mark.costly
@pytest.mark.parametrize("name", ["last", "best", "hpc"])
def test_a_checkpoint_is_a_file_and_no_word(
    recipe: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    line = refusal(capsys, "fit", "-c", SHARED, "-c", recipe, "--ckpt_path", name)
    assert line.startswith(f"sound2scene: ckpt_path: '{name}' names no file; give the file, or go on with a")


@pytest.fixture
def no_account(tmp_path: Path) -> dict[str, str]:
    """An environment without a W&B account, and without a network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "NETRC"))}
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return kept | closed | {"HOME": str(tmp_path / "home")}


@pytest.mark.slow
def test_two_processes_share_one_run_with_wandb_and_without_an_account(
    tiny_shards: Path, tmp_path: Path, no_account: dict[str, str]
) -> None:
    path = scripted_recipe(tmp_path, tiny_shards, [0.2, 0.5], best=BEST, wandb=True)
    (tmp_path / "home").mkdir()
    for ended in run_pair(cli_command, *fit(path, "--trainer.devices=2"), environment=no_account):
        assert ended.status == 0, ended.err[-3000:]
    (folder,) = (tmp_path / "runs/encoder/scripted").iterdir()
    assert json.loads((folder / "provenance.json").read_text())["processes"] == 2
    assert (folder / "metrics.csv").stat().st_size > 0
    assert len(list(folder.glob("wandb/offline-run-*/run-*.wandb"))) == 1
    assert (folder / "table.md").read_text().endswith("| score | 0.5 | 9 |\n")
    assert not list((tmp_path / "home").glob(".netrc"))


def test_the_group_of_a_wandb_run_is_its_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = Run(name="align/tiny", folder=str(tmp_path), wandb=True, project="tests").loggers()[1].experiment
    try:
        assert (run.group, run.name, run.project) == ("align", "tiny", "tests")
        assert Path(run.dir).is_relative_to(tmp_path / "align/tiny/version_0/wandb")
        assert run.offline
    finally:
        run.finish()


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, "offline"),
        ({"WANDB_MODE": "online"}, "online"),
        ({"WANDB_SWEEP_ID": "abc"}, None),  # as W&B and its agent have settled it
        ({"WANDB_SWEEP_ID": "abc", "WANDB_MODE": "offline"}, "offline"),
    ],
)
def test_a_run_is_offline_unless_the_environment_or_an_agent_says_otherwise(
    given: dict[str, str], mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_MODE", "WANDB_SWEEP_ID"):
        monkeypatch.setenv(name, "")  # so that what the run sets is undone
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    Run(name="align/tiny", folder=str(tmp_path), wandb=True).loggers()  # which asks no server yet
    assert os.environ.get("WANDB_MODE") == mode


def test_one_setting_says_in_which_formats_a_run_draws(tmp_path: Path) -> None:
    pictures = RetrievalPictures()
    run = Run(folder=str(tmp_path), best=Aim("val/score"), figures=["png", "pdf"])
    found = run.callbacks([pictures], Origins({}), checkpointing=False, progress=False)
    (report,) = (callback for callback in found if isinstance(callback, Report))
    assert pictures.formats == report.formats == ("png", "pdf")
