"""Pictures as grids of codes: the VQ-VAE of the baseline by Pedersoli et al. (arXiv:2208.02337)."""

from __future__ import annotations

import os
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sound2scene import artifacts
from sound2scene.ranges import WIDTH, check
from sound2scene.types import InputError

KIND = "manifold-autoencoder"
FEWEST_HALVINGS = 2


class Coded(NamedTuple):
    """A picture on its way through the autoencoder.

    Attributes:
        image_BCHW: What the decoder made of the codes, float32; about 0 to 1, but nothing holds it there.
        z_BDHW: The encoder's map before quantisation.
        code_BDHW: Nearest codebook vector at each place, with a gradient to the codebook alone.
        number_BHW: Number of that vector, int64.
    """

    image_BCHW: Tensor
    z_BDHW: Tensor
    code_BDHW: Tensor
    number_BHW: Tensor


class ManifoldAutoencoder(nn.Module):
    """Encoder, codebook and decoder of square pictures (audio_manifold `manifold.py`, `vq.py`).

    The defaults give the published network of RGB pictures: 1,043,785 parameters, with the default
    initialisation of torch and a codebook that starts uniform in +-1 / codes.

    Args:
        side: Height and width of the pictures.
        grid: Height and width of the map of codes; published 32, 16 and 8. Each halving of the side is one
            convolution.
        codes: Codebook vectors; published 64 to 512.
        code_dim: Width of a codebook vector.
        width: Channels inside; those of the outermost layers are half as many.
        residual_width: Channels inside the residual layers.

    Attributes:
        arguments: Constructor arguments, which a card stores to build the network again.

    Raises:
        InputError: If the side is not the grid times a power of two from 4 on, or a number makes no sense.
    """

    def __init__(
        self,
        side: int = 256,
        grid: int = 32,
        codes: int = 64,
        code_dim: int = 64,
        width: int = 128,
        residual_width: int = 32,
    ) -> None:
        super().__init__()
        self.arguments = {"side": side, "grid": grid, "codes": codes, "code_dim": code_dim}
        self.arguments |= {"width": width, "residual_width": residual_width}
        check("autoencoder", WIDTH, **self.arguments)
        halvings = max(side // grid, 1).bit_length() - 1
        if grid << halvings != side or halvings < FEWEST_HALVINGS:
            raise InputError(
                f"autoencoder.side is {side} and autoencoder.grid {grid}; make the side 4, 8, 16 ... times "
                "the grid"
            )
        if width % 2:
            raise InputError(f"autoencoder.width is {width}; set it to an even number")
        self.side, self.grid, self.code_dim = side, grid, code_dim
        self.encoder = nn.Sequential(
            nn.BatchNorm2d(3),
            *_halving(3, width // 2),
            *(layer for n in range(halvings - 1) for layer in _halving(width if n else width // 2, width)),
            *(Residual(width, residual_width) for _ in range(2)),
            nn.Conv2d(width, code_dim, 1),
        )
        self.codebook_KD = nn.Parameter(torch.empty(codes, code_dim).uniform_(-1 / codes, 1 / codes))
        self.decoder = nn.Sequential(
            nn.Conv2d(code_dim, width, 3, padding=1),
            *(Residual(width, residual_width) for _ in range(2)),
            *(layer for _ in range(halvings - 2) for layer in _doubling(width, width)),
            *_doubling(width, width // 2),
            nn.ConvTranspose2d(width // 2, 3, 4, 2, 1),
        )

    def forward(self, pixels_BCHW: Tensor) -> Coded:
        """Pictures through their codes, uint8 (B, 3, side, side); gradients pass the codes straight through.

        Raises:
            InputError: If the pictures have another size.
        """
        z_BDHW = self.encode(pixels_BCHW)
        number_BHW = self.nearest(z_BDHW)
        code_BDHW = self.codebook_KD[number_BHW].permute(0, 3, 1, 2)
        straight_BDHW = z_BDHW + (code_BDHW - z_BDHW).detach()
        return Coded(self.decoder(straight_BDHW).float(), z_BDHW, code_BDHW, number_BHW)

    def encode(self, pixels_BCHW: Tensor) -> Tensor:
        """The map before quantisation, float32 (B, code_dim, grid, grid), of uint8 (B, 3, side, side).

        Raises:
            InputError: If the pictures have another size.
        """
        if pixels_BCHW.shape[1:] != (3, self.side, self.side):
            raise InputError(
                f"the autoencoder takes pictures (3, {self.side}, {self.side}), not "
                f"{tuple(pixels_BCHW.shape[1:])}; set data.init_args.read.init_args.preset to "
                f"pixels{self.side}"
            )
        z_BDHW: Tensor = self.encoder(unit(pixels_BCHW))
        return z_BDHW.float()

    @torch.no_grad()
    def nearest(self, z_BDHW: Tensor) -> Tensor:
        """Number of the codebook vector nearest to each place, int64 (B, H, W); of equal ones the first."""
        with torch.autocast(z_BDHW.device.type, enabled=False):
            flat_ND = z_BDHW.float().permute(0, 2, 3, 1).flatten(0, 2)
            book_KD = self.codebook_KD.float()
            # The place's own length is the same for all codes.
            distance_NK = book_KD.square().sum(1) - 2 * flat_ND @ book_KD.mT
        return distance_NK.argmin(1).view(len(z_BDHW), *z_BDHW.shape[2:])

    @torch.no_grad()
    def picture(self, z_BDHW: Tensor) -> Tensor:
        """Pictures of the codes nearest to a map, float32 (B, 3, side, side) in [-1, 1], no gradient."""
        code_BDHW = self.codebook_KD[self.nearest(z_BDHW)].permute(0, 3, 1, 2)
        image_BCHW: Tensor = self.decoder(code_BDHW)
        return model_range(image_BCHW)


class Residual(nn.Module):
    """A narrow residual layer, ReLU(x + f(x)).

    Args:
        width: Channels of input and output.
        inner: Channels inside.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(width, inner, 3, padding=1), nn.ReLU(), nn.Conv2d(inner, width, 1)
        )

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """The same shape."""
        return torch.relu(image_BCHW + self.branch(image_BCHW))


class FrozenAutoencoder:
    """The autoencoder of an artifact, no part of whatever holds it: never trained, saved or set to training.

    The network is loaded when it is first needed, and goes where its input lies.

    Args:
        folder: Folder of a manifold-autoencoder artifact.

    Attributes:
        folder: The artifact.
        fingerprint: Fingerprint of the network.
        preset: Image chain that it was trained with.

    Raises:
        InputError: If the artifact is missing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        card = artifacts.read_card(folder)
        self.folder, self.fingerprint, self.preset = os.fspath(folder), card.fingerprint, str(card.preset)

    @cached_property
    def network(self) -> ManifoldAutoencoder:
        """The network, in evaluation.

        Raises:
            InputError: If the artifact is damaged or of another kind.
        """
        network = artifacts.load(self.folder, kind=KIND)
        if not isinstance(network, ManifoldAutoencoder):
            raise InputError(f"{self.folder}: is no ManifoldAutoencoder; train one by `make train-manifold`")
        return network.requires_grad_(False)

    def on(self, device: torch.device) -> ManifoldAutoencoder:
        """The network on a device."""
        return self.network.to(device)

    def check_map(self, grid: int, code_dim: int) -> None:
        """Refuse maps that it cannot draw.

        Args:
            grid: Height and width of the maps.
            code_dim: Width of the maps.

        Raises:
            InputError: If its own maps have other sizes.
        """
        own = (self.network.grid, self.network.code_dim)
        if own != (grid, code_dim):
            raise InputError(
                f"{self.folder}: its maps have grid {own[0]} and code_dim {own[1]}, the audio network's "
                f"{grid} and {code_dim}; make them the same"
            )


def unit(pixels_BCHW: Tensor) -> Tensor:
    """Pixels (uint8) as float32 in [0, 1], the range in which pictures are made here."""
    assert pixels_BCHW.dtype == torch.uint8, f"the autoencoder takes pixels, not {pixels_BCHW.dtype}"
    return pixels_BCHW.to(torch.float32) / 255


def model_range(image_BCHW: Tensor) -> Tensor:
    """What a decoder makes, about 0 to 1, in the range of `images.to_pixel`: float32, clamped to [-1, 1]."""
    return (image_BCHW.float() * 2 - 1).clamp(-1, 1)


def _halving(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU()]


def _doubling(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU()]
