"""From one latent to another, and over more stations (paper, Figure 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from sound2scene import ranges
from sound2scene.latent import Course, between, noise_between
from sound2scene.types import InputError

STEPS = ranges.Range(between=(2, 1001))


def positions(stations: int, steps: int) -> list[float]:
    """Where the steps stand on a way over stations, of which number k stands at k.

    Args:
        stations: How many stations there are, at least 1; of one station every step stands there.
        steps: Steps from each station to the next, both of them included.

    Raises:
        InputError: If there are less than 2 steps, or more than 1001.
    """
    ranges.check("interpolate", STEPS, steps=steps)
    if stations == 1:
        return [0.0] * steps
    legs = [leg + step / (steps - 1) for leg in range(stations - 1) for step in range(steps - 1)]
    return [*legs, float(stations - 1)]


def along(
    station_SD: Sequence[Tensor], steps: int, course: Course = "linear"
) -> Iterator[tuple[float, Tensor]]:
    """The steps of a way over stations: where each stands, and its latent.

    At a station its own latent comes back, bit for bit; between two, see `latent.between`.

    Args:
        station_SD: Latents of the stations.
        steps: Steps from each to the next, both of them included.
        course: The way from one to the next.

    Raises:
        InputError: If there is no station, the steps are too few or too many, or two neighbours point in
            opposite directions.
    """
    if not station_SD:
        raise InputError("interpolate: no stations; give at least two")
    for place in positions(len(station_SD), steps):
        leg = min(int(place), max(0, len(station_SD) - 2))
        following = station_SD[min(leg + 1, len(station_SD) - 1)]
        yield place, between(station_SD[leg], following, place - leg, course)


def noise_along(noise_JZ: Tensor, steps: int) -> Iterator[Tensor]:
    """Noise that goes from each draw to the next, (J, Z) at each step; see `latent.noise_between`.

    Args:
        noise_JZ: Noise of J + 1 draws.
        steps: How many steps.
    """
    for step in range(steps):
        yield noise_between(noise_JZ[:-1], noise_JZ[1:], step / (steps - 1))
