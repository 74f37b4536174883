from pathlib import Path

import pytest

from sound2scene.data.selection.file import Selection
from sound2scene.data.toy import world as toy
from sound2scene.data.toy.jobs import toy_jobs
from sound2scene.moments import Choice
from sound2scene.types import InputError

CLIPS = {"train": 2, "val": 0, "test": 1}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy.write_videos(folder, CLIPS, 0.5, seed=0, workers=1)
    return folder


def test_every_clip_is_a_job_with_its_truth_and_a_split_without_clips_is_none(videos: Path) -> None:
    jobs = toy_jobs(videos, CLIPS, "true")
    assert {split: len(found) for split, found in jobs.items()} == {"train": 3, "test": 1}
    for split, found in jobs.items():
        for job, truth in zip(found, toy.read_truth(videos, split), strict=True):
            assert (job["key"], job["label"], job["side_px"]) == (truth.key, truth.label, 128)
            assert job["moment_s"] == truth.moment_true_s
            assert Path(job["video"]).is_file()
            assert toy.Truth.from_json(job["metadata"]) == truth


def test_moments_are_found_by_a_rule_or_in_a_selection(videos: Path) -> None:
    assert [job["moment_s"] for job in toy_jobs(videos, ["train"], "middle")["train"]] == ["middle"] * 3
    chosen = Selection(
        {},
        {
            "train/toy-train-000000": Choice((7.5, 1.0), (), 10.0),
            "train/toy-train-mix-000000": Choice((2.5,), (), 10.0),
        },
        {"train/toy-train-000001": ("k", "r")},
    )
    first, second, third = toy_jobs(videos, ["train"], chosen)["train"]
    assert first["moment_s"] == 7.5
    assert second["rejected"] == ("k", "r")
    assert third["moment_s"] == 2.5
    with pytest.raises(InputError, match=r"toy-test-000000\.mp4: not in the selection; select the moments"):
        toy_jobs(videos, ["test"], chosen)


def test_one_of_the_best_moments_is_drawn_once_for_each_video(videos: Path) -> None:
    seconds = (7.5, 1.0, 2.0, 3.0, 9.0)
    keys = [truth.key for truth in toy.read_truth(videos, "train")]
    chosen = Selection({}, {f"train/{key}": Choice(seconds, (), 10.0) for key in keys}, {})

    def drawn(best: int) -> list[object]:
        return [job["moment_s"] for job in toy_jobs(videos, ["train"], chosen, best)["train"]]

    assert drawn(1) == [7.5] * 3
    assert drawn(4) == drawn(4)
    assert set(drawn(4)) <= set(seconds[:4])
    assert any(len(set(drawn(best))) > 1 for best in (2, 3, 4))
