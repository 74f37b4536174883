"""Draw pictures of sound files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sound2scene.commands.model_choice import Model
from sound2scene.commands.parser import Admit, Command, Option, Output, Seed
from sound2scene.commands.picture_order import (
    NETWORKS,
    USUAL,
    USUAL_KIND,
    Asked,
    DrawnBy,
    Layout,
    Order,
    Settings,
    check_same,
    drawn_by,
    ordered_again,
    sounds_of,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from sound2scene.commands.picture_files import Heard, PictureFiles
    from sound2scene.commands.picture_record import Drawn
    from sound2scene.methods.sound2scene import SoundToScene
    from sound2scene.protocols import Method
    from sound2scene.types import Rejected

MOST_DRAWS = 1024  # of 128 px, side by side, which viewers of PNG still open
TOLD = 10  # lines about sounds that lie far; the record has them all


def generate(
    files: Annotated[list[Path] | None, Option(metavar="FILE")] = None,
    *,
    folder: Output,
    list_: Annotated[Path | None, Option("--list", metavar="LIST")] = None,
    again: Annotated[Path | None, Option(metavar="RECORD")] = None,
    layout: Layout = USUAL["layout"],
    draws: Annotated[int, Option("-n", between=(1, MOST_DRAWS))] = USUAL["draws"],
    seed: Seed = USUAL["seed"],
    truncation: Annotated[float, Option(between=(0, 1))] = USUAL["truncation"],
    method: Annotated[str | None, Option(metavar="WORD")] = None,
    model: Model = None,
    audio_encoder: Path = NETWORKS[0],
    generator: Path = NETWORKS[1],
    device: str | None = None,
    admit: Admit = None,
) -> int:
    """Draw pictures of sound files; status 1 if a file could not be read.

    Args:
        files: Sound files, videos with sound, and folders, which are searched for both.
        folder: Folder of the pictures; pictures.json beside them says what they were drawn of and with.
        list_: Text file with one more of these on each line.
        again: A pictures.json whose pictures to draw once more, the same ones to the last bit.
        layout: A file per picture, a strip per sound with grids of 40 sounds, or the grids alone.
        draws: Pictures per sound.
        seed: Seed of the noise.
        truncation: How much of the noise is kept; 1 truncates nothing, 0 leaves its mean.
        method: KIND[:KEY=VALUE,...], as in `manifold:autoencoder=FOLDER`; sound2scene by default.
        model: Model whose networks to take, where no option names one; see `sound2scene models`.
        audio_encoder: Artifact of the audio encoder.
        generator: Artifact of a generator for the same image encoder.
        device: Device, as torch names it; by default a GPU where there is one.
        admit: Packages of your own whose classes cards may name; loading one runs its code.
    """
    from sound2scene import artifacts

    artifacts.admit(*(admit or ()))
    settings = Settings(seed=seed, draws=draws, truncation=truncation, layout=layout)
    order = Order([], settings, drawn_by(method, audio_encoder, generator, model), device)
    if again is None:
        order = order._replace(asked=sounds_of(files, list_))
    else:
        order = ordered_again(again, order, bool(files or list_))
    return _carried_out(order, folder)


def _carried_out(order: Order, folder: Path) -> int:
    from sound2scene.commands.picture_files import PictureFiles

    scene = _scene(order.by, order.settings, order.device)
    if order.record is not None:
        check_same(order, scene.fingerprints)
    writer = PictureFiles(folder, order.settings["layout"], _about(order.settings))
    rejected = writer.write(draw_files(scene, order.asked, order.settings))
    if writer.sounds:
        _record(writer, rejected, order, scene)
    _tell(writer, rejected, order.settings, scene)
    return 1 if rejected else 0


class WithoutLatents:
    """A method without a latent between sound and picture, drawn as `SoundToScene` is.

    Draw j has the same chance for every sound, as everywhere in `generate`: its method is told one key for
    all of them.

    Args:
        method: The method.
        device: Where it draws.

    Attributes:
        familiar: Nobody knows which sounds lie far.
        fingerprints: Fingerprints of its networks.
    """

    familiar = None

    def __init__(self, method: Method, device: torch.device) -> None:
        self.device, self.fingerprints = device, method.fingerprints
        self._method = method

    def encode(self, waveform_BT: Tensor) -> Tensor:
        """The sounds themselves."""
        return waveform_BT

    def draw(self, waveform_BT: Tensor, draws: int, seed: int, truncation: float) -> Tensor:
        """Pictures of sounds, uint8 (B, draws, 3, H, W)."""
        assert truncation == 1, "another one is refused before"
        return self._method.pictures(waveform_BT, [""] * len(waveform_BT), draws, seed)


def _scene(by: DrawnBy, settings: Settings, device: str | None) -> SoundToScene | WithoutLatents:
    from sound2scene.devices import device_named
    from sound2scene.methods import sound2scene
    from sound2scene.methods.named import Setting, Word, made
    from sound2scene.types import InputError

    networks = {key: str(network) for key, network in by.networks.items()}
    if by.kind == USUAL_KIND:
        return sound2scene.SoundToScene(networks["audio_encoder"], networks["generator"], device)
    if settings["truncation"] != 1:
        raise InputError(
            f"--truncation {settings['truncation']:g}: {by.kind} has no noise to truncate; leave it out"
        )
    named = made(Word(by.kind, by.kind, networks), Setting(device=device))
    return WithoutLatents(named.method, device_named(device))


def draw_files(
    scene: SoundToScene | WithoutLatents, asked: Sequence[Asked], settings: Settings
) -> Iterator[Heard | Rejected]:
    """Read and draw files in batches, in their order; one that cannot be read comes back with the reason.

    Args:
        scene: The networks.
        asked: The files.
        settings: Draws, seed and truncation.
    """
    from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE
    from sound2scene.progress import Bar

    several = len(asked) > SOUNDS_AT_ONCE
    with Bar(len(asked), "drawing", "sound") if several else nullcontext() as progress:
        for start in range(0, len(asked), SOUNDS_AT_ONCE):
            yield from _batch(scene, part := asked[start : start + SOUNDS_AT_ONCE], settings)
            if progress:
                progress.update(len(part))


def _batch(
    scene: SoundToScene | WithoutLatents, part: Sequence[Asked], settings: Settings
) -> Iterator[Heard | Rejected]:
    from sound2scene.commands.picture_files import Heard
    from sound2scene.figures.drawn import DrawnSound
    from sound2scene.types import Rejected

    read = [_read(one) for one in part]
    drawn = _drawn(scene, [found[0] for found in read if not isinstance(found, Rejected)], settings)
    for one, found in zip(part, read, strict=True):
        if isinstance(found, Rejected):
            yield found
            continue
        waveform_T, sha256 = found
        pixels_JCHW, cosine, far = next(drawn)
        yield Heard(one.path, sha256, DrawnSound(one.name, waveform_T, pixels_JCHW), cosine, far)


def _drawn(
    scene: SoundToScene | WithoutLatents, heard: list[Tensor], settings: Settings
) -> Iterator[tuple[Tensor, float | None, bool | None]]:
    """Pictures of each sound, how near it lies to familiar ones, and whether that is far."""
    import torch

    if not heard:
        return
    z_BD = scene.encode(torch.stack(heard))
    pixels_BJCHW = scene.draw(z_BD, settings["draws"], settings["seed"], settings["truncation"])
    known = scene.familiar
    cosines = [None] * len(heard) if known is None else known.nearest(z_BD).tolist()
    for pixels_JCHW, cosine in zip(pixels_BJCHW, cosines, strict=True):
        yield pixels_JCHW, cosine, None if known is None else cosine < known.cosine


def _read(asked: Asked) -> tuple[Tensor, str] | Rejected:
    """A sound and the checksum of its file."""
    import torch

    from sound2scene import audio
    from sound2scene.commands.picture_record import checksum
    from sound2scene.types import InputError, Rejected

    try:
        waveform_T = torch.from_numpy(audio.load(asked.path))
        found = checksum(asked.path)
    except InputError as error:
        return Rejected(str(asked.path), str(error))
    if asked.sha256 not in (None, found):
        return Rejected(
            str(asked.path), f"{asked.path}: has changed since it was drawn; bring the old file back"
        )
    return waveform_T, found


def _about(settings: Settings) -> str:
    return f"seed {settings['seed']}, truncation {settings['truncation']:g}"


def _record(
    writer: PictureFiles, rejected: Sequence[Rejected], order: Order, scene: SoundToScene | WithoutLatents
) -> None:
    from sound2scene.commands.picture_record import Network, Painter, Unreadable, write_record

    networks = {
        key: Network(folder=str(network), fingerprint=scene.fingerprints[key])
        for key, network in order.by.networks.items()
    }
    unreadable = [Unreadable(file=one.key, reason=one.reason) for one in rejected]
    painter = Painter(kind=order.by.kind, networks=networks)
    write_record(writer.folder, order.settings, str(scene.device), painter, writer.sounds, unreadable)


def _tell(
    writer: PictureFiles,
    rejected: Sequence[Rejected],
    settings: Settings,
    scene: SoundToScene | WithoutLatents,
) -> None:
    """Say what was drawn, what could not be, and what means little."""
    from sound2scene.commands.picture_files import GRID_DRAWS, GRID_ROWS

    for clip in rejected:
        print(f"sound2scene: {clip.reason}", file=sys.stderr)
    _tell_far([one for one in writer.sounds if one.get("far")], writer, scene)
    draws = settings["draws"]
    print(
        f"{writer.folder}: {len(writer.sounds)} sounds drawn, {draws} pictures each; "
        f"{len(rejected)} could not be read"
    )
    if len(writer.pages) > 1:
        print(f"{writer.pages[0]} to {writer.pages[-1]}: {GRID_ROWS} sounds a page")
    if writer.pages and draws > GRID_DRAWS:
        print(f"{writer.pages[0]}: shows the first {GRID_DRAWS} of {draws} draws")


def _tell_far(far: Sequence[Drawn], writer: PictureFiles, scene: SoundToScene | WithoutLatents) -> None:
    from sound2scene.commands.picture_record import RECORD

    usual = "" if scene.familiar is None else f", 95 % of them reach {scene.familiar.cosine:.3f}"
    for one in far[:TOLD]:
        print(
            f"sound2scene: {one['file']}: lies far from the sounds that the audio encoder was validated on "
            f"(cosine to the nearest {one.get('cosine'):.3f}{usual}); do not trust its pictures",
            file=sys.stderr,
        )
    if len(far) > TOLD:
        words = f"{len(far)} of {len(writer.sounds)} sounds lie so far; see {writer.folder / RECORD}"
        print(f"sound2scene: {words}", file=sys.stderr)


COMMAND: Command = generate
