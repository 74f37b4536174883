"""Clips of a split that tell nothing, or that another split knows already: the file that lists them."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sound2scene import files
from sound2scene.records import Count, Record
from sound2scene.types import InputError

FORMAT = 1
Kind = Literal["same_video", "same_sound", "same_picture", "still", "silent"]


@dataclass(frozen=True)
class Finding:
    """Why a clip should be left out.

    Attributes:
        key: Name of the clip.
        kind: `same_video` (another second of a video of the other split), `same_sound`, `same_picture`,
            `still` (a video in which nothing moves) or `silent`.
        partner: The clip that it repeats, as `split/key`; None of what it is by itself.
        figure: Share of different bits of two fingerprints, grey levels of motion, or dB of full scale.
    """

    key: str
    kind: Kind
    partner: str | None = None
    figure: float | None = None


@dataclass(frozen=True)
class Hygiene:
    """What was found in a split.

    Attributes:
        data: Name of the dataset.
        split: The split that was looked at.
        fingerprints: Fingerprint of it and of each split that it was compared with.
        clips: Clips of each of these splits.
        settings: Limits beyond which a clip counts as found.
        not_looked_for: Kinds that were not looked for in all clips, and why.
        findings: What was found, in the order of the clips.
    """

    data: str
    split: str
    fingerprints: Mapping[str, str]
    clips: Mapping[str, Count]
    settings: Mapping[str, float] = field(default_factory=dict)
    not_looked_for: Mapping[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def left_out(self) -> dict[str, str]:
        """Each clip to leave out, and why: its kinds, separated by commas."""
        kinds: dict[str, list[str]] = defaultdict(list)
        for finding in self.findings:
            kinds[finding.key].append(finding.kind)
        return {key: ", ".join(dict.fromkeys(found)) for key, found in kinds.items()}

    def counts(self) -> dict[str, int]:
        """Clips of each kind; one of two kinds counts in both."""
        return dict(
            sorted(Counter(kind for _, kind in {(one.key, one.kind) for one in self.findings}).items())
        )

    def check(self, fingerprints: Mapping[str, str], name: str) -> None:
        """Refuse another dataset than the one that was looked at.

        Args:
            fingerprints: Fingerprint of each split of the dataset, as its folder tells them.
            name: What the message calls the dataset.

        Raises:
            InputError: If one of the splits that were looked at or compared with is another one or missing.
        """
        for split, expected in self.fingerprints.items():
            if fingerprints.get(split) != expected:
                raise InputError(
                    f"{name}: its split {split} is not the one in which clips to leave out were found; run "
                    "`sound2scene hygiene` on this dataset"
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write, all or nothing; a finding a line.

        Raises:
            InputError: If it cannot be written.
        """
        head = {"format": FORMAT} | {
            name: value for name, value in asdict(self).items() if name != "findings"
        }
        lines = ",\n".join(json.dumps(asdict(one)) for one in self.findings)
        text = json.dumps(head, indent=1).removesuffix("\n}")
        files.write(path, f'{text},\n "findings": [\n{lines}\n]\n}}\n', sync=True)


_FILE = Record(Hygiene, "make it again by `sound2scene hygiene`", FORMAT)


def read_hygiene(path: str | os.PathLike[str]) -> Hygiene:
    """What `Hygiene.save` wrote.

    Raises:
        InputError: If the file is missing, damaged or of another kind.
    """
    return _FILE.read(path)
