"""List the runs of a folder with state, best figure, checkpoint and hours."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sound2scene.commands.parser import Command

if TYPE_CHECKING:
    from sound2scene.commands.run_folders import RunFolder

HEAD = ("run", "recipe", "state", "step", "best figure", "value", "at", "checkpoint", "commit", "hours")
HARDWARE = ("recipe", "device", "devices", "batch", "runs", "hours", "memory GiB", "device GiB")
Cell = str | int | float | None


def runs(folder: Path = Path("runs"), *, json: bool = False, hardware: bool = False) -> int:
    """List the runs of a folder with state, best figure, checkpoint and hours; status 1 if there are none.

    Args:
        folder: Folder of runs, searched recursively.
        json: Print everything that is known of each run, as JSON.
        hardware: Print on what, and for how many hours, the runs of each recipe computed.
    """
    from sound2scene.commands.run_folders import RunFolder, run_folders

    found: list[RunFolder] = []
    for one in run_folders(folder):
        if isinstance(one, RunFolder):
            found.append(one)
        else:
            print(f"sound2scene: {one}", file=sys.stderr)
    if hardware and not json:
        print(_table(HARDWARE, _by_hardware(found)))
    else:
        print(_as_json(found) if json else _table(HEAD, [_row(run, folder) for run in found]))
    if not found:
        print(f"sound2scene: {folder}: no run in it", file=sys.stderr)
    return 0 if found else 1


def described(run: RunFolder) -> dict[str, object]:
    """Everything that is known of a run, as plain data."""
    best, about = run.best(), run.about
    return {
        "folder": str(run.path),
        "recipe": run.recipe,
        "stage": about.stage,
        "state": run.state,
        "error": about.error,
        "step": run.step,
        "best": None if best is None else {"figure": best.name, "value": best.value, "step": best.step},
        "checkpoints": [str(path) for path in run.checkpoints()],
        "commit": about.commit,
        "started": run.sittings[0].started,
        "resumed": len(run.sittings) - 1,
        "hours": round(run.hours, 4),
        "device": about.device,
        "processes": about.processes,
        "batch": about.batch.all_processes if about.batch else None,
        "peak_memory_gib": {
            "host": _peak([one.peak_memory_gib.host for one in run.sittings]),
            "device": _peak([one.peak_memory_gib.device for one in run.sittings]),
        },
    }


def _as_json(found: Sequence[RunFolder]) -> str:
    return json.dumps([described(run) for run in found], indent=1)


def _row(run: RunFolder, folder: Path) -> list[Cell]:
    best = run.best()
    name, value, step = ("", "", "") if best is None else (best.name, f"{best.value:.4g}", str(best.step))
    there = [path.stem for path in run.checkpoints()]
    hours = f"{run.hours:.2f}"
    path = str(run.path.relative_to(folder))
    commit = (run.about.commit or "")[:9]
    return [path, run.recipe, run.state, run.step, name, value, step, ", ".join(there), commit, hours]


def _by_hardware(found: Sequence[RunFolder]) -> list[list[Cell]]:
    groups: dict[tuple[str, str, int, int | None], list[RunFolder]] = {}
    for run in found:
        batch = run.about.batch.all_processes if run.about.batch else None
        key = (run.recipe, run.about.device, run.about.processes, batch)
        groups.setdefault(key, []).append(run)
    rows: list[list[Cell]] = []
    for (recipe, device, processes, batch), of_one in sorted(groups.items(), key=lambda item: repr(item[0])):
        sittings = [one for run in of_one for one in run.sittings]
        hours = f"{sum(run.hours for run in of_one):.2f}"
        host = _peak([one.peak_memory_gib.host for one in sittings])
        own = _peak([one.peak_memory_gib.device for one in sittings])
        rows.append([recipe, device, processes, batch, len(of_one), hours, host, own])
    return rows


def _peak(known: Sequence[float | None]) -> float | None:
    return max((one for one in known if one is not None), default=None)


def _table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    from sound2scene.tables import aligned

    return aligned(head, [["" if cell is None else str(cell) for cell in row] for row in rows])


COMMAND: Command = runs
