from pathlib import Path

import numpy as np
import pytest

from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.toy import pictures
from sound2scene.data.toy.scenes import scene_of, scenes_of
from sound2scene.data.toy.truth import KINDS, draw_truth
from sound2scene.types import InputError


def test_a_scene_is_what_the_truth_says_of_each_kind() -> None:
    truth = draw_truth(7, "val", 3, sources=2)
    scene = scene_of(truth)
    assert scene.present_BK.tolist() == [[float(k in {s.kind for s in truth.sources}) for k in KINDS]]
    for source in truth.sources:
        place_3 = scene.place_BK3[0, KINDS.index(source.kind)]
        assert place_3.tolist() == pytest.approx([source.x, source.y, source.diameter])
    assert not scene.place_BK3[scene.present_BK == 0].any()
    assert pictures.BACKGROUNDS[int(scene.background_B)] == truth.background


def test_at_another_moment_an_object_has_drifted_or_is_gone() -> None:
    truth = draw_truth(7, "val", 0)
    (source,) = truth.sources
    kind = KINDS.index(source.kind)
    later = scene_of(truth, source.middle_s + 0.5)
    assert later.present_BK[0, kind] == 1
    place = [float(part) for part in pictures.placed(source.sprite, np.array(0.5))]
    assert later.place_BK3[0, kind].tolist() == pytest.approx(place)
    assert place != pytest.approx([source.x, source.y, source.diameter], abs=1e-4)
    assert not scene_of(truth, source.end_s + 1).present_BK.any()


def test_an_object_is_drawn_where_it_is_said_to_be_placed() -> None:
    for second in (0.0, 0.7, -1.1):
        sprite = pictures.Sprite("siren", 0.5, 0.5, 0.4, seed=11)
        canvas_TCHW = np.zeros((1, 3, 128, 128), dtype=np.float32)
        pictures.paint(canvas_TCHW, sprite, np.array([second]), np.ones(1))
        rows, columns = np.nonzero(canvas_TCHW[0].max(0) > 8)
        x, y, diameter = (float(part) for part in pictures.placed(sprite, np.array(second)))
        assert (columns.mean() + 0.5) / 128 == pytest.approx(x, abs=0.01)
        assert (rows.mean() + 0.5) / 128 == pytest.approx(y, abs=0.01)
        # A siren fills 0.92 of its circle, and has a rim; its aspect keeps its area.
        assert 2 * np.sqrt(len(rows) / np.pi) / 128 == pytest.approx(0.92 * diameter, abs=0.03)


def test_other_data_has_no_scenes(tiny_shards: Path) -> None:
    with pytest.raises(InputError, match=r"val-000: not of the toy world, of whose pictures all is known$"):
        scenes_of(ShardDataset(tiny_shards, "val"), [0])
