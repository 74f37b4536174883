import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import drawn_clips
from sound2scene import cli
from sound2scene.data.shards.verify import verify
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.types import InputError


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


def test_a_whole_dataset_has_no_problems(dataset: Path, tmp_path: Path) -> None:
    assert verify(dataset) == []
    jobs = drawn_clips.jobs(counts={"train": 9, "val": 0})
    assert verify(write_dataset(tmp_path, jobs, drawn_clips.draw_some, Plan("some", workers=1))) == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_one_flipped_bit_is_found(copy: Path, share: float) -> None:
    path = copy / "val" / "000001.tar"
    data = bytearray(path.read_bytes())
    data[int(share * len(data))] ^= 1
    path.write_bytes(data)
    assert any("val/000001.tar" in problem for problem in verify(copy))


def flip_in_index(folder: Path) -> None:
    file = folder / "val" / "index.npz"
    with np.load(file) as found:
        arrays = dict(found)
    arrays["label"][0] = 1 - arrays["label"][0]
    np.savez(file, **arrays)


def drop_a_line(folder: Path) -> None:
    (folder / "val" / "rejected.jsonl").write_text('{"key": "x", "reason": "y"}\n')


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing shard": (lambda f: (f / "val/000000.tar").unlink(), "val/000000.tar: missing"),
    "cut shard": (
        lambda f: (f / "val/000000.tar").write_bytes(b"x" * 100),
        "val/000000.tar: 100 bytes of another checksum than the",
    ),
    "missing index": (lambda f: (f / "val/index.npz").unlink(), "val/index.npz: missing"),
    "damaged index": (lambda f: (f / "val/index.npz").write_bytes(b"x"), "val/index.npz: damaged index"),
    "wrong index": (flip_in_index, "val/index.npz: does not say what the shards hold"),
    "missing rejected list": (lambda f: (f / "val/rejected.jsonl").unlink(), "val/rejected.jsonl: missing"),
    "other rejected list": (drop_a_line, "val/rejected.jsonl: lists 1 clips, not 0"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_named_and_nothing_else_is(copy: Path, name: str) -> None:
    damage, complaint = DAMAGE[name]
    damage(copy)
    problems = verify(copy)
    assert any(problem.startswith(complaint) for problem in problems)
    assert all(problem.startswith("val/") for problem in problems)
    assert all("\n" not in problem for problem in problems)


def test_a_name_that_stands_in_two_splits_is_found(copy: Path) -> None:
    shutil.rmtree(copy / "test")
    shutil.copytree(copy / "val", copy / "test")
    card = json.loads((copy / "dataset.json").read_text())
    card["splits"]["test"] = card["splits"]["val"]
    (copy / "dataset.json").write_text(json.dumps(card))
    assert verify(copy) == [f"{job['key']}: stands 2 times" for job in drawn_clips.jobs()["val"]]


def test_a_name_that_stands_twice_in_a_split_is_found(copy: Path) -> None:
    card = json.loads((copy / "dataset.json").read_text())
    val = card["splits"]["val"]
    val["shards"].append(val["shards"][0])
    val["clips"] += 4
    (copy / "dataset.json").write_text(json.dumps(card))
    file = copy / "val" / "index.npz"
    with np.load(file) as found:
        arrays = {name: np.concatenate([array, array[:4]]) for name, array in found.items()}
    arrays["shard"][-4:] = 2
    np.savez(file, **arrays)
    assert verify(copy) == [f"val-0{number}: stands 2 times" for number in range(4)]


def test_pictures_and_sounds_that_do_not_decode_are_found(tmp_path: Path) -> None:
    jobs = {"val": [{"key": "a", "seed": 0}, {"key": "b", "seed": 1}]}
    folder = write_dataset(tmp_path, jobs, draw_damaged, Plan("damaged", workers=1))
    (problem,) = verify(folder)
    assert problem.startswith(f"{folder}/val/000000.tar:b: not a readable picture")


def draw_damaged(job: dict[str, object]) -> object:
    clip = drawn_clips.draw(job)
    return clip if job["key"] == "a" else type(clip)(clip.key, clip.jpeg[:50], clip.waveform_T, None)


def test_the_command_reports_counts_and_problems_and_ends_with_0_1_or_2(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", str(copy)]) == 0
    counts = "train 23 clips (0 rejected), val 7 clips (0 rejected), test 5 clips (0 rejected)"
    assert capsys.readouterr().out == f"{copy}: {counts}; 0 problems\n"
    (copy / "val" / "000001.tar").unlink()
    assert cli.main(["verify", str(copy)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith(f"; {len(out) - 1} problems")
    assert "- val/000001.tar: missing" in out
    (copy / "dataset.json").unlink()
    assert cli.main(["verify", str(copy)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sound2scene: {copy}: no dataset.json there")
    assert error.count("\n") == 1


def test_a_missing_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset\.json there"):
        verify(tmp_path)
