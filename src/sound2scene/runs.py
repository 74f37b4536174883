"""What everyone knows of runs: names in their folders, and which validation is the best; nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sound2scene.types import InputError

LAST: Final = "last.ckpt"  # the state from which a run goes on
PROVENANCE: Final = "provenance.json"  # what a run writes of itself


@dataclass(frozen=True)
class Aim:
    """Which validation of a run is its best.

    Attributes:
        monitor: Logged held-out figure. Where a figure's name ends in its protocol (`val/fid/n256_...`), the
            part before it will do.
        smaller_is_better: Whether the smallest value is the best, as of FID.
        tie_break: Second figure, whose larger value decides between validations that are equal in the first;
            among those equal in both the earliest is the best.
        patience: Validations in a row without a better one after which the run ends; None never ends it.
    """

    monitor: str
    smaller_is_better: bool = False
    tie_break: str | None = None
    patience: int | None = None

    def score(self, figures: Mapping[str, float]) -> tuple[float, float]:
        """What to compare: larger is better. A second figure that is NaN loses against any other.

        Raises:
            InputError: If nothing of such a name was logged.
        """
        first = self.figure(figures, self.monitor)
        second = self.figure(figures, self.tie_break) if self.tie_break else 0.0
        return (-first if self.smaller_is_better else first), -math.inf if math.isnan(second) else second

    def figure(self, figures: Mapping[str, float], wanted: str) -> float:
        """The figure of that name, or the only one whose name begins with it."""
        found = [name for name in figures if name == wanted or name.startswith(f"{wanted}/")]
        if len(found) != 1:
            known = ", ".join(sorted(figures)) or "none"
            reason = f"{len(found)} figures begin with" if found else "nothing logs"
            raise InputError(f"run.best: {reason} {wanted!r}; set it to one of the held-out figures: {known}")
        return figures[found[0]]
