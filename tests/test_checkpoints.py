import itertools
import random
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import forked
from sound2scene import checkpoints
from sound2scene.checkpoints import WholeCheckpointIO
from sound2scene.types import DivergedError, InputError

MODEL = {"class_path": "mine.Stage", "init_args": {"loss": "l2", "sizes": [1, 2]}}


class Stage(nn.Module):
    """A network with one layer."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.layer = nn.Linear(2, width)


def state(**more: Any) -> dict[str, Any]:
    """A checkpoint as Lightning makes it, with what is noted of its origin."""
    network = Stage()
    origin = {"stage": "Stage", "model": MODEL, "data": {"train": "a" * 64}}
    whole = {"global_step": 3, "state_dict": network.state_dict(), "loops": {"x": 1}}
    whole["optimizer_states"] = [{"state": {0: {"m": torch.ones(2)}}}]
    return whole | {checkpoints.ORIGIN: origin} | more


def saved(path: Path, **more: Any) -> str:
    WholeCheckpointIO().save_checkpoint(state(**more), path)
    return str(path)


def refused(path: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        checkpoints.read(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    nested = {"a": [1, 2.5, None, True, "x", b"y"], 3: (torch.arange(3), {"deep": float("nan")})}
    found = checkpoints.read(saved(tmp_path / "run" / "a.ckpt", nested=nested))
    assert found["global_step"] == 3
    assert torch.equal(found["nested"][3][0], torch.arange(3))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["a.ckpt"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content | {"callbacks": {}},
        lambda content: content | {"global_step": 4},
        lambda content: content | {"optimizer_states": [{"state": {0: {"m": torch.tensor([1.0, 2.0])}}}]},
        lambda content: content | {"state_dict": {"layer.weight": torch.zeros(3, 2)}},
        lambda content: {key: value for key, value in content.items() if key != "nested"},
    ],
)
def test_a_checkpoint_that_was_changed_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    path = saved(tmp_path / "a.ckpt", callbacks={"Best": {"best": 0.5}}, nested=[1])
    torch.save(change(torch.load(path, weights_only=True)), path)
    refused(path, "damaged or changed, its checksum differs; take another checkpoint")


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    path = Path(saved(tmp_path / "a.ckpt", nested=[torch.arange(2000)]))
    whole = path.read_bytes()
    dice = random.Random(0)
    before = checkpoints.checksum(checkpoints.read(str(path)))
    for _ in range(40):
        content = bytearray(whole)
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content)
        try:
            assert checkpoints.checksum(checkpoints.read(str(path))) == before  # it hit what means nothing
        except InputError:
            continue


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list and no state of a run"),
        (torch.zeros(2), "holds a Tensor and no state of a run"),
        ({"weight": torch.zeros(2)}, "holds a state dict and no state of a run"),
        ({"state_dict": {}, "loops": {}}, "not written by `sound2scene fit`"),
        (
            {"state_dict": {}, "loops": {}, "sha256": "0" * 64, "sound2scene": []},
            "not written by `sound2",
        ),
    ],
)
def test_what_is_no_checkpoint_of_a_run_is_told(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "a.ckpt")
    refused(str(tmp_path / "a.ckpt"), message)


@pytest.mark.parametrize("fault", ["missing", "folder", "empty", "cut"])
def test_what_cannot_be_read_is_told(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "a.ckpt"
    if fault == "folder":
        path.mkdir()
    elif fault != "missing":
        saved(path)
        path.write_bytes(path.read_bytes()[: 0 if fault == "empty" else 900])
    refused(str(path), "no such checkpoint" if fault in ("missing", "folder") else "damaged")


def test_the_state_of_another_stage_or_size_does_not_fit(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.ckpt")
    content = checkpoints.read(path)
    checkpoints.check_fits(content, Stage(), path)
    with pytest.raises(InputError, match=r"a.ckpt: layer.bias is 3 there and 4 in the recipe; take another"):
        checkpoints.check_fits(content, Stage(4), path)
    with pytest.raises(InputError, match=r"a.ckpt: a state of Stage, and the recipe's model is Linear; take"):
        checkpoints.check_fits(content, nn.Linear(2, 3), path)
    del content["state_dict"]["layer.bias"]
    with pytest.raises(InputError, match=r"a.ckpt: layer.bias is missing there and 3 in the recipe"):
        checkpoints.check_fits(content, Stage(), path)


@pytest.mark.parametrize(
    ("model", "data", "optimizers", "message"),
    [
        (
            {"class_path": "mine.Stage", "init_args": {"loss": "cosine", "sizes": [1, 2]}},
            {},
            [{}],
            "was trained with model.init_args.loss 'l2' and the recipe says 'cosine'; go on with the same",
        ),
        (
            {"class_path": "mine.Stage", "init_args": {"loss": "l2"}},
            {},
            [{}],
            r"was trained with model.init_args.sizes \[1, 2\] and the recipe says None",
        ),
        (
            MODEL,
            {"train": "b" * 64},
            [{}],
            r"was trained on other data \(split train, aaaaaaaaaaaa, not b",
        ),
        (MODEL, {"train": "a" * 64}, [], "holds no state of an optimizer"),
    ],
)
def test_nothing_goes_on_with_another_model_or_on_other_data(
    model: dict[str, Any], data: dict[str, str], optimizers: list[Any], message: str
) -> None:
    content = state(optimizer_states=optimizers)
    with pytest.raises(InputError, match=f"^a.ckpt: {message}"):
        checkpoints.check_resumes(content, model, data, "a.ckpt")
    checkpoints.check_resumes(state(), MODEL, {"train": "a" * 64, "val": "c" * 64}, "a.ckpt")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"state_dict": {"w": torch.tensor([1.0, float("nan")])}}, "w holds NaN or infinity"),
        ({"state_dict": {"w": torch.tensor([5e29])}}, r"w has grown to 5e\+29"),
        (
            {"optimizer_states": [{"state": {0: {"m": torch.tensor(float("inf"))}}}]},
            "the optimizer's state holds NaN or infinity",
        ),
    ],
)
def test_a_diverged_state_is_not_written_and_the_one_before_stays(
    tmp_path: Path, more: dict[str, Any], message: str
) -> None:
    path = saved(tmp_path / "a.ckpt")
    before = Path(path).read_bytes()
    with pytest.raises(DivergedError, match=f"^step 3: {message}; no checkpoint was written, the one before"):
        saved(tmp_path / "a.ckpt", **more)
    assert Path(path).read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ckpt"]


def save_too_much(path: Path) -> None:
    """Replace a checkpoint where the disk takes no more than 100 kB; the error goes to standard output."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        saved(path, big=torch.zeros(100_000))
    except InputError as error:
        print(error)


def test_a_disk_that_takes_no_more_costs_a_line_and_not_the_state_before(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.ckpt")
    before = Path(path).read_bytes()
    ended = forked.run(save_too_much, tmp_path / "a.ckpt")
    assert ended.status == 0, ended.err
    told = r"\S+/a.ckpt: cannot be written \(.*File too large.*\); free space; the state before, .*\n"
    assert re.fullmatch(told, ended.out)
    assert Path(path).read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ckpt"]


def save_for_ever(path: Path) -> None:
    """Replace a checkpoint again and again, by numbered ones."""
    for number in itertools.count():
        saved(path, number=number, big=torch.zeros(100_000))


def other_disk(path: Path) -> Path | None:
    """A folder on another file system than a path, if this machine has one that can be written."""
    for folder in ("/dev/shm", "/run", "/var/tmp"):
        if Path(folder).is_dir() and Path(folder).stat().st_dev != path.stat().st_dev:
            try:
                return Path(tempfile.mkdtemp(dir=folder))
            except OSError:
                continue
    return None


@pytest.mark.parametrize("times", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_a_checkpoint_outlives_kills_where_runs_and_temporary_files_lie_on_different_disks(
    tmp_path: Path, times: int
) -> None:
    elsewhere = other_disk(tmp_path)
    if elsewhere is None:
        pytest.skip("this machine has one file system alone")
    path = elsewhere / "run" / "last.ckpt"
    dice = random.Random(0)
    try:
        for _ in range(times):
            saving = forked.Forked(save_for_ever, path)
            try:
                before = path.stat().st_mtime_ns if path.exists() else 0
                while not path.exists() or path.stat().st_mtime_ns == before:
                    time.sleep(0.001)
                time.sleep(dice.uniform(0, 0.02))
            finally:
                saving.kill()
            checkpoints.read(str(path))
        saved(path)
        assert [entry.name for entry in path.parent.iterdir()] == ["last.ckpt"]
    finally:
        shutil.rmtree(elsewhere)
