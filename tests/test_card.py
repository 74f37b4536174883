import json

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
        ("", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (CARD.to_json()[:-20], "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a card of format 1"),
        (changed(format=2), "not a card of format 1"),
        (changed(kind="absent"), "key is missing .*'kind'"),
        (changed(colour="red"), "'colour' is unknown"),
        (changed(origin={}), "'origin' is unknown"),
        (changed(kind=None), "'kind' has a value of the wrong type"),
        (changed(arguments=[1]), "'arguments' has a value of the wrong type"),
        (changed(preset={"a": 1}), "'preset' has a value of the wrong type"),
        (changed(notes="n"), "'notes' has a value of the wrong type"),
    ],
)
def test_unusable_card_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^somewhere/card.json: .*{message}") as caught:
        Card.from_json(text, "somewhere/card.json")
    assert "\n" not in str(caught.value)
