"""Time one discriminator and one generator step in bf16, channels last and compiled against plain float32.

The steps are those of the stage `gan` (hinge loss, fakes and reals in one pass of the discriminator) on one
batch that stays on its device, so that only the networks are timed.

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
    generator: Generator, discriminator: Discriminator, batch: int, bf16: bool = False
) -> Callable[[], None]:
    """One step of the discriminator and one of the generator, on a batch that stays on their device."""
    device = next(generator.parameters()).device
    optimizers = [
        torch.optim.Adam(network.parameters(), lr=4e-4, betas=(0.0, 0.99))
        for network in (generator, discriminator)
    ]
    side, width = generator.resolution, generator.z_image_dim
    image_BCHW = torch.rand(batch, 3, side, side, device=device) * 2 - 1
    z_image_BD = normalize(torch.rand(batch, width, device=device), dim=1)
    loss = HingeLoss()

    def step() -> None:
        noise_BZ = torch.randn(batch, generator.z_dim, device=device)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            with torch.no_grad():
                fake_BCHW = generator(noise_BZ, z_image_BD)
            score_B = discriminator(torch.cat([fake_BCHW, image_BCHW]), torch.cat([z_image_BD] * 2))
            fake_B, real_B = score_B.chunk(2)
            discriminator_loss = loss.discriminator(real_B, fake_B)
        discriminator_loss.backward()
        optimizers[1].step()
        discriminator.requires_grad_(False)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            fake_B = discriminator(generator(noise_BZ, z_image_BD), z_image_BD)
            generator_loss = loss.generator(fake_B)
        generator_loss.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def networks(
    options: argparse.Namespace, channels_last: bool = False, compiled: bool = False
) -> tuple[Generator, Discriminator]:
    """Both networks of the size that is asked for."""
    torch.manual_seed(0)
    pair = (
        Generator(options.resolution, options.channels, [], 40, 64, 256),
        Discriminator(options.resolution, 2 * options.channels, [], 256),
    )
    return prepared(*pair, options.device, channels_last, compiled)


def prepared(
    generator: Generator, discriminator: Discriminator, device: str, channels_last: bool, compiled: bool
) -> tuple[Generator, Discriminator]:
    """Both networks on their device, in the layout that is asked for, compiled or not."""
    for network in (generator, discriminator):
        network.to(device)
        if channels_last:
            network.to(memory_format=torch.channels_last)
        if compiled:
            network.compile()
    return generator, discriminator


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument(
        "--channels", type=int, default=8, help="width of the generator; the discriminator's is twice that"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    plain = make_step(*networks(options), options.batch)
    kinds = {
        "channels last": (False, True, False),
        "bf16": (True, False, False),
        "bf16, channels last": (True, True, False),
        "bf16, channels last, compiled": (True, True, True),
    }
    rows = {
        name: compare(make_step(*networks(options, *kind), options.batch, bf16), plain, options.repeats)
        for name, (bf16, *kind) in kinds.items()
    }
    print(
        f"{options.resolution} px, channels {options.channels}, batch {options.batch}, {options.device}; "
        "other: float32"
    )
    print_table(rows, options.batch, "picture")


if __name__ == "__main__":
    main()
