import json
from itertools import combinations

import numpy as np
import pytest

from sound2scene.data.toy import pictures
from sound2scene.data.toy.truth import KINDS, Truth, draw_truth


def singles(count: int, split: str = "train", seed: int = 5) -> list[Truth]:
    return [draw_truth(seed, split, index) for index in range(count)]


def test_truth_survives_json_exactly() -> None:
    for truth in (draw_truth(1, "train", 2), draw_truth(1, "test", 2, sources=2)):
        assert Truth.from_json(json.loads(json.dumps(truth.as_json()))) == truth


def test_splits_share_no_clip_and_kinds_are_balanced() -> None:
    drawn = {split: singles(64, split) for split in ("train", "val", "test")}
    for a, b in combinations(drawn.values(), 2):
        assert not {t.sources for t in a} & {t.sources for t in b}
        assert not {t.seed for t in a} & {t.seed for t in b}
    for truths in drawn.values():
        assert {kind: sum(t.label == kind for t in truths) for kind in KINDS} == dict.fromkeys(KINDS, 8)
    assert len(KINDS) == 8


@pytest.mark.costly
def test_truth_stays_in_its_ranges_and_the_middle_frame_misses_most_objects() -> None:
    truths = singles(800)
    for source in (t.sources[0] for t in truths):
        assert 2 <= source.end_s - source.start_s <= 4
        assert 0 <= source.start_s < source.end_s <= 10
        assert -34 <= source.loudness_db <= -6
        assert 0 <= source.pitch <= 1
        x0, y0, x1, y1 = source.box
        assert 0 <= x0 < source.x < x1 <= 1
        assert 0 <= y0 < source.y < y1 <= 1
    missed = np.mean([not s.start_s - 0.2 < 5.0 < s.end_s + 0.2 for t in truths for s in t.sources])
    assert 0.5 <= missed <= 0.7
    assert {t.background for t in truths} == set(pictures.BACKGROUNDS)


def test_two_sources_differ_in_kind_sound_together_and_stand_on_two_sides() -> None:
    truths = [draw_truth(5, "test", index, sources=2) for index in range(56)]
    assert len({tuple(s.kind for s in t.sources) for t in truths}) == 56  # every ordered pair of kinds
    for truth in truths:
        left, right = truth.sources
        assert left.kind != right.kind
        assert left.diameter / 2 <= left.x <= 0.5 - left.diameter / 2
        assert 0.5 + right.diameter / 2 <= right.x <= 1 - right.diameter / 2
        assert min(left.end_s, right.end_s) - max(left.start_s, right.start_s) >= 1
        assert truth.label is None
        assert all(s.start_s < truth.moment_true_s < s.end_s for s in truth.sources)


def test_the_world_is_the_one_that_the_artifacts_in_git_have_learned_from() -> None:
    truth = draw_truth(0, "train", 0)
    (source,) = truth.sources
    assert (truth.seed, truth.background, source.seed) == (2338509034, "noise", 1119518575)
    assert (source.start_s, source.end_s) == (5.424536230243737, 7.726745573812431)
    assert (source.loudness_db, source.pitch) == (-11.965566158727377, 0.21242711641958456)
    left, right = draw_truth(0, "test", 3, sources=2).sources
    assert (left.kind, left.seed, right.kind, right.seed) == ("bird", 3578962953, "rain", 1015731685)
