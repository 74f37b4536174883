import json
from pathlib import Path
from typing import Any

import pytest

from sound2scene import cli
from sound2scene.data.selection.file import Selection
from sound2scene.data.vggsound.annotations import load_published, load_selection, read_vggss, save_published
from sound2scene.moments import Choice
from sound2scene.types import InputError

SCORER = {"name": "x.Y", "fingerprint": None, "settings": {"top_k": 2}}
# As the README of the published code shows them.
PUBLISHED = {
    "9fhhMaXTraI_44000_54000": [47, 46, 45, 23, 42, 9, 44, 56, 27, 17],
    "G_JwMzRLRNo_252000_262000": [2, 1, 26, 29, 15, 16, 11, 3, 14, 23],
}


def test_boxes_are_gathered_by_clip_and_those_that_have_overflown_are_left_out(tmp_path: Path) -> None:
    good, overflown = [0.1, 0.2, 0.5, 0.6], [0.1, 0.2, -2.8823037615171176e16, 0.6]
    found = [
        ("clip-number_000030", [good]),
        ("clip-number_000030", [overflown, good]),
        ("lost-number_000030", [overflown]),
    ]
    items = [{"file": name, "class": "x", "bbox": boxes} for name, boxes in found]
    (tmp_path / "boxes.json").write_text(json.dumps(items))
    assert read_vggss(tmp_path / "boxes.json") == {"clip-number_30000_40000": (tuple(good), tuple(good))}


def test_the_published_boxes_can_be_read(real_data: Path) -> None:
    boxes = read_vggss(real_data / "metadata" / "lvs_vggss.json")
    assert len(boxes) == 5157
    assert boxes["zpWuikVorYg_32000_42000"] == ((0.403125, 0.253125, 0.6, 0.75),)


@pytest.mark.parametrize(
    "content", ["{", "[1]", "[" * 10**5, '[{"file": "x", "bbox": []}]', '[{"file": "abcdefghijk_000001"}]']
)
def test_another_file_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(content)
    with pytest.raises(InputError, match=r"^.*boxes\.json: .*; give VGG-SS's list") as caught:
        read_vggss(tmp_path / "boxes.json")
    assert "\n" not in str(caught.value)


def test_a_missing_annotation_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: missing; give the published list"):
        load_published(tmp_path / "none.json")


@pytest.mark.parametrize("layout", ["list", "mapping"])
def test_the_published_layouts_become_seconds_and_come_back(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, selection, again = (
        tmp_path / name for name in ("published.json", "selection.json", "again.json")
    )
    boxes = {"9fhhMaXTraI_44000_54000": [0, 0, 1, 1]}
    source.write_text(json.dumps([boxes, PUBLISHED] if layout == "list" else PUBLISHED))
    assert cli.main(["moments", "import", str(source), "-o", str(selection)]) == 0
    assert capsys.readouterr().out == f"{selection}: moments of 2 videos\n"
    found = Selection.load(selection)
    assert found.scorer["name"] == "published"
    assert found.videos["9fhhMaXTraI_44000_54000"].moments_s[:2] == (4.6, 4.5)
    assert found.videos["G_JwMzRLRNo_252000_262000"].moments_s[1] == 0.0
    assert {(choice.scores, choice.duration_s) for choice in found.videos.values()} == {((), 10.0)}
    assert cli.main(["moments", "export", str(selection), "-o", str(again), "--layout", layout]) == 0
    written = json.loads(again.read_text())
    assert written == ([{}, PUBLISHED] if layout == "list" else PUBLISHED)


def test_every_index_survives_the_way_through_seconds(tmp_path: Path) -> None:
    indices = list(range(1, 1001))
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"k": indices}))
    load_published(path).save(tmp_path / "s.json")
    save_published(Selection.load(tmp_path / "s.json"), path, "mapping")
    assert json.loads(path.read_text()) == {"k": indices}


def test_export_gives_the_nearest_index_under_the_published_name(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    videos = {
        "train/9fhhMaXTraI_000044": Choice((0.04, 0.06, 9.95), (), 10.0),
        "dog/abc": Choice((1.0,), (), 10.0),
    }
    save_published(Selection(SCORER, videos, {}), path)
    assert json.loads(path.read_text()) == [{}, {"9fhhMaXTraI_44000_54000": [1, 2, 101], "dog/abc": [11]}]


def test_two_videos_of_one_published_name_are_refused(tmp_path: Path) -> None:
    videos = {f"{split}/9fhhMaXTraI_000044": Choice((1.0,), (), 10.0) for split in ("a", "b")}
    with pytest.raises(InputError, match="published name '9fhhMaXTraI_44000_54000' too"):
        save_published(Selection(SCORER, videos, {}), tmp_path / "p.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value",
    [
        {"k": [0]},
        {"k": [-3]},
        {"k": [1.0]},
        {"k": [True]},
        {"k": []},
        {"k": 7},
        {"k": ["1"]},
        {"k": [10**400]},
        [],
        [{}],
        [{}, []],
        [{}, {}, {}],
        "x",
        3,
    ],
)
def test_what_is_no_published_annotation_is_refused_in_one_line(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"(?i)p\.json: .*(expected|whole number)") as caught:
        load_published(path)
    assert "\n" not in str(caught.value)


def test_a_selection_is_not_taken_for_the_published_annotation(tmp_path: Path) -> None:
    Selection(SCORER, {"a": Choice((0.0,), (), 2.0)}, {}).save(tmp_path / "s.json")
    with pytest.raises(InputError, match="expected a mapping of names to indices"):
        load_published(tmp_path / "s.json")


def test_a_file_of_moments_may_be_ours_or_the_published_one(tmp_path: Path) -> None:
    ours = Selection(SCORER, {"a": Choice((0.5,), (1.0,), 2.0)}, {})
    ours.save(tmp_path / "ours.json")
    (tmp_path / "published.json").write_text(json.dumps([{}, {"video-_0000_30000_40000": [47, 1]}]))
    assert load_selection(tmp_path / "ours.json") == ours
    found = load_selection(tmp_path / "published.json")
    assert found.videos["video-_0000_30000_40000"].moments_s == pytest.approx((4.6, 0.0))
    assert found.scorer["name"] == "published"


def test_a_file_of_neither_kind_is_refused_as_a_selection_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match=r"s\.json: format None, this version reads 1"):
        load_selection(tmp_path / "s.json")
