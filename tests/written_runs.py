"""Run folders as runs leave them, written by hand."""

import json
import os
from pathlib import Path
from typing import Any

from sound2scene import files

LOG = """\
epoch,step,train/loss,val/score,val/second,val/fid/n256
0,4,1.5,,,
0,4,,0.5,0.1,9.5
1,9,,0.75,0.2,8.5
2,14,,0.75,0.3,
3,19,,nan,0.9,7.0
3,20,1.0,,,
"""


def write_run(folder: Path, log: str = LOG, **about: Any) -> Path:
    """A run folder as a run leaves it."""
    folder.mkdir(parents=True)
    known: dict[str, Any] = {"run": "align/tiny", "stage": "fit", "state": "finished", "seconds": 1800.0}
    known |= {"aim": {"monitor": "val/score", "tie_break": "val/second"}, "commit": "c" * 40}
    known |= {"started": "2026-01-01T00:00:00+00:00", "device": "Chip", "processes": 2}
    known |= {"batch": {"per_process": 4, "accumulated": 1, "all_processes": 8}}
    known |= {"peak_memory_gib": {"host": 1.5, "device": None}, "process": files.this_process()}
    (folder / "provenance.json").write_text(json.dumps(known | about))
    if log:
        (folder / "metrics.csv").write_text(log)
    return folder


def ended_process() -> str:
    """The word of a process of this machine that is no more."""
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return f"{files.this_process().rpartition('-')[0]}-{child}"
