"""The search for the feature and noise that draw given pictures: many starts, then two descents.

The paper says nothing of how it inverts (figure 7). Here the image encoder's feature and many noises are
tried, and the best few are kept; then the noise alone is optimised, then noise and feature together, so that
a drawn picture has the pixels of the given one and looks like it to the image encoder, while the noise stays
normal and the feature near the encoder's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from sound2scene import images, ranges
from sound2scene.control.descent import Descent, keep, kept, parts_of
from sound2scene.control.views import Eye
from sound2scene.latent import draw_pictures, noise
from sound2scene.protocols import whole_number
from sound2scene.types import InputError

KEEP_STEPS = 25  # between two writings of the state
NOISE_RATE, Z_RATE = 0.1, 0.03
EARLY = 0.4  # share of the steps in which the noise moves alone
# Weights beside the mean square of differences in [-1, 1].
FEATURE_WEIGHT, NORMAL_WEIGHT, ANCHOR_WEIGHT = 0.2, 0.05, 0.1


@dataclass(frozen=True)
class Effort:
    """How hard to look.

    Attributes:
        steps: Steps of the two descents together.
        starts: Noises that are optimised for each picture; the best one goes on with the feature.
        candidates: Noises that are tried to choose these from; at least as many.
        seed: Seed of the noises; candidate j is draw j of `sound2scene generate`.

    Raises:
        InputError: If a number is out of its range.
    """

    steps: int = 150
    starts: int = 2
    candidates: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        ranges.check("invert", ranges.BATCH, steps=self.steps, starts=self.starts, candidates=self.candidates)
        ranges.check("invert", ranges.SEED, seed=self.seed)
        if self.candidates < self.starts:
            raise InputError(
                f"invert.candidates is {self.candidates}, fewer than {self.starts} starts; set it to more"
            )


class Inverted(NamedTuple):
    """What was found for B pictures, on the CPU.

    Attributes:
        z_BD: Features, of unit length.
        noise_BZ: Noises.
        loss_BT: Loss of the best start before each of T steps.
        psnr_BT: Its peak signal-to-noise ratio in dB.
    """

    z_BD: Tensor
    noise_BZ: Tensor
    loss_BT: Tensor
    psnr_BT: Tensor


class Parts(NamedTuple):
    """What a search works with.

    Attributes:
        network: Frozen generator, on the device of the pictures.
        eye: Frozen image encoder whose features it draws.
        at_once: Rows that are drawn together, for the sake of memory.
        names: What these are, for the state's file: fingerprints and device.
    """

    network: nn.Module
    eye: Eye
    at_once: int
    names: dict[str, str]


def psnr_db(image_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (B,) of pictures in [-1, 1]; infinite where nothing differs."""
    return 10 * torch.log10(4 / (image_BCHW - target_BCHW).square().flatten(1).mean(1))


class Search:
    """The inversion of some pictures; a picture never feels another one.

    Args:
        parts: Networks.
        target_BCHW: Pictures of the generator's size in [-1, 1], on the networks' device.
        effort: How hard to look.
        state: File that keeps the state of the work; if it is there, the work goes on from it.
        told: Is told how many steps were done since it was last told.

    Raises:
        InputError: If the file is damaged or belongs to other work.
    """

    def __init__(
        self,
        parts: Parts,
        target_BCHW: Tensor,
        effort: Effort,
        state: Path | None = None,
        told: Callable[[int], object] | None = None,
    ) -> None:
        self.parts, self.target_BCHW, self.effort = parts, target_BCHW, effort
        self._state, self._told = state, told
        with torch.no_grad():
            self._seen_BD = torch.cat(
                [parts.eye(part_BCHW) for part_BCHW in torch.split(target_BCHW, parts.at_once)]
            )
        self._z_BD = normalize(self._seen_BD, dim=1)
        early = int(EARLY * effort.steps)
        self._phases = ((early, (NOISE_RATE, 0.0)), (effort.steps - early, (NOISE_RATE, Z_RATE)))
        job = repr((sorted(parts.names.items()), sorted(asdict(effort).items())))
        self._job = sha256(job.encode() + images.to_pixel(target_BCHW).cpu().numpy().tobytes()).hexdigest()
        self._curve_TB2: list[Tensor] = []
        self._phase, self._owner_R, self._descent = self._begun()

    def result(self) -> Inverted:
        """Do the work, or what is left of it; the file of its state is gone then.

        Raises:
            InputError: If the file cannot be written.
        """
        self._descend()
        while self._phase + 1 < len(self._phases):
            row_R = self._best_rows()
            found = self._descent
            self._phase += 1
            self._owner_R = self._owner_R[row_R]
            self._descent = Descent(
                found.noise_RZ[row_R], found.features()[row_R], *self._phases[self._phase]
            )
            self._descend()
        if self._state is not None:
            self._state.unlink(missing_ok=True)
        row_R = self._best_rows()
        loss_BT, psnr_BT = torch.stack(self._curve_TB2).permute(2, 1, 0)
        noise_BZ = self._descent.noise_RZ.detach()[row_R]
        return Inverted(self._descent.features()[row_R].cpu(), noise_BZ.cpu(), loss_BT, psnr_BT)

    def _descend(self) -> None:
        descent = self._descent
        while descent.step < descent.steps:
            loss_R, psnr_R = descent.advance(self._loss, self.parts.at_once)
            row_B = self._lowest(loss_R)
            self._curve_TB2.append(torch.stack([loss_R[row_B], psnr_R[row_B]], 1).cpu())
            if self._told is not None:
                self._told(1)
            if self._state is not None and len(self._curve_TB2) % KEEP_STEPS == 0:
                self._keep(self._state)

    def _loss(self, noise_RZ: Tensor, z_RD: Tensor, row_R: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and PSNR of some of the rows."""
        return self._loss_of(noise_RZ, z_RD, self._owner_R[row_R])

    def _loss_of(self, noise_RZ: Tensor, z_RD: Tensor, owner_R: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and PSNR of what is drawn for given pictures."""
        target_RCHW = self.target_BCHW[owner_R]
        image_RCHW = draw_pictures(self.parts.network, z_RD, noise_RZ)
        pixel_R = (image_RCHW - target_RCHW).square().flatten(1).mean(1)
        looks_R = cosine_similarity(self.parts.eye(image_RCHW), self._seen_BD[owner_R], dim=1)
        near_R = cosine_similarity(z_RD, self._z_BD[owner_R], dim=1)
        normal_R = (noise_RZ.square().mean(1) - 1).square()
        loss_R = pixel_R + FEATURE_WEIGHT * (1 - looks_R) + ANCHOR_WEIGHT * (1 - near_R)
        return loss_R + NORMAL_WEIGHT * normal_R, psnr_db(image_RCHW, target_RCHW)

    @torch.no_grad()
    def _best_rows(self) -> Tensor:
        """The row of each picture that ended best."""
        noise_RZ, z_RD = self._descent.noise_RZ, self._descent.features()
        rows = parts_of(len(noise_RZ), self.parts.at_once, noise_RZ.device)
        losses = [self._loss(noise_RZ[row_R], z_RD[row_R], row_R)[0] for row_R in rows]
        return self._lowest(torch.cat(losses))

    def _lowest(self, loss_R: Tensor) -> Tensor:
        """The row of each picture whose loss is lowest; its rows lie side by side."""
        loss_BS = loss_R.reshape(len(self.target_BCHW), -1)
        first_B = torch.arange(len(loss_BS), device=loss_R.device) * loss_BS.shape[1]
        row_B: Tensor = first_B + loss_BS.argmin(1)
        return row_B

    def _begun(self) -> tuple[int, Tensor, Descent]:
        """Phase, the picture to which each row belongs, and descent: as they were kept, or new ones."""
        found = None if self._state is None else kept(self._state)
        if found is None:
            noise_RZ, owner_R = self._starts()
            return 0, owner_R, Descent(noise_RZ, self._z_BD[owner_R], *self._phases[0])
        tensors, about = found
        if about.get("job") != self._job:
            raise InputError(
                f"{self._state}: the state of other work (pictures, networks or settings differ); remove it "
                "to begin anew"
            )
        device = self.target_BCHW.device
        phase, owner_R = int(about["phase"]), tensors.pop("owner").to(device)
        self._curve_TB2 = list(tensors.pop("curve"))
        descent = Descent(tensors["noise"].to(device), tensors["z"].to(device), *self._phases[phase])
        descent.restore(tensors, int(about["step"]))
        if self._told is not None:
            self._told(len(self._curve_TB2))
        return phase, owner_R, descent

    def _keep(self, path: Path) -> None:
        about = {"job": self._job, "phase": str(self._phase), "step": str(self._descent.step)}
        more = {"owner": self._owner_R, "curve": torch.stack(self._curve_TB2)}
        keep(path, self._descent.tensors() | more, about)

    @torch.no_grad()
    def _starts(self) -> tuple[Tensor, Tensor]:
        """The noises that suit each picture best, and to which picture each belongs."""
        width = whole_number(self.parts.network, "z_dim")
        drawn = [noise(self.effort.seed, draw, width) for draw in range(self.effort.candidates)]
        noise_NZ = torch.stack(drawn).to(self.target_BCHW.device)
        best = []
        for picture in range(len(self.target_BCHW)):
            owner_N = torch.full((len(noise_NZ),), picture, device=noise_NZ.device)
            parts = [
                self._loss_of(noise_NZ[row_R], self._z_BD[owner_N[row_R]], owner_N[row_R])[0]
                for row_R in parts_of(len(noise_NZ), self.parts.at_once, noise_NZ.device)
            ]
            best.append(torch.cat(parts).topk(self.effort.starts, largest=False).indices)
        owner_R = torch.arange(len(best), device=noise_NZ.device).repeat_interleave(self.effort.starts)
        return noise_NZ[torch.cat(best)], owner_R
