from pathlib import Path

from drawn_clips import draw_some, jobs
from sound2scene.data.corpora.clean import clean_jobs, make_copy
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.types import Clip, Rejected


def test_clips_are_copied_bit_by_bit_and_what_is_left_out_is_rejected(tmp_path: Path) -> None:
    source = write_dataset(tmp_path / "source", jobs(), draw_some, Plan("drawn", workers=1))
    left_out = {"test": {"test-00": "same_sound, silent"}}
    found = clean_jobs(Folder(source), left_out)
    copied = write_dataset(tmp_path / "copy", found, make_copy, Plan("drawn", workers=1))
    before, after = ShardDataset(source, "test"), ShardDataset(copied, "test")
    assert [after.key(position) for position in range(len(after))] == ["test-02", "test-04"]
    for kind in ("jpg", "flac", "json"):
        assert after.member(0, kind) == before.member(1, kind)
    assert ShardDataset(copied, "train").fingerprint == ShardDataset(source, "train").fingerprint
    card = Folder(copied).split("test")
    assert card["kinds"] == {"no_sound": 1, "same_sound": 1, "unreadable": 1}


def test_a_job_says_why_its_clip_is_left_out(tmp_path: Path) -> None:
    source = write_dataset(tmp_path / "source", jobs(), draw_some, Plan("drawn", workers=1))
    first, second, *_ = clean_jobs(Folder(source), {"test": {"test-00": "same_sound, silent"}})["test"]
    assert make_copy(first) == Rejected("test-00", "left out: same sound, silent", "same_sound")
    assert isinstance(make_copy(second), Clip)
