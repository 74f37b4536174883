import json
import math
from pathlib import Path
from typing import Any

import pytest

from sound2scene.data.selection.file import Selection
from sound2scene.moments import Choice
from sound2scene.types import InputError

SCORER = {"name": "x.Y", "fingerprint": None, "settings": {"top_k": 2}}


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
        ("", "not valid JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"format": 1, "format": 1}', r"not valid JSON \('format' more than once\)"),
        ("[]", "this version reads 1; .*moments import"),
        (changed(format=2), "format 2, this version reads 1"),
        (changed(videos=[]), r"at `\$\.videos`"),
        (changed(scorer=None), r"at `\$\.scorer`"),
        (changed(rejected={"z": "silent"}), r"at `\$\.rejected"),
        (changed(videos={"k": [1.0]}), "'k': Expected `object`"),
        (changed(videos={"k": {"moments_s": [], "scores": [], "duration_s": 1}}), "'k': needs a moment"),
        (changed(videos={"k": {"moments_s": [-0.1], "scores": [], "duration_s": 1}}), "none before second 0"),
        (
            changed(videos={"k": {"moments_s": [1, 2], "scores": [1], "duration_s": 1}}),
            "no score or one for each",
        ),
        (changed(videos={"k": {"moments_s": [math.nan], "scores": [], "duration_s": 1}}), "NaN is no number"),
        (changed(videos={"k": {"moments_s": ["1"], "scores": [], "duration_s": 1}}), "'k': Expected `float`"),
        (
            changed(videos={"k": {"moments_s": [1], "scores": [True], "duration_s": 1}}),
            "'k': Expected `float`",
        ),
        (changed(videos={"k": {"moments_s": [1], "scores": [], "duration_s": 10**400}}), "of 401 digits"),
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
    with pytest.raises(InputError, match=r"none\.json: missing; select again"):
        Selection.load(tmp_path / "none.json")
