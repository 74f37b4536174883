"""The commands for videos: download them, choose their moments. As in `cli`, nothing heavy is imported early."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add `download`, `select` and `moments` to the subparsers of a command line."""
    _add_download(commands.add_parser("download", help="download the videos of a dataset"))
    _add_select(commands.add_parser("select", help="choose the moments of videos that show what is heard"))
    _add_moments(commands.add_parser("moments", help="read or write the published annotation of moments"))


def _add_download(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_subparsers(title="sources", metavar="SOURCE", required=True)
    vggsound = sources.add_parser(
        "vggsound", help="10 s clips by yt-dlp (pip install 'sound2scene[download]')"
    )
    vggsound.add_argument("--csv", dest="table", required=True, help="vggsound.csv, plain or gzipped")
    vggsound.add_argument("--videos", required=True, help="folder of the clips and of downloads.jsonl")
    vggsound.add_argument("--split", choices=("train", "test", "all"), default="all", help="(%(default)s)")
    vggsound.add_argument("--classes", help="file with the class names to take, one per line")
    vggsound.add_argument("--limit", type=int, help="take only the first so many clips of these")
    vggsound.add_argument("--height", type=int, default=360, help="of the pictures at most (%(default)s)")
    vggsound.add_argument(
        "--address",
        default="https://www.youtube.com/watch?v={id}",
        help="of a video, for a mirror (%(default)s)",
    )
    vggsound.add_argument(
        "--rate-limit", type=int, default=2_000_000, help="bytes per second and worker (%(default)s)"
    )
    vggsound.add_argument("--sleep", type=float, default=1.0, help="mean seconds between clips (%(default)s)")
    vggsound.add_argument("--workers", type=int, default=1, help="clips at once (%(default)s)")
    vggsound.add_argument(
        "--retries", type=int, default=3, help="more tries of a transfer that breaks off (%(default)s)"
    )
    vggsound.add_argument(
        "--timeout", type=float, default=20.0, help="longest silence of a server, s (%(default)s)"
    )
    vggsound.add_argument(
        "--clip-limit", type=float, default=600.0, help="longest time for a clip, s (%(default)s)"
    )
    vggsound.set_defaults(run=_download_vggsound)


def _download_vggsound(table: str, split: str, classes: str | None, limit: int | None, **options: Any) -> int:
    from pathlib import Path

    from sound2scene.data.vggsound import downloads as clip_downloads
    from sound2scene.data.vggsound import table as vggsound
    from sound2scene.data.vggsound import youtube

    names = clip_downloads.choose(
        vggsound.read_table(table), split, vggsound.read_classes(classes) if classes else None, limit
    )
    fetcher = youtube.Fetcher(
        Path(options["videos"]),
        options["address"],
        options["height"],
        options["rate_limit"],
        options["timeout"],
        options["retries"],
    )
    visit = clip_downloads.Visit(fetcher, options["sleep"], options["clip_limit"], options["workers"])
    counts, whole = visit.run(names)
    print(f"{options['videos']}: {clip_downloads.summary(counts)}")
    if not whole:
        print("stopped; run again to go on")
    return 0 if whole and not any(state == "failed" for state, _ in counts) else 1


def _add_select(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="VIDEOS", help="folder of videos, searched through")
    parser.add_argument(
        "-o", "--output", required=True, help="selection.json; a contact sheet is drawn beside it"
    )
    parser.add_argument(
        "--scorer", default="localizer", help="localizer, middle, random or a dotted path (%(default)s)"
    )
    parser.add_argument(
        "--localizer", default="experiments/artifacts/toy/localizer", help="artifact (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the scorer random (%(default)s)")
    parser.add_argument("--top-k", type=int, default=10, help="moments to keep of each video (%(default)s)")
    parser.add_argument(
        "--retry-rejected", action="store_true", help="try videos again that could not be used"
    )
    parser.add_argument("--workers", type=int, default=2, help="decoding processes per device (%(default)s)")
    parser.add_argument("--accelerator", default="auto", help="of Lightning: cpu, gpu, auto (%(default)s)")
    parser.add_argument("--devices", default="auto", help="how many, or all with auto (%(default)s)")
    parser.add_argument(
        "--nodes", dest="num_nodes", type=int, default=1, help="machines that share (%(default)s)"
    )
    parser.set_defaults(run=_select)


def _select(**options: Any) -> int:
    from sound2scene.commands import select as select_moments

    return select_moments.main(**options)


def _add_moments(parser: argparse.ArgumentParser) -> None:
    ways = parser.add_subparsers(title="ways", metavar="WAY", required=True)
    into = ways.add_parser("import", help="the published annotation to a selection")
    into.add_argument("source", metavar="FILE", help="as top1_boxes_top10_moments.json")
    into.add_argument("-o", "--output", required=True, help="selection.json")
    into.set_defaults(run=_import_moments)
    out = ways.add_parser("export", help="a selection to the layout of the published annotation")
    out.add_argument("source", metavar="FILE", help="selection.json")
    out.add_argument("-o", "--output", required=True, help="as top1_boxes_top10_moments.json")
    out.add_argument("--layout", choices=("list", "mapping"), default="list", help="(%(default)s)")
    out.set_defaults(run=_export_moments)


def _import_moments(source: str, output: str) -> None:
    from sound2scene.data.selection.file import Selection

    selection = Selection.load_published(source)
    selection.save(output)
    print(f"{output}: moments of {len(selection.videos)} videos")


def _export_moments(source: str, output: str, layout: Any) -> None:
    from sound2scene.data.selection.file import Selection

    selection = Selection.load(source)
    selection.save_published(output, layout)
    print(f"{output}: moments of {len(selection.videos)} videos")
