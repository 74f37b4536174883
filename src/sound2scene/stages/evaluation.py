"""Drawing and measuring: every method draws pictures of each sound, and every network looks at them once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sound2scene.blocks import HeardBlock, MeasuredBlock, Storing
from sound2scene.protocols import Loading, Method
from sound2scene.types import DivergedError, Measured

PICTURES_AT_ONCE = 64


class Looking(Protocol):
    """A frozen network that looks at pictures."""

    def measure(self, pixels_BCHW: Tensor) -> Measured:
        """Features and scores of uint8 pictures."""
        ...


class Terms(NamedTuple):
    """What is asked of every method.

    Attributes:
        draws: Pictures of each sound.
        seed: Seed of them.
        side: Height and width at which they are measured.
        shown: Positions of clips whose first picture is kept.
    """

    draws: int
    seed: int
    side: int
    shown: frozenset[int]


class EvaluationStage(pl.LightningModule):
    """Draws and measures blocks of clips; it only predicts.

    Args:
        methods: Who draws, by name.
        networks: Who looks, by name; they are on this process's device.
        terms: What is asked of every method.
        store: What is done already; a block is not drawn twice.
        absent: Names of clips of which a method has no picture, by method.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        networks: Mapping[str, Looking],
        terms: Terms,
        store: Storing,
        absent: Mapping[str, frozenset[str]],
    ) -> None:
        super().__init__()
        self.methods, self.networks, self.terms = methods, networks, terms
        self.store, self.absent = store, absent

    def setup(self, stage: str) -> None:
        """Let every method get ready; those that share work between processes can meet from now on."""
        for method in self.methods.values():
            if isinstance(method, Loading):
                method.load()

    def predict_step(self, heard: HeardBlock, batch_index: int) -> list[str]:
        """Names of the methods that drew; what was seen is in the store, method by method."""
        drawn = []
        for name, method in self.methods.items():
            if not self.store.has(name, heard.number):
                self.store.write(MeasuredBlock(heard.number, name, self._measured(name, method, heard)))
                drawn.append(name)
        return drawn

    def _measured(self, name: str, method: Method, heard: HeardBlock) -> dict[str, Tensor]:
        gone = self.absent.get(name, frozenset())
        there_B = torch.tensor([key not in gone for key in heard.key])
        draws = 1 if method.deterministic else self.terms.draws
        keys = [key for key in heard.key if key not in gone]
        if not keys:
            return {"there": there_B}
        pixels_BJCHW = method.pictures(heard.waveform_BT[there_B], keys, draws, self.terms.seed)
        pixels_NCHW = _at_side(pixels_BJCHW.flatten(0, 1), self.terms.side)
        tensors = {"there": there_B}
        for network, parts in self._seen(pixels_NCHW):
            for part, seen_ND in parts.items():
                if not torch.isfinite(seen_ND).all():
                    raise DivergedError(
                        f"network {network} sees NaN or infinity in what {name} drew for "
                        f"{', '.join(keys[:3])} ...; look at the pictures and at that network's weights"
                    )
                tensors[f"{network}/{part}"] = _placed(seen_ND.view(-1, draws, seen_ND.shape[1]), there_B)
        shown_B = torch.tensor([int(one) in self.terms.shown for one in heard.position_B])
        first_BCHW = _placed(pixels_NCHW[::draws], there_B)
        return tensors | {"shown": heard.position_B[shown_B], "pixels": first_BCHW[shown_B]}

    def _seen(self, pixels_NCHW: Tensor) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """What each network sees, by its name: features, and scores where it has them."""
        for name, network in self.networks.items():
            parts = [
                network.measure(part_BCHW.to(self.device))
                for part_BCHW in torch.split(pixels_NCHW, PICTURES_AT_ONCE)
            ]
            seen = {"feature": torch.cat([part.feature_BD.cpu() for part in parts])}
            scores = [part.logits_BK.cpu() for part in parts if part.logits_BK is not None]
            yield name, seen | ({"scores": torch.cat(scores)} if scores else {})


def _at_side(pixels_NCHW: Tensor, side: int) -> Tensor:
    """Pictures of another size, resized as Pillow would: bilinear, without aliases."""
    if pixels_NCHW.shape[-2:] == (side, side):
        return pixels_NCHW
    resized_NCHW = interpolate(pixels_NCHW.float(), (side, side), mode="bilinear", antialias=True)
    return resized_NCHW.round().clamp(0, 255).to(torch.uint8)


def _placed(rows_M: Tensor, there_B: Tensor) -> Tensor:
    """Rows of the clips that are there, with zeros for the others."""
    placed_B = rows_M.new_zeros(len(there_B), *rows_M.shape[1:])
    placed_B[there_B] = rows_M
    return placed_B
