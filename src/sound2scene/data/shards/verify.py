"""Check a dataset byte by byte and clip by clip."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from sound2scene import images
from sound2scene.data.shards.card import SplitCard, fingerprint_of
from sound2scene.data.shards.index import Index, Location, scan_shard
from sound2scene.data.shards.read import Folder, ShardDataset, UnreadableError
from sound2scene.data.shards.report import REJECTED, REPORT, count_kinds
from sound2scene.progress import tracked
from sound2scene.types import InputError, Rejected

_LISTS = {"index.npz", "rejected.jsonl"}

T = TypeVar("T")


def verify(address: str | Path) -> list[str]:
    """Everything that is wrong with a dataset, one line each; an empty list if nothing is.

    Checks sizes and checksums of the shards, fingerprints and counts of the splits, that the index says what
    the tars hold, that there is no split or shard of which `dataset.json` does not know, that names stand
    once over all splits, and that every picture and sound decodes. What a server does not give is said of the
    server, and of no clip.

    Raises:
        InputError: If there is no dataset.
    """
    folder = Folder(address)
    problems = dict.fromkeys(_strange_splits(folder))  # a set in order: no line stands twice
    keys: Counter[str] = Counter()
    for split in folder.card["splits"]:
        try:
            found = list(_shard_problems(folder, split))
            problems |= dict.fromkeys(found)
            problems |= dict.fromkeys(_clip_problems(folder, split, keys, bool(found)))
        except UnreadableError as error:
            problems[str(error)] = None
    return [*problems, *(f"{key}: stands {count} times" for key, count in keys.items() if count > 1)]


def _strange_splits(folder: Folder) -> Iterator[str]:
    for name, is_folder in folder.listed():
        if is_folder and name not in folder.card["splits"] and not name.startswith("."):
            yield f"{name}: a folder that dataset.json does not name"
    try:
        folder.read(REPORT)
    except FileNotFoundError:
        yield f"{REPORT}: missing"


def _shard_problems(folder: Folder, split: str) -> Iterator[str]:
    card = folder.split(split)
    shards: list[list[Location]] = []
    for shard in card["shards"]:
        where = f"{split}/{shard['name']}"
        try:
            data = folder.read(where)
            if hashlib.sha256(data).hexdigest() != shard["sha256"]:
                yield f"{where}: {len(data)} bytes of another checksum than the {shard['bytes']} written"
            elif len(data) != shard["bytes"]:
                yield f"{where}: {len(data)} bytes, dataset.json says {shard['bytes']}"
            shards.append(list(scan_shard(io.BytesIO(data), where)))
            if len(shards[-1]) != shard["clips"]:
                yield f"{where}: holds {len(shards[-1])} clips, dataset.json says {shard['clips']}"
        except FileNotFoundError:
            yield f"{where}: missing"
        except UnreadableError:
            raise
        except InputError as error:
            yield str(error)
    # Each shard has been compared with its own checksum and count.
    if fingerprint_of(shard["sha256"] for shard in card["shards"]) != card["fingerprint"]:
        yield f"{split}: its shards have another fingerprint than dataset.json says"
    if (clips := sum(shard["clips"] for shard in card["shards"])) != card["clips"]:
        yield f"{split}: its shards hold {clips} clips, dataset.json says {card['clips']}"
    known = {shard["name"] for shard in card["shards"]} | _LISTS
    strange = [name for name, is_folder in folder.listed(split) if name not in known and not is_folder]
    yield from (
        f"{split}/{name}: a file that dataset.json does not name" for name in strange if name[0] != "."
    )
    yield from _rejected_problems(folder, split, card)
    yield from _index_problems(folder, split, shards)


def _rejected_problems(folder: Folder, split: str, card: SplitCard) -> Iterator[str]:
    where = f"{split}/rejected.jsonl"
    lines = _parsed(lambda: list(REJECTED.parse_lines(folder.read(where), where)), where)
    if isinstance(lines, str):
        yield lines
        return
    if len(lines) != card["rejected"]:
        yield f"{where}: lists {len(lines)} clips, not {card['rejected']}"
    kinds = count_kinds(Rejected(**line) for line in lines)
    stated: Mapping[str, int] = card.get("kinds", kinds)
    if kinds != stated:
        yield f"{where}: lists clips of kinds {kinds}, dataset.json says {dict(stated)}"


def _parsed(read: Callable[[], T], where: str) -> T | str:
    """What a file of a split holds, or why it cannot be read."""
    try:
        return read()
    except FileNotFoundError:
        return f"{where}: missing"
    except UnreadableError:
        raise
    except InputError as error:
        return str(error)


def _index_problems(folder: Folder, split: str, shards: list[list[Location]]) -> Iterator[str]:
    where = f"{split}/index.npz"
    index = _parsed(lambda: Index.load(io.BytesIO(folder.read(where)), where), where)
    if isinstance(index, str):
        yield index
        return
    expected = Index.from_shards(shards, folder.classes)
    pairs = zip(vars(index).values(), vars(expected).values(), strict=True)
    if not all(np.array_equal(one, other) for one, other in pairs):
        yield f"{where}: does not say what the shards hold"


def _clip_problems(folder: Folder, split: str, keys: Counter[str], is_known: bool) -> Iterator[str]:
    try:
        shards = ShardDataset(folder, split)
    except UnreadableError:
        raise
    except InputError as error:
        if not is_known:  # what keeps the split from being read has a line already
            yield str(error)
        return
    for position in tracked(range(len(shards)), len(shards), f"verify {split}", "clip"):
        keys[shards.key(position)] += 1
        try:
            images.decode_jpeg(shards.member(position, "jpg"), shards.where(position))
            shards.waveform(position)
            shards.metadata(position)
        except UnreadableError:
            raise
        except ValueError as error:
            yield " ".join(str(error).split())
