"""Download the videos of a dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from sound2scene.commands.parser import Command, Option, Workers

if TYPE_CHECKING:
    from sound2scene.data.vggsound.downloads import Visit
    from sound2scene.data.vggsound.names import ClipName


def vggsound(
    *,
    table: Annotated[Path, Option("--csv")],
    videos: Annotated[Path, Option(writes=True)],
    split: Literal["train", "test", "all"] = "all",
    classes: str | None = None,
    limit: Annotated[int | None, Option(at_least=1)] = None,
    height: Annotated[int, Option(at_least=1)] = 360,
    address: str = "https://www.youtube.com/watch?v={id}",
    rate_limit: Annotated[int, Option(at_least=1)] = 2_000_000,
    sleep: Annotated[float, Option(at_least=0)] = 1.0,
    workers: Workers = 1,
    retries: Annotated[int, Option(at_least=0)] = 3,
    timeout: Annotated[float, Option(above=0)] = 20.0,
    clip_limit: Annotated[float, Option(above=0)] = 600.0,
) -> int:
    """Clips of 10 s by yt-dlp (pip install 'sound2scene[download]'); a killed run goes on when repeated.

    Args:
        table: The table vggsound.csv, plain or gzipped.
        videos: Folder of the clips and of downloads.jsonl, which says what became of each.
        split: Split to take.
        classes: File with the class names to take, one per line; 50 for those of the paper.
        limit: Take only the first so many clips of these.
        height: Rows of the pictures, at most.
        address: Address of a video, for a mirror.
        rate_limit: Bytes per second and worker.
        sleep: Mean seconds between two clips of a worker.
        workers: Clips under way at once.
        retries: Further tries of a transfer that breaks off, each from where the one before ended.
        timeout: Longest silence of a server, in seconds.
        clip_limit: Longest time for a clip with all its tries, in seconds.
    """
    from sound2scene.data.vggsound import downloads, youtube
    from sound2scene.data.vggsound.table import read_classes, read_table

    names = downloads.choose(read_table(table), split, read_classes(classes) if classes else None, limit)
    fetcher = youtube.Fetcher(videos, address, height, rate_limit, timeout, retries)
    return _run(downloads.Visit(fetcher, sleep, clip_limit, workers), names)


def _run(visit: Visit, names: list[ClipName]) -> int:
    from sound2scene.data.vggsound import downloads

    counts, whole = visit.run(names)
    videos = visit.fetcher.folder
    print(f"{videos}: {downloads.summary(counts)}")
    if not whole:
        raise KeyboardInterrupt
    if not any(state == "failed" for state, _ in counts):
        return 0
    last = visit.last_failure
    why = f" (of the last one: {last.kind}: {last.reason})" if last else ""
    told = f"some clips did not come{why}; see {videos / downloads.LEDGER}, run again later"
    print(f"sound2scene: {told}", file=sys.stderr)
    return 1


COMMAND: Command = {"vggsound": vggsound}
