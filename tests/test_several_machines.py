"""What `experiments/several_machines.md` says, with two groups of processes on loopback as two machines."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from drawn_videos import write_video
from evaluating import made_trial, order
from killed_run import fit, weights
from sound2scene import cli
from tiny import tiny_recipe

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "experiments" / "several_machines.md"
MACHINES = 2


class Started(NamedTuple):
    """A process under way, and the file that takes what it prints."""

    process: subprocess.Popen[bytes]
    log: Path


def start(log: Path, *words: str, environment: dict[str, str] | None = None) -> Started:
    """Start Python with these words."""
    given = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY / "tests")}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=file,
            stderr=file,
            env=given | {"GLOO_SOCKET_IFNAME": "lo"} | (environment or {}),
        )
    return Started(process, log)


def end_well(started: Sequence[Started]) -> list[str]:
    """Wait for all of them; what each of them printed."""
    try:
        for one in started:
            status = one.process.wait()
            assert status == 0, one.log.read_text()[-3000:]
    finally:
        for one in started:
            one.process.kill()
            one.process.wait()
    return [one.log.read_text() for one in started]


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def by_torchrun(folder: Path, processes: int, *words: str) -> list[str]:
    """Run a command as the page has it run by torchrun, with so many processes on each of two machines."""
    (options, *others) = set(re.findall(r"torchrun (--nnodes .*?) --no-python", PAGE.read_text()))
    names = options.split()[::2]
    assert all(other.split()[::2] == names for other in others)
    port = free_port()
    started = []
    for machine in range(MACHINES):
        values = {
            "--nnodes": str(MACHINES),
            "--node-rank": str(machine),
            "--nproc-per-node": str(processes),
            "--master-addr": "127.0.0.1",
            "--master-port": port,
        }
        given = [word for name in names for word in (name, values[name])]
        command = ["--no-python", sys.executable, "-m", "sound2scene.cli", *words]
        started.append(start(folder / f"machine-{machine}.log", "torch.distributed.run", *given, *command))
    return end_well(started)


def by_slurm(folder: Path, processes: int, *words: str) -> list[str]:
    """Run a command in the environment that `srun` gives each of two tasks on two machines each."""
    job = {
        "SLURM_JOB_ID": "1234",
        "SLURM_JOB_NAME": "sound",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_NNODES": str(MACHINES),
        "SLURM_NTASKS": str(MACHINES * processes),
        "SLURM_NTASKS_PER_NODE": str(processes),
        "MASTER_PORT": free_port(),  # the usual one is made of the job's number, and may be taken here
    }
    started = []
    for rank in range(MACHINES * processes):
        machine, local = divmod(rank, processes)
        own = {"SLURM_PROCID": str(rank), "SLURM_NODEID": str(machine), "SLURM_LOCALID": str(local)}
        log = folder / f"task-{rank}.log"
        started.append(start(log, "sound2scene.cli", *words, environment=job | own))
    return end_well(started)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven videos with sound, and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(7):
        write_video(folder / f"video-{number}.mkv", seconds=2.5 + number)
    (folder / "broken.mkv").write_text("not a video")
    return folder


RUNNERS = pytest.mark.parametrize("on_two_machines", [by_torchrun, by_slurm])


@pytest.mark.slow
@RUNNERS
def test_two_machines_prepare_the_bytes_of_one_and_the_first_one_tells(
    on_two_machines: Any, videos: Path, tmp_path: Path
) -> None:
    shares = ["--val-share", "0.3", "--test-share", "0.3", "--workers", "2"]
    assert cli.main(["prepare", "videos", str(videos), "-o", str(tmp_path / "one"), *shares]) == 0
    words = ["prepare", "videos", str(videos), "-o", str(tmp_path / "two"), *shares, "--nodes", "2"]
    printed = on_two_machines(tmp_path, 1, *words)
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert ["1 rejected: 1 undecodable" in one for one in printed] == [True, False]


@pytest.mark.slow
@RUNNERS
def test_two_machines_of_two_processes_select_the_bytes_of_one(
    on_two_machines: Any, videos: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one" / "selection.json", tmp_path / "two" / "selection.json"
    words = ["--scorer", "listening.loudest", "--top-k", "3", "--workers", "0", "--accelerator", "cpu"]
    assert cli.main(["select", str(videos), "-o", str(one), *words]) == 0
    machines = ["--devices", "2", "--nodes", "2"]
    printed = on_two_machines(tmp_path, 2, "select", str(videos), "-o", str(two), *words, *machines)
    assert content(two.parent) == content(one.parent)
    assert sum(one.count("7 videos with moments, 1 rejected") for one in printed) == 1


@pytest.mark.slow
@RUNNERS
def test_two_machines_of_two_processes_evaluate_to_the_figures_of_one(
    on_two_machines: Any, tmp_path: Path
) -> None:
    trial = made_trial(tmp_path / "trial")
    one, two = tmp_path / "one" / "result.json", tmp_path / "two" / "result.json"
    words = ["evaluate", trial.ours, trial.ceiling]
    assert cli.main([*words, *order(trial, one)]) == 0
    on_two_machines(tmp_path, 2, *words, *order(trial, two, "--devices", "2", "--nodes", "2"))
    expected, found = (json.loads(path.read_text())["methods"] for path in (one, two))
    assert found == expected


@pytest.mark.slow
@RUNNERS
def test_two_machines_of_two_processes_train_with_the_gradient_of_the_whole_batch(
    on_two_machines: Any, tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    # Group norm and a step of SGD: see the same test on two processes in tests/stages/test_align.py.
    more = ["--model.init_args.audio_encoder.init_args.backbone_options.norm_layer", "groupnorm1"]
    more += ["--model.init_args.optimizer", '{"class_path": "torch.optim.SGD", "init_args": {"lr": 1.0}}']
    more += ["--model.init_args.schedule", "null", "--trainer.max_steps", "1", "--run.checkpoint_steps", "1"]
    found = {}
    for processes in (1, MACHINES * 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        recipe = tiny_recipe(folder / "recipe.yaml", tiny_shards, tiny_image_encoder)
        words = fit(recipe, *more, "--data.init_args.batch_size", str(8 // processes))
        if processes == 1:
            end_well([start(folder / "log", "sound2scene.cli", *words)])
        else:
            on_two_machines(folder, 2, *words, "--trainer.devices", "2", "--trainer.num_nodes", "2")
        assert [path.name for path in folder.glob("runs/*/*/*")] == ["version_0"]
        found[processes] = weights(folder, "last")
    one, four = found.values()
    assert one.keys() == four.keys()
    for name, weight in one.items():
        torch.testing.assert_close(
            four[name], weight, rtol=0, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )
