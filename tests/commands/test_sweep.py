import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from forked_trials import ForkedJob
from killed_run import TRAINER
from sound2scene import cli
from sound2scene.commands import sweep_trials
from test_runs import judge_recipe
from tiny import tiny_dataset

REPOSITORY = Path(__file__).resolve().parents[2]
SLURM = REPOSITORY / "experiments" / "sweeps" / "slurm.sh"
LR = "model.init_args.optimizer.init_args.lr"
RUN = "judge/tiny/version_0"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge that learns in a second."""
    folder = tmp_path_factory.mktemp("sweep")
    return judge_recipe(folder / "recipe", tiny_dataset(folder / "shards", train=27), batch_size=4)


def write_sweep(folder: Path, recipe: Path, values: list[object], key: str = LR) -> Path:
    path = folder / "rates.yaml"
    command = ["${env}", "sound2scene", "fit", "-c", str(TRAINER), "-c", str(recipe), "${args}"]
    sweep = {"method": "grid", "command": command, "parameters": {key: {"values": values}}}
    path.write_text(yaml.safe_dump(sweep | {"metric": {"name": "val/accuracy", "goal": "maximize"}}))
    return path


def states(folder: Path) -> list[str]:
    runs = sorted((folder / "trials").glob(f"*/{RUN}/provenance.json"))
    return [json.loads(path.read_text())["state"] for path in runs]


@pytest.mark.costly
def test_a_sweep_runs_its_trials_names_the_failed_one_and_ends_in_table_and_picture(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep_trials, "start_process", ForkedJob)
    file = write_sweep(tmp_path, recipe, [0.1, -1.0, 0.01])
    line = ["sweep", str(file), "-o", str(tmp_path / "out"), "--parallel", "2"]
    assert cli.main(line) == 1
    out, err = capsys.readouterr()
    assert states(tmp_path / "out") == ["finished", "finished"]
    assert "3 trials: 1 failed, 2 finished" in out
    assert re.search(r"^sound2scene: trial 1 failed: sound2scene: .*learning rate: -1", err, re.MULTILINE)
    assert {"table.md", "table.csv", "parallel.png", "sweep.json"} <= set(os.listdir(tmp_path / "out"))
    begun = (tmp_path / "out" / "trials" / "000" / RUN / "provenance.json").stat().st_mtime_ns
    assert cli.main(line) == 1
    assert "begins" not in capsys.readouterr().out  # nothing is repeated
    assert (tmp_path / "out" / "trials" / "000" / RUN / "provenance.json").stat().st_mtime_ns == begun


def test_a_folder_of_another_sweep_is_refused_and_a_trial_that_is_none(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = write_sweep(tmp_path, recipe, [0.1]), str(tmp_path / "out")
    assert cli.main(["sweep", str(file), "-o", out, "--table"]) == 0
    assert "1 trials: 1 waiting" in capsys.readouterr().out
    assert cli.main(["sweep", str(file), "-o", out, "--trial", "1"]) == 2
    assert capsys.readouterr().err == "sound2scene: --trial 1: the sweep has trials 0 to 0\n"
    write_sweep(tmp_path, recipe, [0.2])
    assert cli.main(["sweep", str(file), "-o", out, "--table"]) == 2
    assert "sweep.json: of other values or another seed; choose another --output" in capsys.readouterr().err


@pytest.mark.slow
def test_one_trial_alone_is_what_a_job_of_an_array_runs(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_trials, "start_process", ForkedJob)
    file, out = write_sweep(tmp_path, recipe, [0.1, 0.01]), tmp_path / "out"
    assert cli.main(["sweep", str(file), "-o", str(out), "--trial", "1"]) == 0
    assert [path.name for path in (out / "trials").iterdir() if path.is_dir()] == ["001"]
    assert not (out / "table.md").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_is_stopped_or_killed_goes_on_where_it_was(
    recipe: Path, tmp_path: Path, number: signal.Signals
) -> None:
    file, out = write_sweep(tmp_path, recipe, [0.1, 0.01]), tmp_path / "out"
    line = [sys.executable, "-c", WORK, "sweep", str(file), "-o", str(out)]
    first = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(out.glob(f"trials/000/{RUN}/checkpoints/last.ckpt")):
        time.sleep(0.02)
        assert first.poll() is None
    first.send_signal(number)
    _, err = first.communicate()
    expected = {signal.SIGINT: 130, signal.SIGKILL: -9}
    assert first.returncode == expected[number], err
    if number != signal.SIGKILL:
        assert err.splitlines()[-1].startswith("sound2scene: stopped by ")
        assert err.splitlines()[-1].endswith("run the same command again to go on")
    again = subprocess.run(line, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert states(out) == ["finished", "finished"]
    assert "2 trials: 2 finished" in again.stdout
    assert again.stdout.count("begins") == 1


# A background job of a shell is deaf to Ctrl-C, and so would the command be if these tests run in one.
WORK = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from sound2scene import cli
sys.exit(cli.main())
"""
SBATCH = """#!/bin/bash
# Runs what it is given at once, as a cluster would later: each number of an array, or one job.
for word; do
    case $word in
    --array=0-*) last=${word#--array=0-} ;;
    --*) ;;
    *) break ;;
    esac
    options+=("$word")
    shift
done
echo "${options[*]}" >> "$RECORD"
if [[ -n ${last:-} ]]; then
    for ((n = 0; n <= last; n++)); do SLURM_ARRAY_TASK_ID=$n "$@" >&2; done
    echo "41;cluster"
else
    "$@" >&2
    echo 42
fi
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """Environment with a stand-in for sbatch, and a sound2scene that writes down its arguments."""
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin" / "sbatch", SBATCH)
    program = executable(tmp_path / "program", '#!/bin/bash\necho "$@" >> "$CALLS"\n')
    return dict(os.environ) | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "RECORD": str(tmp_path / "record"),
        "CALLS": str(tmp_path / "calls"),
        "SOUND2SCENE": str(program),
    }


def test_the_slurm_script_runs_each_trial_as_a_job_and_the_table_after_all_of_them(
    cluster: dict[str, str], tmp_path: Path, recipe: Path
) -> None:
    file, out = write_sweep(tmp_path, recipe, [0.1, 0.2, 0.3]), tmp_path / "a sweep"
    line = [str(SLURM), str(file), str(out), "3", "--gpus=1", "--time=4:00:00"]
    done = subprocess.run(line, env=cluster, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("trials: job 41, table: job 42; ")
    calls = (tmp_path / "calls").read_text().splitlines()
    start = f"sweep {file} -o {out} --count 3"
    assert calls == [*(f"{start} --trial {number}" for number in range(3)), f"{start} --table"]
    array, table = (tmp_path / "record").read_text().splitlines()
    assert {"--array=0-2", "--requeue", "--signal=B:TERM@120", "--gpus=1"} <= set(array.split())
    assert {"--dependency=afterany:41", "--gpus=1", "--time=4:00:00"} <= set(table.split())
    for call in calls:  # each is a command line that there is
        words = call.replace(str(out), "out").split()
        cli.bound(words)


@pytest.mark.parametrize(
    "arguments", [[], ["f.yaml", "out"], ["f.yaml", "out", "many"], ["--help", "a", "3"]]
)
def test_the_slurm_script_says_how_to_call_it(arguments: list[str], cluster: dict[str, str]) -> None:
    done = subprocess.run([str(SLURM), *arguments], env=cluster, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "FILE FOLDER TRIALS" in done.stderr
    assert not Path(cluster["RECORD"]).exists()


@pytest.mark.slow
def test_an_array_of_a_cluster_runs_a_whole_sweep(
    cluster: dict[str, str], tmp_path: Path, recipe: Path
) -> None:
    program = f'#!/bin/bash\nexec {sys.executable} -m sound2scene.cli "$@"\n'
    cluster |= {"SOUND2SCENE": str(executable(tmp_path / "sound2scene", program))}
    file, out = write_sweep(tmp_path, recipe, [0.1, 0.2]), tmp_path / "out"
    subprocess.run([str(SLURM), str(file), str(out), "2"], env=cluster, check=True)
    assert states(out) == ["finished", "finished"]
    assert (out / "table.md").read_text().count("finished") == 2
