import json
import math
from pathlib import Path
from typing import Any

import pytest

from sound2scene import cli
from sound2scene.data.selection.file import Choice, Selection
from sound2scene.data.video.find import find_videos
from sound2scene.types import InputError

SCORER = {"name": "x.Y", "fingerprint": None, "settings": {"top_k": 2}}
# As the README of the published code shows them.
PUBLISHED = {
    "9fhhMaXTraI_44000_54000": [47, 46, 45, 23, 42, 9, 44, 56, 27, 17],
    "G_JwMzRLRNo_252000_262000": [2, 1, 26, 29, 15, 16, 11, 3, 14, 23],
}


def some() -> Selection:
    videos = {"b/ü": Choice((1.1, 0.3), (0.123456789, -1e-9), 10.0000001), "a": Choice((0.0,), (), 2.0)}
    return Selection(
        SCORER, videos, {"z": ("silent", 'z.mp4: "silent"; leave it out'), "c": ("no_audio", "why")}
    )


def test_a_selection_comes_back_rounded_to_six_digits_and_its_text_does_not_depend_on_order(
    tmp_path: Path,
) -> None:
    path = tmp_path / "selection.json"
    some().save(path)
    found = Selection.load(path)
    assert found.scorer == SCORER
    assert found.rejected == some().rejected
    assert found.videos == {"b/ü": Choice((1.1, 0.3), (0.123457, 0.0), 10.0), "a": Choice((0.0,), (), 2.0)}
    turned = Selection(SCORER, dict(reversed(found.videos.items())), dict(reversed(found.rejected.items())))
    assert turned.to_json() == some().to_json() == path.read_text()
    assert "-0.0" not in path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["selection.json"]


def test_an_empty_selection_comes_back(tmp_path: Path) -> None:
    Selection(SCORER, {}, {}).save(tmp_path / "s.json")
    assert Selection.load(tmp_path / "s.json") == Selection(SCORER, {}, {})


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.s\.json: cannot be written"):
        some().save(tmp_path / "absent" / "s.json")


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(some().to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"format": 1, "format": 1}', r"cannot be read as JSON \('format' more than once\)"),
        ("[]", "not a selection of format 1.*moments import"),
        (changed(format=2), "not a selection of format 1"),
        (changed(videos=[]), "must be mappings"),
        (changed(scorer=None), "must be mappings"),
        (changed(rejected={"z": "silent"}), "rejected 'z': expected a kind and a reason"),
        (changed(videos={"k": [1.0]}), "'k': expected moments_s, scores and duration_s"),
        (changed(videos={"k": {"moments_s": [], "scores": [], "duration_s": 1}}), "'k': needs a moment"),
        (changed(videos={"k": {"moments_s": [-0.1], "scores": [], "duration_s": 1}}), "none before second 0"),
        (
            changed(videos={"k": {"moments_s": [1, 2], "scores": [1], "duration_s": 1}}),
            "no score or one for each",
        ),
        (changed(videos={"k": {"moments_s": [math.nan], "scores": [], "duration_s": 1}}), "finite numbers"),
        (changed(videos={"k": {"moments_s": ["1"], "scores": [], "duration_s": 1}}), "finite numbers"),
        (changed(videos={"k": {"moments_s": [1], "scores": [True], "duration_s": 1}}), "finite numbers"),
        (changed(videos={"k": {"moments_s": [1], "scores": [], "duration_s": 10**400}}), "finite numbers"),
    ],
)
def test_a_bad_file_ends_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Selection.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (Selection.load, Selection.load_published):
        with pytest.raises(InputError, match=r"none\.json: cannot be read"):
            read(tmp_path / "none.json")


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
    Selection.load_published(path).save(tmp_path / "s.json")
    Selection.load(tmp_path / "s.json").save_published(path, "mapping")
    assert json.loads(path.read_text()) == {"k": indices}


def test_export_gives_the_nearest_index_under_the_published_name(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    videos = {
        "train/9fhhMaXTraI_000044": Choice((0.04, 0.06, 9.95), (), 10.0),
        "dog/abc": Choice((1.0,), (), 10.0),
    }
    Selection(SCORER, videos, {}).save_published(path)
    assert json.loads(path.read_text()) == [{}, {"9fhhMaXTraI_44000_54000": [1, 2, 101], "dog/abc": [11]}]


def test_two_videos_of_one_published_name_are_refused(tmp_path: Path) -> None:
    videos = {f"{split}/9fhhMaXTraI_000044": Choice((1.0,), (), 10.0) for split in ("a", "b")}
    with pytest.raises(InputError, match="published name '9fhhMaXTraI_44000_54000' too"):
        Selection(SCORER, videos, {}).save_published(tmp_path / "p.json")
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
    with pytest.raises(InputError, match=r"p\.json: .*expected") as caught:
        Selection.load_published(path)
    assert "\n" not in str(caught.value)


def test_a_selection_is_not_taken_for_the_published_annotation(tmp_path: Path) -> None:
    some().save(tmp_path / "s.json")
    with pytest.raises(InputError, match="expected a mapping of names to indices"):
        Selection.load_published(tmp_path / "s.json")


def test_videos_are_found_by_their_path_and_what_is_hidden_or_unfinished_is_not(tmp_path: Path) -> None:
    wanted = ["a.mp4", "dog/b.MKV", "dog/b/c.webm", "dog/x.1.avi", "z.mov", "z/y.m4v"]
    others = [".a.mp4", ".hidden/b.mp4", "c.mp4.partial", "d.mp4.part", "e.txt", "mp4"]
    for name in (*wanted, *others):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = find_videos(tmp_path)
    assert list(found) == ["a", "dog/b", "dog/b/c", "dog/x.1", "z", "z/y"]
    assert sorted(found.values()) == sorted(tmp_path / name for name in wanted)


def test_two_files_of_one_key_an_empty_folder_and_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video"):
        find_videos(tmp_path)
    with pytest.raises(InputError, match="absent: not a folder"):
        find_videos(tmp_path / "absent")
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.webm").touch()
    with pytest.raises(InputError, match=r"a\.webm: has the name of a\.mp4"):
        find_videos(tmp_path)


def test_linked_folders_are_searched_once_and_one_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "disk" / "dog").mkdir(parents=True)
    (tmp_path / "disk" / "dog" / "a.mp4").touch()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "b.mp4").touch()
    (tmp_path / "videos" / "dog").symlink_to(tmp_path / "disk" / "dog")
    (tmp_path / "videos" / "self").symlink_to(tmp_path / "videos")
    assert list(find_videos(tmp_path / "videos")) == ["b", "dog/a"]

    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(InputError, match="videos: cannot be read \\(Permission denied\\)"):
        find_videos(tmp_path / "videos")
