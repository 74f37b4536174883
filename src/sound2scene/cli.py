"""The only door: `sound2scene COMMAND`. Nothing heavy is imported before the command is known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

TRAINING = {
    "fit": "train a stage from a recipe",
    "validate": "measure a checkpoint on the held-out split",
    "test": "measure a checkpoint on the test split",
    "predict": "write the latents of the held-out sounds",
}
EXAMPLE = "example: sound2scene fit -c experiments/trainer.yaml -c experiments/align/toy.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what a user can mend is one line on stderr and exit status 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if given and given[0] in TRAINING:
        run: Callable[[], Any] = lambda: _train(None if arguments is None else given)  # noqa: E731
    else:
        options = vars(parser.parse_args(given))
        command = options.pop("run", None)
        if command is None:
            parser.print_help()
            return 0 if not given else 2
        run = lambda: command(**options)  # noqa: E731
    # Huge pages for torch's large CPU tensors make training on a CPU about a quarter faster; read on import of torch.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from sound2scene.types import DivergedError, InputError

    try:
        return int(run() or 0)
    except (InputError, DivergedError) as error:
        print(f"sound2scene: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "sound2scene", description="Turn sound into pictures of its scene.", epilog=EXAMPLE
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, about in TRAINING.items():
        commands.add_parser(name, help=about, add_help=False)
    _add_prepare(commands.add_parser("prepare", help="write a dataset's shards"))
    verify = commands.add_parser("verify", help="count, check and report a dataset's shards")
    verify.add_argument("shards", help="folder or address of the dataset")
    verify.set_defaults(run=_verify)
    _add_import(commands.add_parser("import", help="turn a published checkpoint into an artifact"))
    doctor = commands.add_parser(
        "doctor", help="print versions, devices, media libraries, what is missing and the remedy"
    )
    doctor.add_argument("--json", action="store_true", dest="as_json", help="as JSON")
    doctor.set_defaults(run=_doctor)
    return parser


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


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("layout", choices=("audio-encoder", "swav"), help="which published checkpoint")
    parser.add_argument("source", help="a file, an http(s) address, or `published` for the public one")
    parser.add_argument("-o", "--output", dest="folder", required=True, help="folder of the artifact")
    parser.set_defaults(run=_import)


def _train(arguments: list[str] | None) -> None:
    from sound2scene import recipe

    recipe.main(arguments)


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


def _import(layout: str, source: str, folder: str) -> None:
    from sound2scene import artifacts, published

    path = {"audio-encoder": published.import_audio_encoder, "swav": published.import_swav}[layout](source, folder)
    card = artifacts.read_card(path)
    print(f"{path}: {card.class_path}\nlicence: {card.licence}")


def _doctor(as_json: bool) -> int:
    from sound2scene import doctor

    return doctor.main(as_json)


if __name__ == "__main__":
    sys.exit(main())
