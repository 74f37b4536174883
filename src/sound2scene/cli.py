"""The only door: `sound2scene COMMAND`. Nothing heavy is imported before the command is known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sound2scene import data_commands, video_commands

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
    # Huge pages for torch's large CPU tensors make training on a CPU about a quarter faster; read on import
    # of torch.
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
    video_commands.add(commands)
    data_commands.add(commands)
    _add_import(commands.add_parser("import", help="turn a published checkpoint into an artifact"))
    _add_generate(commands.add_parser("generate", help="draw pictures of sound files"))
    doctor = commands.add_parser(
        "doctor", help="print versions, devices, media libraries, what is missing and the remedy"
    )
    doctor.add_argument("--json", action="store_true", dest="as_json", help="as JSON")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "layout", choices=("audio-encoder", "swav", "icgan"), help="which published checkpoint"
    )
    parser.add_argument("source", help="a file (icgan: a folder), an http(s) address, or `published`")
    parser.add_argument("-o", "--output", dest="folder", required=True, help="folder of the artifact")
    parser.add_argument("--preset", default="squeeze", help="image chain for the card of swav (%(default)s)")
    parser.add_argument("--image-encoder", help="artifact of SwAV, to which audio-encoder and icgan belong")
    parser.set_defaults(run=_import)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="any sound file")
    parser.add_argument("-o", "--output", dest="folder", required=True, help="folder of the pictures")
    parser.add_argument("-n", "--draws", type=int, default=8, help="pictures per sound (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (%(default)s)")
    parser.add_argument(
        "--truncation", type=float, default=1.0, help="0 to 1, of the noise; 1 is none (%(default)s)"
    )
    parser.add_argument(
        "--audio-encoder", default="artifacts/toy/audio-encoder", help="artifact (%(default)s)"
    )
    parser.add_argument(
        "--generator", default="experiments/artifacts/toy/generator", help="artifact (%(default)s)"
    )
    parser.add_argument("--device", help="of torch; a GPU where there is one by default")
    parser.set_defaults(run=_generate)


def _generate(
    files: list[str],
    folder: str,
    audio_encoder: str,
    generator: str,
    device: str | None,
    draws: int,
    **settings: Any,
) -> int:
    from sound2scene.commands.generate import draw_files, write_pictures
    from sound2scene.methods.sound2scene import SoundToScene
    from sound2scene.types import InputError

    if draws < 1:
        raise InputError(f"-n {draws}: draw at least 1 picture per sound")
    scene = SoundToScene(audio_encoder, generator, device)
    drawn = draw_files(scene, files, draws=draws, **settings)
    written, rejected = write_pictures(drawn, folder)
    for clip in rejected:
        print(f"sound2scene: {clip.reason}", file=sys.stderr)
    print(f"{folder}: {written} sounds drawn, {draws} pictures each; {len(rejected)} could not be read")
    return 1 if rejected else 0


def _train(arguments: list[str] | None) -> None:
    from sound2scene.commands import recipe

    recipe.main(arguments)


def _import(layout: str, source: str, folder: str, preset: str, image_encoder: str | None) -> None:
    from sound2scene import artifacts
    from sound2scene.published import icgan, sound2scene, swav

    if layout == "swav":
        path = swav.import_swav(source, folder, preset)
    elif layout == "icgan":
        path = icgan.import_icgan(source, folder, image_encoder)
    else:
        path = sound2scene.import_audio_encoder(source, folder, image_encoder)
    card = artifacts.read_card(path)
    print(f"{path}: {card.class_path}\nlicence: {card.licence}")


def _doctor(as_json: bool) -> int:
    from sound2scene.commands import doctor

    return doctor.main(as_json)


if __name__ == "__main__":
    sys.exit(main())
