"""Count, check and report a dataset's shards."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sound2scene.commands.parser import Command


def verify(shards: str) -> int:
    """Count, check and report a dataset's shards; status 1 if anything is wrong.

    Args:
        shards: Folder or address of the dataset.
    """
    from sound2scene.data.shards import verify as checks

    problems = checks.verify(shards)
    print(f"{shards}: {describe(shards)}; {len(problems)} problems")
    for problem in problems:
        print(f"- {problem}")
    return 1 if problems else 0


def describe(shards: str | os.PathLike[str]) -> str:
    """A dataset in one line: clips and rejected clips per split."""
    from sound2scene.data.shards.read import Folder

    splits = Folder(os.fspath(shards)).card["splits"]
    return ", ".join(f"{name} {card['clips']} clips ({_rejected(card)})" for name, card in splits.items())


def _rejected(card: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in card.get("kinds", {}).items())
    return f"{card['rejected']} rejected" + (f": {kinds}" if kinds else "")


COMMAND: Command = verify
