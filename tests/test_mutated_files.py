import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

KINDS = {"sounds", "pictures", "videos", "shards", "indexes", "cards", "weights", "checkpoints", "tables"}
KINDS |= {"records", "feature caches"}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory as Linux has them")
def test_a_damaged_file_of_any_kind_is_read_or_refused_in_one_line_within_bounds(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": str(tests), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tests / "damaged_files.py"), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    known, *lines = map(json.loads, done.stdout.splitlines())
    assert len(lines) == len(known) >= 600
    counts: Counter[tuple[str, str]] = Counter()
    failures = []
    for (kind, path, damage), (_, outcome) in zip(known, lines, strict=True):
        counts[kind, outcome.partition(":")[0]] += 1
        if outcome.startswith("FAILED") or (damage == "none" and outcome != "read"):
            failures.append(f"{kind}, {path}, {damage}: {outcome}")
    print(f"\n{'kind':<16}{'read':>6}{'refused':>9}{'failed':>8}")
    for kind in sorted({kind for kind, *_ in known}):
        print(f"{kind:<16}{counts[kind, 'read']:>6}{counts[kind, 'refused']:>9}{counts[kind, 'FAILED']:>8}")
    assert {kind for kind, *_ in known} == KINDS
    assert not failures, "\n".join([f"{len(failures)} of {len(known)}:", *failures])
