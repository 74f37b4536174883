import json
from pathlib import Path

import pytest

from sound2scene.card import Card, Origin
from sound2scene.types import InputError

CARD = Card(
    kind="audio-encoder",
    class_path="sound2scene.models.audio_encoder.AudioEncoder",
    arguments={"z_dim": 8},
    fingerprint="ab" * 32,
    preset="paper",
    metrics={"recall": 0.5},
    origin=Origin(commit="1234567", source={"bytes": 3}, notes={"anything": [1, None]}),
)


def changed(**entries: object) -> str:
    return json.dumps(
        {key: value for key, value in (json.loads(CARD.to_json()) | entries).items() if value != "absent"}
    )


def test_json_and_back_is_the_same_card() -> None:
    assert Card.from_json(CARD.to_json(), "card.json") == CARD


def test_json_is_flat() -> None:
    entries = json.loads(CARD.to_json())
    assert entries["commit"] == "1234567"
    assert entries["format"] == 1
    assert "origin" not in entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (CARD.to_json()[:-20], "not valid JSON"),
        ("[" * 100_000, "nested too deep"),
        (changed(notes={"deep": json.loads("[" * 100 + "]" * 100)}), "nested deeper"),
        (changed(arguments={"z_dim": 10**30}), "a whole number of 31 digits"),
        (CARD.to_json().replace("0.5", "NaN"), "NaN is no number"),
        ("[]", "this version reads 1"),
        (changed(format=2), "this version reads 1"),
        (changed(kind="absent"), "missing required field `kind`"),
        (changed(colour="red"), "'colour' is unknown"),
        (changed(origin={}), "'origin' is unknown"),
        (changed(kind=None), r"got `null` - at `\$\.kind`"),
        (changed(arguments=[1]), r"got `array` - at `\$\.arguments`"),
        (changed(preset={"a": 1}), r"got `object` - at `\$\.preset`"),
        (changed(metrics={"a": "b"}), r"got `str` - at `\$\.metrics"),
        (changed(notes="n"), r"got `str` - at `\$\.notes`"),
    ],
)
def test_unusable_card_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^somewhere/card.json: .*{message}") as caught:
        Card.from_json(text, "somewhere/card.json")
    assert "\n" not in str(caught.value)


def test_the_cards_of_the_artifacts_in_git_are_read() -> None:
    found = sorted((Path(__file__).parents[1] / "experiments" / "artifacts").glob("*/*/card.json"))
    assert len(found) >= 4
    for path in found:
        assert json.loads(Card.from_json(path.read_bytes(), str(path)).to_json()) == json.loads(
            path.read_text()
        )
