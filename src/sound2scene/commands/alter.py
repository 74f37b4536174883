"""Draw a sound at other pitches, in rooms, cropped or faded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from sound2scene.commands.control_sounds import (
    Drawing,
    Planned,
    draw_steps,
    read_sound,
    write_rows,
)
from sound2scene.commands.model_choice import with_networks
from sound2scene.commands.number_list import numbers_of
from sound2scene.commands.parser import Command, Option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sound2scene.commands.control_files import Row
    from sound2scene.control.waveform import Edited
    from sound2scene.methods.sound2scene import SoundToScene
    from sound2scene.types import Rejected


class Change(NamedTuple):
    """A change of a sound: what to call it, what the record says of it, and the change itself."""

    label: str
    numbers: dict[str, float]
    make: Callable[[NDArray[np.float32]], Edited]


def alter(
    files: Annotated[list[Path], Option(metavar="FILE")],
    *,
    how: Drawing,
    pitch: Annotated[str | None, Option(metavar="SEMITONES")] = None,
    reverb: Annotated[str | None, Option(metavar="SECONDS")] = None,
    crop: Annotated[list[str] | None, Option(metavar="START:END")] = None,
    fade: Annotated[str | None, Option(metavar="SECONDS")] = None,
) -> int:
    """Draw sounds beside changed ones, each change by itself; status 1 if a sound could not be read.

    Args:
        files: Sound files, videos with sound, and folders, which are searched for both; a row each.
        how: How to draw, and where to.
        pitch: Semitones up or down at the same pace, as a range first:last:step or a list.
        reverb: Rooms, by the seconds in which their echoes fall by 60 dB, as a range or a list.
        crop: Parts to keep, in seconds, repeated to 10 s as a short file is.
        fade: Seconds of a fade in and of one out, as a range or a list.
    """
    from sound2scene.commands.control_files import Appearance
    from sound2scene.commands.picture_order import sounds_of

    changes = _changes(pitch, reverb, crop, fade)
    paths = [asked.path for asked in sounds_of(files)]
    how = with_networks(how)
    scene = how.scene()
    look = Appearance(
        "A sound and changed ones", "the sound as it is, then each change by itself", how.animate
    )
    settings = {"pitch": pitch, "reverb": reverb, "crop": " ".join(crop) if crop else None, "fade": fade}
    return write_rows(_rows(scene, paths, changes, how), scene, how, ("alter", settings), look)


def _changes(pitch: str | None, reverb: str | None, crop: list[str] | None, fade: str | None) -> list[Change]:
    from sound2scene.control import alteration
    from sound2scene.control.waveform import Edited
    from sound2scene.types import InputError

    found = [Change("as it is", {}, Edited)]
    for text, name, limits, words, make in (
        (pitch, "pitch", alteration.SEMITONES, "{:+g} semitones", alteration.pitched),
        (reverb, "reverb", alteration.DECAY_S, "echoes {:g} s", alteration.reverberant),
        (fade, "fade", alteration.FADE_S, "faded over {:g} s", alteration.faded),
    ):
        values = [] if text is None else numbers_of(text, f"--{name}", limits)
        found += [Change(words.format(value), {name: value}, _with(make, value)) for value in values]
    for part in crop or ():
        start_s, end_s = _part(part)
        numbers = {"crop_start_s": start_s, "crop_end_s": end_s}
        found.append(
            Change(f"{start_s:g} to {end_s:g} s", numbers, _with(alteration.cropped, start_s, end_s))
        )
    if len(found) == 1:
        raise InputError("alter: no change; give --pitch, --reverb, --crop or --fade")
    return found


def _with(make: Callable[..., Edited], *values: float) -> Callable[[NDArray[np.float32]], Edited]:
    return lambda waveform_T: make(waveform_T, *values)


def _part(text: str) -> tuple[float, float]:
    """Start and end of a crop."""
    from sound2scene.control.alteration import check_part
    from sound2scene.types import CLIP_S, InputError

    try:
        start_s, end_s = map(float, text.split(":"))
    except ValueError:
        raise InputError(
            f"--crop {text[:40]}: no part; give its start and end in seconds, as 2:4.5"
        ) from None
    check_part(start_s, end_s, CLIP_S)
    return start_s, end_s


def _rows(
    scene: SoundToScene, paths: list[Path], changes: list[Change], how: Drawing
) -> Iterator[Row | Rejected]:
    from sound2scene.commands.control_files import Row
    from sound2scene.types import InputError, Rejected

    for path in paths:
        try:
            waveform_T, source = read_sound(path)
        except InputError as error:
            yield Rejected(str(path), str(error))
            continue
        steps = draw_steps(scene, _plan(waveform_T, changes), how)
        yield Row(path.stem, [source], steps, len(changes))


def _plan(waveform_T: NDArray[np.float32], changes: list[Change]) -> Iterator[Planned]:
    for change in changes:
        yield Planned(change.label, change.make(waveform_T), change.numbers)


COMMAND: Command = alter
