import errno
import json
import os
import re
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import drawn_clips
from forked import Forked, run
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.verify import verify
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.distributed import everyone
from sound2scene.files import PARTIAL, partial_name
from sound2scene.types import Clip, InputError, Rejected
from two_ranks import on_two_ranks

PLAN = Plan("drawn", ["bell", "drum"], clips_per_shard=2, workers=2)
Jobs = dict[str, list[dict[str, Any]]]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def few(train: int = 5, val: int = 3) -> Jobs:
    return drawn_clips.jobs(counts={"train": train, "val": val})


def test_the_bytes_do_not_depend_on_the_number_of_processes(dataset: Path, tmp_path: Path) -> None:
    plan = Plan("drawn", clips_per_shard=4, workers=1, notes={"why": "tests"})
    write_dataset(tmp_path, drawn_clips.jobs(), drawn_clips.draw, plan)
    assert content(tmp_path) == content(dataset)


NOTED: list[str] = []


def draw_noted(job: dict[str, Any]) -> Clip | Rejected:
    NOTED.append(job["key"])
    return drawn_clips.draw_some(job)


def written_by_one_of_two(rank: int, folder: Path) -> list[str]:
    """Keys of the clips that one of two machines has drawn, each with one process."""
    write_dataset(folder, few(train=23, val=5), draw_noted, replace(PLAN, workers=1, team=everyone()))
    return NOTED


@pytest.mark.slow
def test_two_machines_write_what_one_does_and_no_clip_twice(tmp_path: Path) -> None:
    one, two, jobs = tmp_path / "one", tmp_path / "two", few(train=23, val=5)
    shares = on_two_ranks(partial(written_by_one_of_two, folder=two), tmp_path)
    assert sorted(shares[0] + shares[1]) == sorted(job["key"] for found in jobs.values() for job in found)
    assert min(map(len, shares)) > 10
    write_dataset(one, jobs, drawn_clips.draw_some, PLAN)
    assert content(two) == content(one)


def refusal_of_one_of_two(rank: int, folder: Path) -> str:
    """What a machine says that sees another number of clips than the other one."""
    with pytest.raises(InputError) as caught:
        write_dataset(folder, few(train=4 + rank), drawn_clips.draw, replace(PLAN, team=everyone()))
    return str(caught.value)


def write_on_the_first(rank: int, folder: Path) -> bool:
    """Write on one process of a group that is there for something else, as a fit does that lacks its data."""
    if rank == 0:
        write_dataset(folder, few(), drawn_clips.draw, replace(PLAN, workers=1))
    return rank == 0


@pytest.mark.slow
def test_a_process_of_a_group_that_writes_alone_waits_for_nobody(tmp_path: Path) -> None:
    assert on_two_ranks(partial(write_on_the_first, folder=tmp_path / "shards"), tmp_path) == [True, False]
    assert verify(tmp_path / "shards") == []


@pytest.mark.slow
def test_machines_that_see_different_files_are_refused_and_write_nothing(tmp_path: Path) -> None:
    refusals = on_two_ranks(partial(refusal_of_one_of_two, folder=tmp_path / "shards"), tmp_path)
    assert refusals[0] == refusals[1]
    assert "the same command, and a source on a disk that they share" in refusals[0]
    assert not (tmp_path / "shards").exists()


def killed_in_the_middle(folder: Path, jobs: Jobs) -> Path:
    """Shards of a process that was killed once some stood and others were under way."""
    writer = Forked(write_dataset, folder, jobs, drawn_clips.draw_few, PLAN)
    while len(list(folder.glob("*/*.part.json"))) < 2 and writer.is_running():
        time.sleep(0.02)
    assert writer.kill().status == -signal.SIGKILL
    return folder


def leave_half_a_shard(path: Path) -> None:
    """What a kill within a write leaves."""
    partial_name(path).write_bytes(b"half a shard")


@pytest.mark.slow
def test_a_killed_run_that_goes_on_equals_an_undisturbed_one(tmp_path: Path) -> None:
    whole, trace = tmp_path / "whole", tmp_path / "trace"
    jobs = {
        split: [job | {"trace": str(trace)} for job in jobs]
        for split, jobs in drawn_clips.jobs(counts={"train": 24, "val": 4}).items()
    }
    killed = killed_in_the_middle(tmp_path / "killed", jobs)
    done = list(killed.glob("*/*.part.json"))
    assert 2 <= len(done) < 14
    assert not (killed / "dataset.json").exists()
    run(leave_half_a_shard, killed / "train" / "000000.tar")
    drawn = len(trace.read_text().splitlines())
    write_dataset(killed, jobs, drawn_clips.draw_and_tell, PLAN)
    # Nothing that stood was drawn again.
    assert len(trace.read_text().splitlines()) - drawn == 28 - 2 * len(done)
    write_dataset(whole, jobs, drawn_clips.draw_and_tell, PLAN)
    assert content(killed) == content(whole)
    kinds = {path.name.partition(".")[2] for path in killed.rglob("*") if path.is_file()}
    assert kinds == {"tar", "npz", "jsonl", "json"}
    assert not list(killed.rglob("*.part.json"))


def test_a_finished_dataset_is_left_as_it_is(tmp_path: Path) -> None:
    write_dataset(tmp_path, few(), drawn_clips.draw, PLAN)
    (tmp_path / "val" / "000000.part.json").write_text(
        (tmp_path / "dataset.json").read_text()
    )  # killed at the end
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if ".part." not in path.name}
    write_dataset(tmp_path, few(), drawn_clips.draw, PLAN)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == before


def test_rejected_clips_are_counted_and_listed_with_their_reasons(tmp_path: Path) -> None:
    write_dataset(tmp_path, drawn_clips.jobs(counts={"train": 9, "val": 1}), drawn_clips.draw_some, PLAN)
    card = json.loads((tmp_path / "dataset.json").read_text())["splits"]
    assert {split: (found["clips"], found["rejected"]) for split, found in card.items()} == {
        "train": (5, 4),
        "val": (1, 0),
    }
    lines = [json.loads(line) for line in (tmp_path / "train" / "rejected.jsonl").read_text().splitlines()]
    assert lines == [
        {"key": "train-01", "reason": "no sound of that name", "kind": "no_sound"},
        {"key": "train-03", "reason": "train-03.jpg: not a readable picture", "kind": "unreadable"},
        {"key": "train-06", "reason": "no sound of that name", "kind": "no_sound"},
        {"key": "train-08", "reason": "train-08.jpg: not a readable picture", "kind": "unreadable"},
    ]
    assert [ShardDataset(tmp_path, "train").key(n) for n in range(5)] == [
        f"train-0{n}" for n in (0, 2, 4, 5, 7)
    ]


def test_shards_of_rejected_clips_alone_are_no_files(tmp_path: Path) -> None:
    jobs = {"val": [{"key": f"v{n}", "seed": n} for n in (1, 6, 0, 2)]}
    write_dataset(tmp_path, jobs, drawn_clips.draw_some, PLAN)
    assert [path.name for path in (tmp_path / "val").glob("*.tar")] == ["000001.tar"]
    assert ShardDataset(tmp_path, "val")[1].key == "v2"


def doubled(split: str, names: bool) -> tuple[Jobs, Callable[..., Any]]:
    jobs = few()
    if names:
        jobs[split][-1]["key"] = "train-00"
        return jobs, drawn_clips.draw
    jobs[split][-1]["name"] = "train-00"
    return jobs, drawn_clips.draw_under_one_name


@pytest.mark.parametrize("names", [True, False], ids=["jobs", "clips"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_key_that_stands_twice_is_refused(split: str, names: bool, tmp_path: Path) -> None:
    jobs, make_clip = doubled(split, names)
    with pytest.raises(InputError, match=r"1 keys stand twice.*train-00") as caught:
        write_dataset(tmp_path, jobs, make_clip, PLAN)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "dataset.json").exists()
    assert bool(list(tmp_path.rglob("*.tar"))) != names  # seen before the work where the jobs tell


def test_a_key_that_stands_twice_in_one_shard_is_refused(tmp_path: Path) -> None:
    jobs = few()
    jobs["train"][1]["name"] = "train-00"
    with pytest.raises(InputError, match=r"000000\.tar: clip train-00 stands twice"):
        write_dataset(tmp_path, jobs, drawn_clips.draw_under_one_name, PLAN)
    assert not (tmp_path / "dataset.json").exists()


def test_keys_that_begin_with_a_dash_or_are_long_come_back(tmp_path: Path) -> None:
    names = ["-1pRmoJIGQc_10000_20000", "--x", "_", "k" * 180]
    jobs = {"val": [{"key": name, "seed": seed} for seed, name in enumerate(names)]}
    write_dataset(tmp_path, jobs, drawn_clips.draw, PLAN)
    shards = ShardDataset(tmp_path, "val")
    assert [shards[n].key for n in range(len(shards))] == names
    assert shards[3].jpeg == drawn_clips.draw(jobs["val"][3]).jpeg


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ((few(4), PLAN), "clips of train: 5, now 4"),
        ((few(), replace(PLAN, clips_per_shard=3)), "other files, labels, moments or sizes"),
        ((few(), replace(PLAN, notes={"moments": {"frame": "middle"}})), "moments.frame: none, now middle"),
        ((few(), replace(PLAN, classes=["drum", "bell"])), "classes: bell, drum, now drum, bell"),
        (
            (few(3, 4), replace(PLAN, name="b")),
            "name: drawn, now b; clips of train: 5, now 3; clips",
        ),
    ],
    ids=["jobs", "size", "notes", "classes", "several"],
)
def test_a_folder_of_other_jobs_is_refused_with_what_differs_and_kept(
    other: tuple[Jobs, Plan], told: str, tmp_path: Path
) -> None:
    write_dataset(tmp_path, few(), drawn_clips.draw, PLAN)
    before = content(tmp_path)
    with pytest.raises(InputError, match=r"dataset\.json is of a dataset made from other clips") as caught:
        write_dataset(tmp_path, other[0], drawn_clips.draw, other[1])
    assert str(tmp_path) in str(caught.value)
    assert f" ({told}" in str(caught.value)
    assert content(tmp_path) == before
    write_dataset(tmp_path, few(), drawn_clips.draw, replace(PLAN, workers=1))


def test_a_folder_with_the_unfinished_shards_of_other_jobs_is_refused_and_kept(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_dataset(tmp_path, few(), drawn_clips.fail, PLAN)
    before = content(tmp_path)
    with pytest.raises(InputError, match=r"\.part\.json is of a dataset made from other clips"):
        write_dataset(tmp_path, few(4), drawn_clips.draw, PLAN)
    assert content(tmp_path) == before


def test_a_damaged_card_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"format": 1')
    with pytest.raises(
        InputError, match=r"dataset\.json: not valid JSON .*; remove it, or choose another folder"
    ):
        write_dataset(tmp_path, few(), drawn_clips.draw, PLAN)
    assert content(tmp_path) == {"dataset.json": b'{"format": 1'}


def test_labels_outside_the_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels \['drum'\] are not among the classes"):
        write_dataset(tmp_path, few(), drawn_clips.draw, replace(PLAN, classes=["bell"]))
    assert not (tmp_path / "dataset.json").exists()


def test_classes_are_the_labels_that_occur_where_none_are_named(dataset: Path, tmp_path: Path) -> None:
    assert ShardDataset(dataset, "val").classes == ["bell", "drum"]
    write_dataset(tmp_path, few(2, 1), drawn_clips.draw, replace(PLAN, classes=["siren", "drum", "bell"]))
    shards = ShardDataset(tmp_path, "train")
    assert shards.label_N.tolist() == [2, 1]


def test_a_fault_of_ours_is_no_rejected_clip_and_leaves_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        write_dataset(tmp_path, few(), drawn_clips.fail, PLAN)
    assert not (tmp_path / "dataset.json").exists()
    assert not list(tmp_path.rglob(f".*{PARTIAL}"))


def test_two_processes_that_write_one_dataset_both_end_well_and_one_says_that_it_waited(
    tmp_path: Path,
) -> None:
    jobs, plan = drawn_clips.jobs(counts={"train": 8, "val": 2}), replace(PLAN, workers=1)
    both = [Forked(write_dataset, tmp_path / "both", jobs, drawn_clips.draw, plan) for _ in range(2)]
    ended = [one.wait() for one in both]
    assert [one.status for one in ended] == [0, 0]
    assert not any("Traceback" in one.err for one in ended)
    write_dataset(tmp_path / "alone", jobs, drawn_clips.draw, plan)
    assert content(tmp_path / "both") == content(tmp_path / "alone")
    assert {path.name for path in tmp_path.iterdir()} == {"both", "alone"}


def write_within(limit_bytes: int, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    try:
        write_dataset(folder, few(), drawn_clips.draw, PLAN)
    except InputError as error:
        raise SystemExit(f"refused: {error}") from None


@pytest.mark.costly
def test_files_beyond_the_limit_of_the_system_end_in_one_line_and_nothing_is_half_written(
    tmp_path: Path,
) -> None:
    ended = run(write_within, 4096, tmp_path)
    assert ended.status == 1
    (line,) = [line for line in ended.err.splitlines() if "refused" in line]
    assert re.search(r"refused: .*/00000\d\.tar: cannot be written \(File too large\); free space", line)
    assert "Traceback" not in ended.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"]
    assert not (tmp_path / "dataset.json").exists()
    write_dataset(tmp_path, few(), drawn_clips.draw, PLAN)
    assert verify(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS])
def test_a_disk_that_takes_no_more_ends_in_one_line(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", refuse)
        with pytest.raises(
            InputError, match=rf"\.tar: cannot be written \({os.strerror(number)}\)"
        ) as caught:
            write_dataset(tmp_path, few(), drawn_clips.draw, replace(PLAN, workers=1))
    assert "\n" not in str(caught.value)
    assert content(tmp_path) == {}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_dataset(tmp_path / "file" / "below", few(), drawn_clips.draw, PLAN)
