"""Inversion against the naive way at equal time: many starts and noise first, or one start and all at once.

The pictures are drawn by the generator itself, of noise that neither way begins with. The naive way begins
at the encoder's feature and one noise, moves both from the first step at one constant rate, by pixels alone,
and has as much time for each picture as the other took. Both run in one process, picture by picture, in
turn; the ratio of times is printed beside the figures.

Run `python experiments/benchmarks/inversion.py` (`--pictures 16`).
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene import defaults, images
from sound2scene.control.inversion import Inverter
from sound2scene.control.likeness import Likeness, likeness
from sound2scene.control.search import Effort
from sound2scene.latent import draw_pictures, noise

NAIVE_RATE = 0.05
FIRST_SEED = 1000  # of the noise of the pictures; the searches draw of seed 0


def naive(inverter: Inverter, pixels_CHW: Tensor, seconds: float) -> tuple[Tensor, Tensor]:
    """Feature and noise after so many seconds of the naive way."""
    ends = time.perf_counter() + seconds
    target_1CHW = images.to_model(pixels_CHW[None]).to(inverter.device)
    z_1D = normalize(inverter.seen(pixels_CHW[None]).to(inverter.device), dim=1).requires_grad_()
    noise_1Z = noise(0, 0, inverter.network.z_dim)[None].to(inverter.device).requires_grad_()
    adam = torch.optim.Adam([z_1D, noise_1Z], lr=NAIVE_RATE)
    while time.perf_counter() < ends:
        adam.zero_grad()
        (draw_pictures(inverter.network, z_1D, noise_1Z) - target_1CHW).square().mean().backward()
        adam.step()
    return normalize(z_1D.detach(), dim=1).cpu(), noise_1Z.detach().cpu()


def measured(inverter: Inverter, pixels_CHW: Tensor, found: tuple[Tensor, Tensor]) -> Likeness:
    """How alike the picture that was found is to the one that was given."""
    drawn_1CHW = inverter.draw(*found)
    seen = inverter.seen(drawn_1CHW), inverter.seen(pixels_CHW[None])
    return likeness(drawn_1CHW, pixels_CHW[None], *seen)[0]


def own_pictures(inverter: Inverter, count: int) -> Tensor:
    """Pictures of the generator, of the features of pictures that it drew of random ones."""
    width = inverter.network.z_image_dim
    noises = [noise(FIRST_SEED, draw, inverter.network.z_dim) for draw in range(count)]
    dice = torch.Generator().manual_seed(FIRST_SEED)
    z_BD = torch.rand(count, width, generator=dice)
    for _ in range(3):  # a random direction is no feature of a picture, but that of its picture is
        pixels_BCHW = inverter.draw(z_BD, torch.stack(noises))
        z_BD = inverter.seen(pixels_BCHW)
    return pixels_BCHW


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generator", default=defaults.GENERATOR)
    parser.add_argument("--image-encoder", default=defaults.IMAGE_ENCODER)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--steps", type=int, default=Effort.steps)
    parser.add_argument("--starts", type=int, default=Effort.starts)
    arguments = parser.parse_args()
    inverter = Inverter(arguments.generator, arguments.image_encoder, arguments.device)
    effort = Effort(arguments.steps, arguments.starts)
    rows: dict[str, list[tuple[float, Likeness]]] = {
        "many starts, noise first": [],
        "one start, all at once": [],
    }
    pixels_BCHW = own_pictures(inverter, arguments.pictures)
    inverter.invert(pixels_BCHW[:1], Effort(1, 1, 1))  # what is slow but once
    for pixels_CHW in pixels_BCHW:
        begun = time.perf_counter()
        ours = inverter.invert(pixels_CHW[None], effort)
        middle = time.perf_counter()
        other = naive(inverter, pixels_CHW, middle - begun)
        ended = time.perf_counter()
        for row, seconds, found in zip(
            rows.values(), (middle - begun, ended - middle), (ours[:2], other), strict=True
        ):
            row.append((seconds, measured(inverter, pixels_CHW, found)))
    print(
        f"{len(pixels_BCHW)} pictures of {inverter.resolution} px, {effort.steps} steps, {arguments.device}"
    )
    print(f"{'':26}  s a picture  PSNR dB: least  median   SSIM   cosine   at least 25 dB")
    for name, row in rows.items():
        seconds = statistics.median(one[0] for one in row)
        psnr, ssim, cosine = zip(*(one[1] for one in row), strict=True)
        share = sum(one >= 25 for one in psnr) / len(psnr)
        print(
            f"{name:26}  {seconds:11.2f}  {min(psnr):14.1f}  {statistics.median(psnr):6.1f}"
            f"  {statistics.median(ssim):5.3f}  {statistics.median(cosine):7.4f}  {share:15.0%}"
        )
    ours_s, other_s = (sum(one[0] for one in row) for row in rows.values())
    print(f"time of the other over ours: {other_s / ours_s:.2f}")


if __name__ == "__main__":
    main()
