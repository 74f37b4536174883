import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from sound2scene.data.shards.card import DatasetCard, read_card
from sound2scene.types import InputError

SHARD = {"name": "000000.tar", "clips": 2, "bytes": 10, "sha256": "0f"}
SPLIT = {"clips": 2, "rejected": 1, "kinds": {"silent": 1}, "fingerprint": "0f", "shards": [SHARD]}
CARD: dict[str, Any] = {
    "format": 1,
    "name": "drawn",
    "classes": ["bell"],
    "notes": {"coverage": {"train": {"found": 2, "expected": 3}}, "frame": "middle"},
    "splits": {"train": SPLIT},
}
Damage = Callable[[dict[str, Any]], object]
DAMAGES: dict[str, Damage] = {
    "no splits": lambda card: card.pop("splits"),
    "splits are a list": lambda card: card.update(splits=[SPLIT]),
    "a split is none": lambda card: card["splits"].update(train=None),
    "no fingerprint": lambda card: card["splits"]["train"].pop("fingerprint"),
    "a fingerprint is a number": lambda card: card["splits"]["train"].update(fingerprint=7),
    "clips are text": lambda card: card["splits"]["train"].update(clips="2"),
    "no rejected": lambda card: card["splits"]["train"].pop("rejected"),
    "shards are a mapping": lambda card: card["splits"]["train"].update(shards={}),
    "no bytes": lambda card: card["splits"]["train"]["shards"][0].pop("bytes"),
    "fewer than no bytes": lambda card: card["splits"]["train"]["shards"][0].update(bytes=-1),
    "a shard elsewhere": lambda card: card["splits"]["train"]["shards"][0].update(name="../000000.tar"),
    "two shards of one name": lambda card: card["splits"]["train"]["shards"].append(SHARD),
    "more bytes than a disk has": lambda card: card["splits"]["train"]["shards"][0].update(bytes=10**30),
    "a negative number of clips": lambda card: card["splits"]["train"].update(clips=-1),
    "a fingerprint elsewhere": lambda card: card["splits"]["train"].update(fingerprint="../0f"),
    "another format": lambda card: card.update(format=2),
    "no format": lambda card: card.pop("format"),
    "a split elsewhere": lambda card: card["splits"].update({"..": SPLIT}),
    "no classes": lambda card: card.pop("classes"),
    "a class is a number": lambda card: card.update(classes=[1]),
    "notes are a list": lambda card: card.update(notes=[]),
    "coverage is a number": lambda card: card["notes"].update(coverage=3),
    "coverage of a split is a number": lambda card: card["notes"].update(coverage={"train": 3}),
    "coverage is text": lambda card: card["notes"].update(coverage={"train": {"found": "2"}}),
}


def read(card: object) -> DatasetCard:
    return read_card(json.dumps(card).encode(), "d/dataset.json")


def test_a_card_with_all_that_a_reader_needs_is_read() -> None:
    assert read(CARD)["splits"]["train"] == SPLIT
    assert read({key: value for key, value in CARD.items() if key != "notes"})["classes"] == ["bell"]
    assert read(CARD | {"classes": [], "splits": {}})["splits"] == {}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_hostile_card_is_refused_in_one_line_that_names_it(name: str) -> None:
    card = copy.deepcopy(CARD)
    DAMAGES[name](card)
    with pytest.raises(InputError, match=r"^d/dataset\.json: .*; prepare the dataset again") as caught:
        read(card)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("other", [None, [], "x", 3, {}])
def test_anything_else_is_refused(other: object) -> None:
    with pytest.raises(InputError, match=r"^d/dataset\.json: "):
        read(other)
