from pathlib import Path

import pytest

from scoring import tone_shards
from sound2scene.control.score_clips import ToyClips
from sound2scene.types import InputError
from tiny import tiny_dataset
from toy_scenes import toy_pictures


def test_clips_of_one_source_and_of_two_are_told_apart_up_to_a_number(tones: Path) -> None:
    every, few = (ToyClips(str(tones), "test", most) for most in (100, 2))
    assert (len(every.single), len(every.shown), len(every.double)) == (8, 8, 3)
    assert (len(few.single), len(few.double)) == (2, 2)
    assert every.kinds(every.single).tolist() == list(range(8))
    assert all(every.heard(position).present_BK.sum() == 2 for position in every.double)


def test_a_partner_is_of_another_kind_and_depends_on_clip_and_seed_alone(tones: Path) -> None:
    one, same, other = (ToyClips(str(tones), "test", 8, seed) for seed in (1, 1, 2))
    partners = [one.partner(position) for position in one.single]
    assert all(one.kind(a) != one.kind(b) for a, b in zip(one.single, partners, strict=True))
    assert partners == [same.partner(position) for position in reversed(same.single)][::-1]
    assert partners != [other.partner(position) for position in other.single]
    assert len(set(partners)) > 2


def test_a_silent_clip_is_left_out_with_its_reason(tmp_path: Path) -> None:
    clips = ToyClips(str(tone_shards(tmp_path / "shards", single=4, double=0, silent=1)), "test", 8)
    assert len(clips.single) == 3
    (rejected,) = clips.rejected
    assert rejected.reason.endswith(f"{rejected.key}: silent, so that nothing can be heard in it")


def test_clips_that_cannot_be_measured_on_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not of the toy world"):
        ToyClips(str(tiny_dataset(tmp_path / "tiny", train=1, val=1)), "val", 8)
    silent = toy_pictures(tmp_path / "silent", train=1, val=4)
    with pytest.raises(InputError, match=r"val shows fewer than two kinds of source in 0 clips of one"):
        ToyClips(str(silent), "val", 8)
    with pytest.raises(InputError, match="no split 'tset'"):
        ToyClips(str(silent), "tset", 8)
