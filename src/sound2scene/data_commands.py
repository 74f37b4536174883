"""The commands that make and check datasets. As in `cli`, nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any


def add(commands: Any) -> None:
    """Add `prepare` and `verify` to the subparsers of a command line."""
    _add_prepare(commands.add_parser("prepare", help="write a dataset's shards"))
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
    frames = ("localizer", "middle", "random", "true")
    toy.add_argument("--frame", choices=frames, default="true", help="moment of the picture (%(default)s)")
    toy.add_argument(
        "--localizer", default="experiments/artifacts/toy/localizer", help="artifact (%(default)s)"
    )
    toy.add_argument("--train", type=int, default=1280, help="training clips (%(default)s)")
    toy.add_argument("--val", type=int, default=256, help="validation clips (%(default)s)")
    toy.add_argument("--test", type=int, default=256, help="test clips (%(default)s)")
    toy.add_argument("--mixed", type=int, default=32, help="two-source clips in test (%(default)s)")
    toy.add_argument("--seed", type=int, default=0)
    toy.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    folder = source("folder", "images/ and audios/, or one such folder per class")
    folder.add_argument("source")
    folder.add_argument(
        "--val-share", type=float, default=0.1, help="share held out for validation (%(default)s)"
    )
    folder.add_argument(
        "--test-share", type=float, default=0.0, help="share held out for the test (%(default)s)"
    )
    manifest = source("manifest", "a CSV of class-matched pictures and sounds, drawn as pairs")
    manifest.add_argument("source")
    manifest.add_argument(
        "--val-share", type=float, default=0.15, help="share of groups held out (%(default)s)"
    )
    manifest.add_argument("--seed", type=int, default=0, help="of the draw of pairs")
    _add_video_sources(source)


def _add_video_sources(source: Callable[[str, str], argparse.ArgumentParser]) -> None:
    vggsound = source("vggsound", "VGGSound in its official splits, from videos, or from images/ and audios/")
    vggsound.add_argument("source", nargs="?", help="folder with images/ and audios/, instead of --videos")
    vggsound.add_argument(
        "--csv", "--table", dest="table", required=True, help="vggsound.csv, plain or gzipped"
    )
    vggsound.add_argument("--classes", help="50: those of the paper; or a file with names, one per line")
    vggsound.add_argument(
        "--val-share", type=float, default=0.05, help="share of videos held out (%(default)s)"
    )
    vegas = source("vegas", "VEGAS, one folder of videos per class")
    vegas.add_argument("--five", action="store_true", help="only the five classes of the paper")
    videos = source("videos", "any folder of videos")
    videos.add_argument("videos", help="folder of the videos, searched recursively")
    videos.add_argument(
        "--labels", help="a CSV with the columns key, label[, split]; or `folders`: one per class"
    )
    for parser, test_share in ((vegas, 0.2), (videos, 0.0)):
        parser.add_argument("--val-share", type=float, default=0.1, help="share held out (%(default)s)")
        parser.add_argument(
            "--test-share", type=float, default=test_share, help="share of the test (%(default)s)"
        )
    for parser in (vggsound, vegas):
        parser.add_argument(
            "--videos", required=parser is vegas, help="folder of the videos, searched recursively"
        )
    for parser in (vggsound, vegas, videos):
        parser.add_argument("--selection", help="file of the selected moments")
        parser.add_argument(
            "--frame",
            choices=("middle", "random"),
            help="moment of videos that are not selected (left out by default)",
        )
        parser.add_argument(
            "--side",
            type=int,
            default=256,
            dest="side_px",
            help="pixels of a picture's short side, at most; the squeeze preset needs 256 (%(default)s)",
        )
        parser.add_argument("--workers", type=int, help="processes (one per core)")


def _prepare(name: str, **options: Any) -> None:
    from sound2scene.data.shards.report import REPORT, coverage_line

    folder = _preparing(name, options)(**options)
    print(f"{folder}: {describe(folder)}")
    report = json.loads((folder / REPORT).read_bytes())
    for kind, found in report["strays"].items():
        print(f"{found['count']} files left out: {kind}")
    if report["coverage"]:
        print(f"{coverage_line(report['coverage'])}; see {folder / REPORT}")


def _preparing(name: str, options: dict[str, Any]) -> Callable[..., Any]:
    """The function that prepares a source; brings the options into its form."""
    from sound2scene.data import prepare
    from sound2scene.data.settings import MomentSettings
    from sound2scene.types import InputError

    if name == "toy":
        return _prepare_toy
    if name == "vggsound" and (options["source"] is None) == (options["videos"] is None):
        raise InputError(
            "prepare vggsound: give --videos, or a folder with images/ and audios/, and not both"
        )
    if name in ("vggsound", "vegas", "videos"):
        options["source"] = options.get("source") or options.pop("videos")
        options.pop("videos", None)
        options["moments"] = MomentSettings(*(options.pop(key) for key in MomentSettings._fields))
    if name == "manifest":
        options["draw_seed"] = options.pop("seed")
    return getattr(prepare, f"prepare_{name}")  # type: ignore[no-any-return]


def _prepare_toy(shards: str, videos: str, frame: Any, localizer: str, **options: Any) -> Any:
    """Toy videos, the choice of a localizer where it is asked for, shards."""
    from pathlib import Path

    from sound2scene.commands import select as select_moments
    from sound2scene.data import prepare as sources
    from sound2scene.data.toy import world as toy
    from sound2scene.data.video.find import find_videos

    clips = {split: options.pop(split) for split in ("train", "val", "test")}
    chosen = None
    if frame == "localizer":
        toy.write_videos(Path(videos), clips, options["mixed"], options["seed"], options["workers"])
        scorer, chosen = select_moments.scorer_of("localizer", localizer), Path(f"{shards}-selection.json")
        chosen.parent.mkdir(parents=True, exist_ok=True)
        select_moments.select(find_videos(videos), scorer, chosen, workers=options["workers"])
    return sources.prepare_toy(shards, videos, frame, chosen, clips, **options)


def describe(folder: Any) -> str:
    """A dataset in one line: clips and rejected clips per split."""
    from sound2scene.data.shards.read import Folder

    splits = Folder(folder).card["splits"]
    return ", ".join(f"{name} {card['clips']} clips ({_rejected(card)})" for name, card in splits.items())


def _rejected(card: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in card.get("kinds", {}).items())
    return f"{card['rejected']} rejected" + (f": {kinds}" if kinds else "")


def _verify(shards: str) -> int:
    from sound2scene.data.shards.verify import verify

    problems = verify(shards)
    print(f"{shards}: {describe(shards)}; {len(problems)} problems")
    for problem in problems:
        print(f"- {problem}")
    return 1 if problems else 0
