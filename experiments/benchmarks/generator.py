"""Time drawing with the generator: spectral norm folded into the weights against power steps, and compiled.

Weights, noise and features are the same, in one process; the outputs are compared before they are timed.

Run `python experiments/benchmarks/generator.py` (`--channels 96 --resolution 128` for the published size).
"""

from __future__ import annotations

import argparse

import torch
from timing import compare, print_table
from torch.nn.functional import normalize

from sound2scene.models.biggan import Generator


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    plain = Generator(arguments.resolution, arguments.channels, attention=[arguments.resolution // 2]).eval()
    plain = plain.to(arguments.device).requires_grad_(False)
    folded = plain.folded()
    compiled = torch.compile(folded)
    rows = {}
    for batch in arguments.batch:
        noise_BZ = torch.randn(batch, plain.z_dim, device=arguments.device)
        z_image_BD = normalize(torch.randn(batch, plain.z_image_dim, device=arguments.device).abs(), dim=1)

        def draw(
            network: object, noise_BZ: torch.Tensor = noise_BZ, z_BD: torch.Tensor = z_image_BD
        ) -> torch.Tensor:
            with torch.inference_mode():
                return network(noise_BZ, z_BD).cpu()  # type: ignore[operator]

        gap = max(float((draw(plain) - draw(network)).abs().max()) for network in (folded, compiled))
        assert gap < 1e-3, f"outputs differ by {gap}"
        rows[f"folded / power steps, batch {batch}"] = compare(
            lambda draw=draw: draw(folded), lambda draw=draw: draw(plain), arguments.repeats
        )
        rows[f"compiled / folded, batch {batch}"] = compare(
            lambda draw=draw: draw(compiled), lambda draw=draw: draw(folded), arguments.repeats
        )
    print(f"{arguments.resolution} px, channels {arguments.channels}, {arguments.device}")
    print_table(rows)


if __name__ == "__main__":
    main()
