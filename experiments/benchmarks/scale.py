"""Time and memory of what grows with the number of clips, at 2,000, 20,000 and 200,000 of them.

The dataset is a synthetic VGGSound: `dataset.json`, `index.npz`, image features and selected moments at their
true sizes, and shards that are holes of the right length, which nobody reads. Each size is measured in a
process of its own, by its processor time. Two of the figures are of one query against all clips, because
recall and nearest neighbours of a whole split compare all pairs: their time is that figure times the clips.

Run `OMP_NUM_THREADS=1 python experiments/benchmarks/scale.py`; 200,000 clips take 2 GB of disk, in
`--scratch`, and 5 GB of memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from memory import own_bytes
from torch import Tensor

from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.neighbours import nearest_of
from sound2scene.data.batches.sampler import EpochSampler
from sound2scene.data.selection.file import Selection
from sound2scene.data.shards.card import FORMAT, fingerprint_of
from sound2scene.data.shards.index import Index
from sound2scene.data.shards.read import ShardDataset
from sound2scene.metrics.nearness import Criterion, cosines, counts
from sound2scene.moments import Choice

CLIPS_PER_SHARD = 128
CLASSES = 309
MEMBER_BYTES = (40_000, 230_000, 300)  # of jpg, flac and json, as VGGSound's clips have them
QUERIES = 256
LOOKUPS = 20_000
BATCH = 64


def write_dataset(folder: Path, clips: int) -> None:
    """The card, the index and shards without content."""
    (folder / "train").mkdir(parents=True)
    position_N = np.arange(clips)
    start_N = position_N % CLIPS_PER_SHARD * (sum(MEMBER_BYTES) + 3 * 1024)
    before = np.cumsum([0, *MEMBER_BYTES[:-1]]) + 512 * np.arange(1, 4)
    index = Index(
        (position_N // CLIPS_PER_SHARD).astype(np.int32),
        start_N[:, None] + before,
        np.tile(np.array(MEMBER_BYTES, np.int64), (clips, 1)),
        (position_N % CLASSES).astype(np.int32),
        np.array([f"{hashlib.sha256(b'%d' % one).hexdigest()[:11]}_{one:06d}" for one in position_N], "S"),
    )
    with (folder / "train" / "index.npz").open("wb") as file:
        index.save(file)
    size = CLIPS_PER_SHARD * (sum(MEMBER_BYTES) + 3 * 1024)
    shards = []
    for number, start in enumerate(range(0, clips, CLIPS_PER_SHARD)):
        name, sha = f"{number:06d}.tar", hashlib.sha256(b"%d" % number).hexdigest()
        with (folder / "train" / name).open("wb") as file:
            file.truncate(size)
        held = min(CLIPS_PER_SHARD, clips - start)
        shards.append({"name": name, "clips": held, "bytes": size, "sha256": sha})
    fingerprint = fingerprint_of(str(shard["sha256"]) for shard in shards)
    split = {"clips": clips, "rejected": 0, "fingerprint": fingerprint, "shards": shards}
    classes = [f"class {number}" for number in range(CLASSES)]
    card = {"format": FORMAT, "name": "synthetic", "classes": classes, "splits": {"train": split}}
    (folder / "dataset.json").write_text(json.dumps(card))


def cache_of(folder: Path, clips: int, width: int) -> FeatureCache:
    """Where the features of a synthetic split lie."""
    return FeatureCache(folder / "features", "synthetic", "squeeze", "synthetic", clips, width)


def write_features(folder: Path, clips: int, width: int) -> None:
    """Features without a meaning."""
    cache, dice = cache_of(folder, clips, width), torch.Generator().manual_seed(0)
    for block in range(cache.blocks):
        cache.write(block, torch.rand(len(cache.positions(block)), width, generator=dice))


def write_selection(folder: Path, clips: int) -> None:
    """One chosen moment and nine further ones of each video."""
    dice = np.random.default_rng(0)
    moments = [Choice(tuple(10 * dice.random(10)), tuple(dice.random(10)), 10.0) for _ in range(100)]
    videos = {f"{number:011d}_000010": moments[number % 100] for number in range(clips)}
    Selection({"name": "synthetic"}, videos, {}).save(folder / "selection.json")


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Least processor time of a call, after one to warm up; a busy machine changes it least."""
    run()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def measure_loading(folder: Path, clips: int) -> dict[str, float]:
    """Figures of the index and of the order of an epoch."""
    found: dict[str, float] = {}
    before = own_bytes()
    shards = ShardDataset(folder, "train")
    found["open: memory (MB)"] = (own_bytes() - before) / 1e6
    index_bytes = sum(array.nbytes for array in vars(shards.index).values()) + shards.label_N.nbytes
    found["   of which the index (MB)"] = index_bytes / 1e6
    found["open: time (ms)"] = 1e3 * seconds(lambda: ShardDataset(folder, "train"))
    middle = clips // BATCH // 2

    def sampler(first: int) -> EpochSampler:
        return EpochSampler(clips, BATCH, 0, 0, 1, lambda: (3, first))

    found["order of an epoch (ms)"] = 1e3 * seconds(lambda: deque(sampler(0), maxlen=0))
    found["first clip after a resume (ms)"] = 1e3 * seconds(lambda: next(iter(sampler(middle))))
    before = own_bytes()
    draws = iter(sampler(0))
    next(draws)
    found["order: memory (MB)"] = (own_bytes() - before) / 1e6
    dice = np.random.default_rng(0).integers(clips, size=LOOKUPS).tolist()
    lookup = seconds(lambda: [(shards.key(one), shards.where(one)) for one in dice])
    found["name and place of a clip (us)"] = 1e6 * lookup / LOOKUPS
    return found


def measure_features(folder: Path, clips: int, width: int) -> dict[str, float]:
    """Figures of cached features."""
    found: dict[str, float] = {}
    start = time.process_time()
    assert not cache_of(folder, clips, width).missing()
    found["features: looked through (s)"] = time.process_time() - start
    cache = cache_of(folder, clips, width)
    dice = np.random.default_rng(1).permutation(clips)[: min(clips, LOOKUPS)].tolist()

    def look() -> None:
        for position in dice:
            torch.tensor(cache.row(position))

    before = own_bytes()
    found["feature of a clip (us)"] = 1e6 * seconds(look) / len(dice)
    found["features: memory (MB)"] = (own_bytes() - before) / 1e6
    return found


def measure_pairs(folder: Path, clips: int, width: int) -> dict[str, float]:
    """Figures of one query against all clips."""
    cache = cache_of(folder, clips, width)
    unit_ND = torch.empty(clips, width)
    fill_units(unit_ND, cache)
    query_QD, per_query = unit_ND[:QUERIES].clone(), 1e3 / QUERIES
    found = {"neighbours of a clip (ms)": per_query * seconds(lambda: nearest_of(query_QD, unit_ND, 51), 1)}
    unit_ND = torch.empty(clips, width, dtype=torch.float64)
    fill_units(unit_ND, cache)
    query_QD = unit_ND[:QUERIES].clone()
    own = Criterion(cosines(query_QD, unit_ND[:QUERIES]))
    ranks = seconds(lambda: counts(query_QD, unit_ND, of_queries=[own]), 1)
    return found | {"recall of a clip (ms)": per_query * ranks}


def fill_units(unit_ND: Tensor, cache: FeatureCache) -> None:
    """Features at unit length, in the precision of what is filled."""
    for block in range(cache.blocks):
        rows_BD = torch.tensor(cache.rows(block)).to(unit_ND.dtype)
        unit_ND[list(cache.positions(block))] = torch.nn.functional.normalize(rows_BD, dim=1)


def measure_selection(folder: Path) -> dict[str, float]:
    """Figures of selected moments."""
    before = own_bytes()
    start = time.process_time()
    selection = Selection.load(folder / "selection.json")
    took = time.process_time() - start
    assert selection.videos
    return {"selection: read (ms)": 1e3 * took, "selection: memory (MB)": (own_bytes() - before) / 1e6}


def measure(folder: Path, clips: int, width: int) -> dict[str, float]:
    """All figures of one size; every part in a process of its own, so that none pays for another's memory."""
    found: dict[str, float] = {}
    for part in ("loading", "features", "pairs", "selection"):
        command = [sys.executable, __file__, "--part", part, "--scratch", str(folder)]
        command += ["--sizes", str(clips), "--width", str(width)]
        found |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def print_growth(rows: dict[int, dict[str, float]]) -> None:
    """A line for each figure: its value at each size, and by how much it grows from one to the next."""
    sizes = sorted(rows)
    print(f"{'clips':34}" + "".join(f"{size:>11,}" for size in sizes) + "   growth per decade")
    for name in rows[sizes[0]]:
        values = [rows[size][name] for size in sizes]
        steps = [f"{b / a:.1f}" if a > 0.05 else "-" for a, b in pairwise(values)]
        print(f"{name:34}" + "".join(f"{value:11.2f}" for value in values) + "   " + ", ".join(steps))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    parser.add_argument("--width", type=int, default=2048, help="of the features")
    parser.add_argument("--scratch", type=Path, help="folder for the datasets; a temporary one by default")
    parser.add_argument("--part", help="measure one part of one size (used by the benchmark itself)")
    arguments = parser.parse_args()
    if arguments.part:
        clips, width = arguments.sizes[0], arguments.width
        parts: dict[str, Callable[[], dict[str, float]]] = {
            "loading": lambda: measure_loading(arguments.scratch, clips),
            "features": lambda: measure_features(arguments.scratch, clips, width),
            "pairs": lambda: measure_pairs(arguments.scratch, clips, width),
            "selection": lambda: measure_selection(arguments.scratch),
        }
        print(json.dumps(parts[arguments.part]()))
        return
    rows = {}
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        for clips in arguments.sizes:
            folder = Path(scratch) / str(clips)
            write_dataset(folder, clips)
            write_features(folder, clips, arguments.width)
            write_selection(folder, clips)
            rows[clips] = measure(folder, clips, arguments.width)
            print(f"{clips:,} clips measured", file=sys.stderr)
    print(f"features of {arguments.width}, {torch.get_num_threads()} threads; times are processor time")
    print_growth(rows)


if __name__ == "__main__":
    main()
