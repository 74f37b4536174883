import json
import platform
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from scripted import ScriptedStage, fit
from sound2scene import files
from sound2scene.callbacks import provenance
from sound2scene.callbacks.provenance import Origins, Provenance
from sound2scene.data.shards.read import Folder
from sound2scene.types import InputError
from tiny import counted

REPOSITORY = Path(__file__).resolve().parents[2]
COVERAGE = {"train": {"found": 30, "expected": 40, "clips": 27}}


class AtTheFirstStep(pl.Callback):
    """Looks into the run folder, and at what is known, before anything is learned."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins

    def on_train_batch_start(self, trainer: pl.Trainer, *rest: object) -> None:
        if trainer.global_step == 0:
            self.names = {path.name for path in Path(str(trainer.log_dir)).iterdir()}
            self.data, self.attributes = dict(self.origins.data), set(vars(trainer))


def test_provenance_lies_in_the_run_folder_before_the_first_step_and_names_commit_versions_and_data(
    tiny_shards: Path, tmp_path: Path
) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 40}})
    origins = Origins({"seed_everything": 7})
    looked = AtTheFirstStep(origins)
    trainer = fit(
        ScriptedStage([0.2]),
        shards,
        tmp_path,
        Provenance("seed_everything: 7\n", origins),
        looked,
        max_epochs=1,
        logger=CSVLogger(tmp_path, "run"),
    )
    assert {"recipe.yaml", "provenance.json"} <= looked.names
    folder = Path(str(trainer.log_dir))
    assert (folder / "recipe.yaml").read_text() == "seed_everything: 7\n"
    about = json.loads((folder / "provenance.json").read_text())
    assert about["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert about["coverage"] == COVERAGE
    assert about["data"]["train"] == Folder(tiny_shards).card["splits"]["train"]["fingerprint"]
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if head.returncode:
        pytest.skip("the tests do not run in a checkout")
    assert about["commit"] == head.stdout.strip()


def test_whoever_shares_the_origins_knows_commit_data_and_coverage_and_the_trainer_does_not(
    tiny_shards: Path, tmp_path: Path
) -> None:
    shards = counted(tiny_shards, tmp_path / "shards", {"train": {"found": 30, "expected": 40}})
    origins = Origins({"seed_everything": 7})
    assert (origins.commit, origins.data, origins.coverage) == (None, {}, {})
    looked = AtTheFirstStep(origins)
    fit(ScriptedStage([0.2]), shards, tmp_path, Provenance("", origins), looked, max_epochs=1)
    about = json.loads((tmp_path / "provenance.json").read_text())
    assert (origins.commit, origins.data, origins.coverage) == (about["commit"], about["data"], COVERAGE)
    assert looked.data == origins.data
    assert origins.recipe == {"seed_everything": 7}
    plain = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1)
    assert not {name for name in looked.attributes - set(vars(plain)) if "provenance" in name}


def test_a_dry_run_leaves_no_record(tiny_shards: Path, tmp_path: Path) -> None:
    origins = Origins()
    fit(ScriptedStage([0.2]), tiny_shards, tmp_path, Provenance("", origins), fast_dev_run=True)
    assert not list(tmp_path.iterdir())
    assert origins.data


class Ends(pl.Callback):
    """Looks at the record within an epoch, and may end the run with an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seen = json.loads((Path(str(trainer.log_dir)) / "provenance.json").read_text())
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "raised", "state"),
    [
        (None, None, "finished"),
        (KeyboardInterrupt(), SystemExit, "stopped"),
        (SystemExit(), SystemExit, "stopped"),
        (ValueError("no\nroom"), ValueError, "failed"),
    ],
)
def test_a_run_records_its_own_state_from_start_to_end(
    error: BaseException | None,
    raised: type[BaseException] | None,
    state: str,
    tiny_shards: Path,
    tmp_path: Path,
) -> None:
    recipe = {
        "run": {"name": "a/b", "best": {"monitor": "val/score"}},
        "data": {"init_args": {"batch_size": 6}},
    }
    callbacks = Provenance("", Origins(recipe)), Ends(error)
    context = pytest.raises(raised) if raised else nullcontext()
    with context:
        fit(ScriptedStage([0.2]), tiny_shards, tmp_path, *callbacks, max_epochs=1, accumulate_grad_batches=2)
    seen, about = callbacks[1].seen, json.loads((tmp_path / "provenance.json").read_text())
    assert (seen["state"], seen["ended"], about["state"]) == ("running", None, state)
    assert about.get("error") == ("ValueError: no room" if state == "failed" else None)
    assert (about["run"], about["aim"]) == ("a/b", {"monitor": "val/score"})
    assert about["batch"] == {"per_process": 6, "accumulated": 2, "all_processes": 12}
    assert about["batches"] == 3
    assert about["started"] <= about["ended"]
    assert about["started"].endswith("+00:00")
    assert 0 <= about["seconds"] < 600
    assert about["device"] == about["host"]["cpu"]
    assert about["peak_memory_gib"]["device"] is None
    assert platform.node() not in json.dumps(about).split('"')
    assert not files.has_ended(about["process"])


@pytest.mark.costly
def test_a_run_that_goes_on_keeps_what_it_recorded_before(tiny_shards: Path, tmp_path: Path) -> None:
    for _ in range(3):
        fit(ScriptedStage([0.2]), tiny_shards, tmp_path, Provenance("", Origins()), max_epochs=1)
    about = json.loads((tmp_path / "provenance.json").read_text())
    first, second = about["resumed"]  # one beside the other, however often it went on
    assert not {"resumed"} & (first.keys() | second.keys())
    assert {about["state"], first["state"], second["state"]} == {"finished"}
    assert first["ended"] <= second["started"] <= second["ended"] <= about["started"]


def test_a_damaged_record_of_before_is_named(tiny_shards: Path, tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text("{")
    with pytest.raises(InputError, match=r"provenance\.json: .*delete it, and the run goes on"):
        fit(ScriptedStage([0.2]), tiny_shards, tmp_path, Provenance("", Origins()), max_epochs=1)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_the_commit_is_that_of_the_package_and_of_no_checkout_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "sound2scene"
    (package / "callbacks").mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(package / "callbacks" / "provenance.py"))
    assert provenance.commit_of_code() == (None, 0)
    (package / "__init__.py").touch()
    (tmp_path / "notes.txt").write_text("one")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "notes.txt")
    git(tmp_path, "commit", "-qm", "someone else's")
    assert provenance.commit_of_code() == (None, 0)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "the package's")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    assert provenance.commit_of_code() == (head, 0)
    (tmp_path / "notes.txt").write_text("two")
    (tmp_path / "untracked.txt").touch()
    assert provenance.commit_of_code() == (head, 1)
