"""Draw a mixture of sounds: both are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from sound2scene.ranges import Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sound2scene.commands.control_record import Setting

SHARES = "1:0:-0.25"


class Weighed(NamedTuple):
    """A mixture by the factor of each sound, what to call it, and what the record says of it."""

    label: str
    factors: list[float]
    numbers: dict[str, float]


class Rule(NamedTuple):
    """What a mixture is made by.

    Attributes:
        name: Its option.
        values: Its numbers: an a or a ratio a step, or a gain a sound.
        axis: What the figure says of it.
        offsets_s: Seconds by which each sound begins later.
        normalise: Whether the peak is brought to full scale.
    """

    name: str
    values: list[float]
    axis: str
    offsets_s: list[float]
    normalise: bool


def mix(
    files: Annotated[list[Path], Option(metavar="FILE")],
    *,
    how: Drawing,
    a: Annotated[str | None, Option(metavar="SHARES")] = None,
    a_db: Annotated[str | None, Option(metavar="DB")] = None,
    gain_db: Annotated[str | None, Option(metavar="GAINS")] = None,
    snr_db: Annotated[str | None, Option(metavar="RATIOS")] = None,
    offset_s: Annotated[str | None, Option(metavar="SECONDS")] = None,
    normalise: bool = False,
) -> int:
    """Draw two or more sounds at once, added in the waveform by a rule, by gains or at ratios of level.

    Args:
        files: Sound files or videos with sound, at least two.
        how: How to draw, and where to.
        a: Shares in a*first + (1-a)*(sum of the others), a range or a list; else 1:0:-0.25.
        a_db: The same shares in dB, such as 0,-3,-7.5,-12,-15, the first released series.
        gain_db: Gain of each sound in dB, one number a sound.
        snr_db: Level of the first sound over that of the sum of the others in dB, as a range or a list.
        offset_s: Seconds by which each sound begins later, one number a sound.
        normalise: Bring the peak of each sum to full scale; the published mixtures do not.
    """
    from sound2scene.control.mixing import OFFSETS_S
    from sound2scene.types import InputError

    if len(files) < 2:
        raise InputError(f"mix {files[0]}: one sound is no mixture; give at least two")
    rule = _rule({"a": a, "a-db": a_db, "gain-db": gain_db, "snr-db": snr_db}, len(files), normalise)
    if offset_s is not None:
        rule = rule._replace(offsets_s=_one_each(offset_s, "--offset-s", OFFSETS_S, len(files)))
    return _draw(files, rule, how)


def _draw(files: Sequence[Path], rule: Rule, how: Drawing) -> int:
    from sound2scene.commands.control_files import Appearance, Row
    from sound2scene.control.mixing import shifted

    read = [read_sound(path) for path in files]
    waveforms = [
        shifted(waveform_T, by_s) for (waveform_T, _), by_s in zip(read, rule.offsets_s, strict=True)
    ]
    names = [path.stem for path in files]
    weighed = _weighed(waveforms, names, rule)
    how = with_networks(how)
    scene = how.scene()
    steps = draw_steps(scene, _plan(waveforms, weighed, rule), how)
    row = Row(" + ".join(names), [source for _, source in read], steps, len(weighed))
    look = Appearance("Mixture: sounds added in the waveform", rule.axis, how.animate)
    settings: dict[str, Setting] = {rule.name.replace("-", "_"): [*rule.values]}
    settings |= {"offsets_s": [*rule.offsets_s], "normalise": rule.normalise}
    return write_rows([row], scene, how, ("mix", settings), look)


def _rule(given: dict[str, str | None], sounds: int, normalise: bool) -> Rule:
    """The one rule that was asked for."""
    from sound2scene import ranges
    from sound2scene.control.mixing import GAINS_DB, RATIOS_DB
    from sound2scene.types import InputError

    asked = {name: text for name, text in given.items() if text is not None} or {"a": SHARES}
    if len(asked) > 1:
        raise InputError(f"mix: --{' and --'.join(asked)} are different rules; choose one")
    ((name, text),) = asked.items()
    option = f"--{name}"
    if name == "gain-db":
        values, axis = _one_each(text, option, GAINS_DB, sounds), "each sound alone, and their sum"
    elif name == "snr-db":
        values = numbers_of(text, option, RATIOS_DB)
        axis = "each sound alone; level of the first over that of the others, in dB"
    else:
        limits = ranges.PART if name == "a" else ranges.Range(between=(-120, 0))
        values, axis = numbers_of(text, option, limits), "a in a · first + (1 - a) · others"
    return Rule(name, values, axis, [0.0] * sounds, normalise)


def _one_each(text: str, name: str, limits: Range, sounds: int) -> list[float]:
    from sound2scene.types import InputError

    values = numbers_of(text, name, limits)
    if len(values) != sounds:
        raise InputError(f"{name} {text}: {len(values)} numbers for {sounds} sounds; give one for each")
    return values


def _weighed(waveforms: Sequence[NDArray[np.float32]], names: Sequence[str], rule: Rule) -> list[Weighed]:
    """Every step of a rule; gains and ratios are shown beside each sound alone."""
    from sound2scene import audio
    from sound2scene.control.mixing import at_ratio, by_gains, crossfade

    count = len(waveforms)
    if rule.name in ("a", "a-db"):
        shares = [audio.factor(value) for value in rule.values] if rule.name == "a-db" else rule.values
        return [Weighed(f"a = {share:.3g}", crossfade(share, count), {"a": share}) for share in shares]
    alone = [
        Weighed(f"{name} alone", [float(other == number) for other in range(count)], {})
        for number, name in enumerate(names)
    ]
    if rule.name == "gain-db":
        numbers = {f"gain_db_{number}": value for number, value in enumerate(rule.values)}
        words = ", ".join(f"{value:+g}" if value else "0" for value in rule.values)
        return [*alone, Weighed(f"sum, {words} dB", by_gains(rule.values), numbers)]
    return alone + [
        Weighed(f"{value:+g} dB" if value else "0 dB", at_ratio(waveforms, value), {"snr_db": value})
        for value in rule.values
    ]


def _plan(
    waveforms: Sequence[NDArray[np.float32]], steps: Sequence[Weighed], rule: Rule
) -> Iterator[Planned]:
    from sound2scene.control.mixing import mix as mixed

    for step in steps:
        # The peak of a sound alone is left where it is, so that its pictures are what `generate` draws.
        alone = sorted(step.factors) == [0.0] * (len(step.factors) - 1) + [1.0]
        edited = mixed(waveforms, step.factors, rule.normalise and not alone)
        factors = {f"factor_{number}": by for number, by in enumerate(step.factors)}
        yield Planned(step.label, edited, {**step.numbers, **factors})


COMMAND: Command = mix
