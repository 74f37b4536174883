"""Check a dataset byte by byte and clip by clip."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sound2scene import images
from sound2scene.data.shards.index import Index, Location, scan_shard
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.types import InputError


def verify(address: str | Path) -> list[str]:
    """Everything that is wrong with a dataset, one line each; an empty list if nothing is.

    Checks sizes and checksums of the shards, that the index says what the tars hold, that names stand once
    over all splits, and that every picture and sound decodes.

    Raises:
        InputError: If there is no dataset.
    """
    folder = Folder(address)
    problems: list[str] = []
    keys: Counter[str] = Counter()
    for split in folder.card["splits"]:
        found = list(_shard_problems(folder, split))
        problems += found or _clip_problems(ShardDataset(folder, split), keys)
    return problems + [f"{key}: stands {count} times" for key, count in keys.items() if count > 1]


def _shard_problems(folder: Folder, split: str) -> Iterator[str]:
    shards: list[list[Location]] = []
    for shard in folder.split(split)["shards"]:
        where = f"{split}/{shard['name']}"
        try:
            data = folder.read(where)
            if hashlib.sha256(data).hexdigest() != shard["sha256"]:
                yield f"{where}: {len(data)} bytes of another checksum than the {shard['bytes']} written"
            shards.append(list(scan_shard(io.BytesIO(data), where)))
        except FileNotFoundError:
            yield f"{where}: missing"
        except InputError as error:
            yield str(error)
    yield from _list_problems(folder, split, shards)


def _list_problems(folder: Folder, split: str, shards: list[list[Location]]) -> Iterator[str]:
    try:
        rejected = folder.read(f"{split}/rejected.jsonl").count(b"\n")
        if rejected != folder.split(split)["rejected"]:
            yield f"{split}/rejected.jsonl: lists {rejected} clips, not {folder.split(split)['rejected']}"
        index = Index.load(io.BytesIO(folder.read(f"{split}/index.npz")), f"{split}/index.npz")
    except FileNotFoundError as error:
        yield f"{split}/{Path(str(error.filename or error)).name}: missing"
        return
    except InputError as error:
        yield str(error)
        return
    expected = Index.from_shards(shards, folder.classes)
    pairs = zip(vars(index).values(), vars(expected).values(), strict=True)
    if not all(np.array_equal(one, other) for one, other in pairs):
        yield f"{split}/index.npz: does not say what the shards hold"


def _clip_problems(shards: ShardDataset, keys: Counter[str]) -> list[str]:
    problems = []
    for position in tqdm(range(len(shards)), desc=f"verify {shards.split}", unit="clip"):
        keys[shards.key(position)] += 1
        try:
            images.decode_jpeg(shards.member(position, "jpg"), shards.where(position))
            shards.waveform(position)
            shards.metadata(position)
        except (InputError, ValueError) as error:
            problems.append(str(error))
    return problems
