"""Draw a sound at several gains: louder is bigger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from sound2scene.methods.sound2scene import SoundToScene
    from sound2scene.types import Rejected


def volume(
    files: Annotated[list[Path], Option(metavar="FILE")],
    *,
    how: Drawing,
    db: Annotated[str, Option(metavar="GAINS")] = "-16:16:4",
) -> int:
    """Draw sounds at several gains, saturated at full scale; status 1 if one could not be read.

    Args:
        files: Sound files, videos with sound, and folders, which are searched for both; a row each.
        how: How to draw, and where to.
        db: Gains in dB, as a range first:last:step or a list 0,6,12; 0 leaves the sound as it is.
    """
    from sound2scene.commands.control_files import Appearance
    from sound2scene.commands.picture_order import sounds_of
    from sound2scene.control.volume import GAINS_DB

    gains_db = numbers_of(db, "--db", GAINS_DB)
    paths = [asked.path for asked in sounds_of(files)]
    how = with_networks(how)
    scene = how.scene()
    look = Appearance("Volume: a sound at several gains", "gain in dB, full scale saturates", how.animate)
    rows = _rows(scene, paths, gains_db, how)
    return write_rows(rows, scene, how, ("volume", {"gains_db": [*gains_db]}), look)


def _rows(
    scene: SoundToScene, paths: list[Path], gains_db: list[float], how: Drawing
) -> Iterator[Row | Rejected]:
    from sound2scene.commands.control_files import Row
    from sound2scene.types import InputError, Rejected

    for path in paths:
        try:
            waveform_T, source = read_sound(path)
        except InputError as error:
            yield Rejected(str(path), str(error))
            continue
        yield Row(path.stem, [source], draw_steps(scene, _plan(waveform_T, gains_db), how), len(gains_db))


def _plan(waveform_T: NDArray[np.float32], gains_db: list[float]) -> Iterator[Planned]:
    from sound2scene.control.volume import at_gain

    for gain_db in gains_db:
        label = f"{gain_db:+g} dB" if gain_db else "0 dB"
        yield Planned(label, at_gain(waveform_T, gain_db), {"gain_db": gain_db})


COMMAND: Command = volume
