"""The commands that make and check datasets. As in `cli`, nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add `prepare`, `download` and `verify` to the subparsers of a command line."""
    _add_prepare(commands.add_parser("prepare", help="write a dataset's shards"))
    _add_download(commands.add_parser("download", help="download the videos of a dataset"))
    verify = commands.add_parser("verify", help="count, check and report a dataset's shards")
    verify.add_argument("shards", help="folder or address of the dataset")
    verify.set_defaults(run=_verify)


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_subparsers(title="sources", metavar="SOURCE", required=True)

    def source(name: str, about: str) -> argparse.ArgumentParser:
        added = sources.add_parser(name, help=about)
        added.add_argument("-o", "--output", dest="shards", required=True, help="folder of the shards")
        added.set_defaults(run=lambda **options: _prepare(name, **options))
        return added

    toy = source("toy", "the procedural toy world: videos with sound, and shards from them")
    toy.add_argument("--videos", default="data/toy/videos", help="folder of the videos (%(default)s)")
    toy.add_argument("--frame", choices=("true", "middle"), default="true", help="moment of the picture (%(default)s)")
    toy.add_argument("--train", type=int, default=1280, help="training clips (%(default)s)")
    toy.add_argument("--val", type=int, default=256, help="validation clips (%(default)s)")
    toy.add_argument("--test", type=int, default=256, help="test clips (%(default)s)")
    toy.add_argument("--mixed", type=int, default=32, help="two-source clips in test (%(default)s)")
    toy.add_argument("--seed", type=int, default=0)
    toy.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    folder = source("folder", "images/ and audios/, or one such folder per class")
    folder.add_argument("source")
    folder.add_argument("--val-share", type=float, default=0.1, help="share held out for validation (%(default)s)")
    folder.add_argument("--test-share", type=float, default=0.0, help="share held out for the test (%(default)s)")
    manifest = source("manifest", "a CSV of class-matched pictures and sounds, drawn as pairs")
    manifest.add_argument("source")
    manifest.add_argument("--val-share", type=float, default=0.15, help="share of groups held out (%(default)s)")
    manifest.add_argument("--seed", type=int, default=0, help="of the draw of pairs")
    vggsound = source("vggsound", "VGGSound as images/ and audios/, official splits")
    vggsound.add_argument("source")
    vggsound.add_argument("--table", required=True, help="vggsound.csv, plain or gzipped")
    vggsound.add_argument("--classes", help="file with the class names to take, one per line")
    vggsound.add_argument("--val-share", type=float, default=0.05, help="share of videos held out (%(default)s)")


def _add_download(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_subparsers(title="sources", metavar="SOURCE", required=True)
    vggsound = sources.add_parser("vggsound", help="10 s clips by yt-dlp (pip install 'sound2scene[download]')")
    vggsound.add_argument("--csv", dest="table", required=True, help="vggsound.csv, plain or gzipped")
    vggsound.add_argument("--videos", required=True, help="folder of the clips and of downloads.jsonl")
    vggsound.add_argument("--split", choices=("train", "test", "all"), default="all", help="(%(default)s)")
    vggsound.add_argument("--classes", help="file with the class names to take, one per line")
    vggsound.add_argument("--limit", type=int, help="take only the first so many clips of these")
    vggsound.add_argument("--height", type=int, default=360, help="of the pictures at most (%(default)s)")
    vggsound.add_argument(
        "--address", default="https://www.youtube.com/watch?v={id}", help="of a video, for a mirror (%(default)s)"
    )
    vggsound.add_argument("--rate-limit", type=int, default=2_000_000, help="bytes per second and worker (%(default)s)")
    vggsound.add_argument("--sleep", type=float, default=1.0, help="mean seconds between clips (%(default)s)")
    vggsound.add_argument("--workers", type=int, default=1, help="clips at once (%(default)s)")
    vggsound.add_argument("--retries", type=int, default=3, help="more tries of a clip in this run (%(default)s)")
    vggsound.add_argument("--timeout", type=float, default=20.0, help="longest silence of a server, s (%(default)s)")
    vggsound.add_argument("--clip-limit", type=float, default=600.0, help="longest time for a clip, s (%(default)s)")
    vggsound.set_defaults(run=_download_vggsound)


def _download_vggsound(table: str, split: str, classes: str | None, limit: int | None, **options: Any) -> int:
    from pathlib import Path

    from sound2scene.data import clip_downloads, vggsound, youtube

    names = clip_downloads.choose(
        vggsound.read_table(table), split, vggsound.read_classes(classes) if classes else None, limit
    )
    fetcher = youtube.Fetcher(
        Path(options["videos"]), options["address"], options["height"], options["rate_limit"], options["timeout"]
    )
    visit = clip_downloads.Visit(
        fetcher, options["retries"], options["sleep"], options["clip_limit"], options["workers"]
    )
    counts, whole = visit.run(names)
    print(f"{options['videos']}: {clip_downloads.summary(counts)}")
    if not whole:
        print("stopped; run again to go on")
    return 0 if whole and not any(state == "failed" for state, _ in counts) else 1


def _prepare(name: str, **options: Any) -> None:
    from sound2scene.data import sources

    if name == "toy":
        options["clips"] = {split: options.pop(split) for split in ("train", "val", "test")}
    folder = getattr(sources, f"prepare_{name}")(**options)
    print(f"{folder}: {describe(folder)}")


def describe(folder: Any) -> str:
    """A dataset in one line: clips and rejected clips per split."""
    from sound2scene.data.shards import Folder

    splits = Folder(folder).card["splits"]
    return ", ".join(f"{name} {card['clips']} clips ({card['rejected']} rejected)" for name, card in splits.items())


def _verify(shards: str) -> int:
    from sound2scene.data.verify import verify

    problems = verify(shards)
    print(f"{shards}: {describe(shards)}; {len(problems)} problems")
    for problem in problems:
        print(f"- {problem}")
    return 1 if problems else 0
