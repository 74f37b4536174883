"""One run of evaluation: methods, a protocol and a dataset in; figures and pictures out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
from torch import Tensor

from sound2scene.blocks import CLIPS
from sound2scene.callbacks.progress import Counted
from sound2scene.commands.prediction import trainer_of
from sound2scene.data.batches.heard import HeardModule
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.toy.scenes import scenes_of
from sound2scene.evaluation.estimates import Dice, Figure
from sound2scene.evaluation.figures import Asked, Rows, figures_of
from sound2scene.evaluation.networks import Seeing, networks_of
from sound2scene.evaluation.protocol import Protocol
from sound2scene.evaluation.store import Store
from sound2scene.files import alone
from sound2scene.methods.named import NamedMethod, Setting, methods_of, read_word
from sound2scene.protocols import Lacking
from sound2scene.scratch import Scratch
from sound2scene.stages.evaluation import EvaluationStage, Terms
from sound2scene.types import InputError, Rejected

REAL = "real"
FEWEST = 2  # clips


class Wanted(NamedTuple):
    """What is evaluated.

    Attributes:
        words: Methods, as the command line names them; real pictures are always among them.
        shards: Folder or address of the dataset.
        protocol: The protocol.
        image_encoder: Artifact whose features oracles look up.
        left_out: Reason for each clip, by its key, that is not drawn.
        cache: Folder of what is drawn and measured.
        shown: Number of clips whose pictures are shown.
        workers: Decoding processes per process.
    """

    words: Sequence[str]
    shards: str
    protocol: Protocol
    image_encoder: str
    left_out: Mapping[str, str]
    cache: Path
    shown: int = 8
    workers: int = 2


class MethodFigures(NamedTuple):
    """A method and its figures."""

    method: NamedMethod
    absent: list[Rejected]
    there: int
    figures: list[Figure]
    pictures: dict[int, Tensor]


class Evaluated(NamedTuple):
    """What came of a run.

    Attributes:
        split: The clips.
        positions: Positions of those that were drawn.
        networks: The networks that looked.
        protocol_fingerprint: Hash of all that changes a figure.
        methods: Every method.
    """

    split: ShardDataset
    positions: list[int]
    networks: dict[str, Seeing]
    protocol_fingerprint: str
    methods: list[MethodFigures]


def evaluate(wanted: Wanted, **machine: Any) -> Evaluated | None:
    """Draw, measure and take all figures; what an earlier run has drawn is not drawn again.

    The same order gives the same figures on any number of processes and after any number of kills.

    Args:
        wanted: What is evaluated.
        machine: `accelerator`, `devices` and `num_nodes` of a Lightning Trainer; one process by default.

    Returns:
        The figures; None on every process but the first.

    Raises:
        InputError: If the machine has no such devices, a method or network cannot be had, or the dataset does
            not fit the protocol.
    """
    trainer = trainer_of([], **machine)
    with alone(wanted.cache) if trainer.is_global_zero else nullcontext():
        return _Run(wanted, trainer, machine).figures()


class _Run:
    """The parts of a run, in the order in which they are needed."""

    def __init__(self, wanted: Wanted, trainer: pl.Trainer, machine: Mapping[str, Any]) -> None:
        self.wanted, self.protocol, self.machine = wanted, wanted.protocol, machine
        self.is_first, self.device = trainer.is_global_zero, trainer.strategy.root_device
        self.split = ShardDataset(wanted.shards, self.protocol.split)
        _check_split(self.split, self.protocol)
        keys = [self.split.key(position) for position in range(len(self.split))]
        self.positions = [position for position, key in enumerate(keys) if key not in wanted.left_out]
        if len(self.positions) < FEWEST:
            raise InputError(
                f"{wanted.shards}: {len(self.positions)} clips are left of the split {self.protocol.split}; "
                f"figures need {FEWEST} or more"
            )
        self.keys = [keys[position] for position in self.positions]
        self.methods = methods_of(_with_real(wanted.words), self._setting(self.protocol.split))
        self.real = next(one.label for one in self.methods if one.word.kind == REAL)
        self.networks = networks_of(self.protocol, self.split.classes, self.device)
        self.shown = _spread(self.split, self.positions, wanted.shown)

    def figures(self) -> Evaluated | None:
        absent = {one.label: self._missing(one) for one in self.methods}
        store = self._drawn(self.split, self.positions, self.methods, absent)
        reference = None
        if self.protocol.reference != "own":
            split = ShardDataset(self.wanted.shards, self.protocol.reference)
            real = methods_of([REAL], self._setting(self.protocol.reference))
            reference = self._drawn(split, list(range(len(split))), real, {})
        if not self.is_first:
            return None
        found = {name: network.fingerprint for name, network in self.networks.items()}
        asked = self._asked(store, reference)
        measured = [self._measured(asked, store, one, absent[one.label]) for one in self.methods]
        fingerprint = self.protocol.fingerprint(found)
        return Evaluated(self.split, self.positions, self.networks, fingerprint, measured)

    def _missing(self, method: NamedMethod) -> list[Rejected]:
        lacking = method.method
        return lacking.missing(self.keys, self.protocol.draws) if isinstance(lacking, Lacking) else []

    def _setting(self, split: str) -> Setting:
        wanted = self.wanted
        cache = str(wanted.cache / "features")
        side, scratch = self.protocol.side, Scratch(wanted.cache)
        named = (wanted.shards, split, side, wanted.image_encoder, str(self.device), cache)
        return Setting(*named, scratch=scratch)

    def _drawn(
        self,
        split: ShardDataset,
        positions: list[int],
        methods: Sequence[NamedMethod],
        absent: Mapping[str, Sequence[Rejected]],
    ) -> Store:
        """Draw and measure what is not done yet, on all processes."""
        protocol, shown = self.protocol, frozenset(self.shown if split is self.split else ())
        identities = {one.label: self._identity(one, split, positions, shown, absent) for one in methods}
        store = Store(self.wanted.cache, len(positions), identities, Scratch(self.wanted.cache))
        blocks = sorted({number for one in methods for number in store.missing(one.label)})
        terms = Terms(protocol.draws, protocol.seed, protocol.side, shown)
        gone = {name: frozenset(one.key for one in found) for name, found in absent.items()}
        stage = EvaluationStage({one.label: one.method for one in methods}, self.networks, terms, store, gone)
        is_heard = any(one.word.kind != REAL for one in methods)
        module = HeardModule(split, positions, blocks, self.wanted.workers, is_heard)
        what = "drawing and measuring" if is_heard else f"measuring {split.split}"
        trainer = trainer_of([Counted(len(blocks), what, "block")], **self.machine)
        if blocks or trainer.world_size > 1:
            trainer.predict(stage, datamodule=module, return_predictions=False)
            trainer.strategy.barrier("drawn")
        return store

    def _identity(
        self,
        method: NamedMethod,
        split: ShardDataset,
        positions: Sequence[int],
        shown: frozenset[int],
        absent: Mapping[str, Sequence[Rejected]],
    ) -> dict[str, object]:
        """All that the blocks of a method depend on."""
        return {
            "method": [method.word.kind, method.method.fingerprints],
            "absent": [one.key for one in absent.get(method.label, ())],
            "split": split.fingerprint,
            "positions": hashlib.sha256(np.asarray(positions, np.int64).tobytes()).hexdigest(),
            "terms": [1 if method.method.deterministic else self.protocol.draws, self.protocol.seed],
            "side": self.protocol.side,
            "shown": sorted(shown),
            "networks": {name: network.fingerprint for name, network in self.networks.items()},
            "block": CLIPS,
        }

    def _asked(self, store: Store, reference: Store | None) -> Asked:
        protocol, positions = self.protocol, self.positions
        scene = None if protocol.reader is None else scenes_of(self.split, positions, heard=True)
        real = _rows(store, self.real)
        compared = real if reference is None else _rows(reference, REAL)
        dice = Dice(len(positions), protocol.seed, protocol.resamples, protocol.set_resamples)
        label_N, scratch = self.split.label_N[positions], Scratch(self.wanted.cache)
        return Asked(protocol, self.networks, label_N, scene, real, compared, dice, scratch)

    def _measured(
        self, asked: Asked, store: Store, one: NamedMethod, absent: list[Rejected]
    ) -> MethodFigures:
        there_N = store.rows(one.label, "there")
        assert there_N is not None, "every block has it"
        there = int(there_N.sum())
        if there < FEWEST:
            raise InputError(f"{one.label}: has pictures of {there} clips; figures need {FEWEST} or more")
        figures = figures_of(asked, _rows(store, one.label), there_N)
        return MethodFigures(one, absent, there, figures, store.pictures(one.label))


def _with_real(words: Sequence[str]) -> list[str]:
    return [*words] if any(read_word(word).kind == REAL for word in words) else [*words, REAL]


def _rows(store: Store, method: str) -> Rows:
    return lambda network, part: store.rows(method, f"{network}/{part}")


def _check_split(split: ShardDataset, protocol: Protocol) -> None:
    wanted, found = protocol.class_count, len(split.classes)
    if wanted is not None and found != wanted:
        raise InputError(
            f"the protocol is for {wanted} classes, and the dataset has {found}; prepare it with these, or "
            "choose another protocol"
        )


def _spread(split: ShardDataset, positions: Sequence[int], count: int) -> list[int]:
    """Clips to show: those of each class in turn, in their order."""
    turns: dict[int, int] = {}
    ranked = []
    for position in positions:
        label = int(split.label_N[position])
        turns[label] = turns.get(label, -1) + 1
        ranked.append((turns[label], label < 0, label, position))
    return [position for *_, position in sorted(ranked)[:count]]
