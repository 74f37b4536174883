"""Measure one discriminator and one generator step: bf16, channels last and compiled against plain float32.

The steps are those of the stage `gan` (hinge loss, fakes and reals in one pass of the discriminator) on one
batch that stays where it is, so that nothing but the networks is timed.

Run `python experiments/benchmarks/gan_step.py` (`--resolution 128 --channels 96 --batch 64` for the published
size).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from timing import compare, print_table
from torch.nn.functional import normalize

from sound2scene.losses.adversarial import HingeLoss
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator


def make_step(
    options: argparse.Namespace, bf16: bool, channels_last: bool, compiled: bool
) -> Callable[[], None]:
    """Both steps, with networks and optimizers of their own."""
    torch.manual_seed(0)
    device, width = torch.device(options.device), 256
    one = Generator(options.resolution, options.channels, [], 40, 64, width).to(device)
    other = Discriminator(options.resolution, 2 * options.channels, [], width).to(device)
    if channels_last:
        one, other = (network.to(memory_format=torch.channels_last) for network in (one, other))
    if compiled:
        one.compile()
        other.compile()
    rates = [torch.optim.Adam(network.parameters(), lr=4e-4, betas=(0.0, 0.99)) for network in (one, other)]
    image_BCHW = torch.rand(options.batch, 3, options.resolution, options.resolution, device=device) * 2 - 1
    z_image_BD = normalize(torch.rand(options.batch, width, device=device), dim=1)
    loss = HingeLoss()

    def step() -> None:
        noise_BZ = torch.randn(options.batch, one.z_dim, device=device)
        for optimizer in rates:
            optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            with torch.no_grad():
                fake_BCHW = one(noise_BZ, z_image_BD)
            fake_B, real_B = other(torch.cat([fake_BCHW, image_BCHW]), torch.cat([z_image_BD] * 2)).chunk(2)
            judged = loss.discriminator(real_B, fake_B)
        judged.backward()
        rates[1].step()
        other.requires_grad_(False)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            drawn = loss.generator(other(one(noise_BZ, z_image_BD), z_image_BD))
        drawn.backward()
        rates[0].step()
        other.requires_grad_(True)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument(
        "--channels", type=int, default=8, help="of the generator; the discriminator has twice as many"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    plain = make_step(options, bf16=False, channels_last=False, compiled=False)
    kinds = {
        "channels last": (False, True, False),
        "bf16": (True, False, False),
        "bf16, channels last": (True, True, False),
        "bf16, channels last, compiled": (True, True, True),
    }
    rows = {name: compare(make_step(options, *kind), plain, options.repeats) for name, kind in kinds.items()}
    print(
        f"{options.resolution} px, channels {options.channels}, batch {options.batch}, {options.device}; "
        "other: float32"
    )
    print_table(rows, options.batch, "picture")


if __name__ == "__main__":
    main()
