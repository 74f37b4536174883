"""Time FID and IS against the network's own pass over the pictures.

Ours is the network alone. The other side is the network with the metrics' sums and their final computation,
once for all pictures, as the callback does it at every validation.

Run `python experiments/benchmarks/fid_overhead.py`.
"""

from __future__ import annotations

import argparse

import torch
from timing import compare, print_table

from sound2scene.metrics.generation import GenerationScores
from sound2scene.models.judge import Judge

TOY = {"channels": [16, 32, 64, 64], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 16}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    networks = {
        "toy judge, 64 features": (Judge(8, 64, "resnet18", TOY), 1024),
        "Inception-v3, 2,048 features": (Judge(309), 64 if arguments.device == "cpu" else 4096),
    }
    rows = {}
    for name, (network, pictures) in networks.items():
        network.eval().to(arguments.device)
        parts = torch.randint(256, (pictures, 3, 64, 64), dtype=torch.uint8, device=arguments.device).split(
            64
        )
        scores = GenerationScores(network.feature_dim, splits=1).to(arguments.device)
        for part in parts:
            scores.add_real(network.measure(part).feature_BD)

        def bare(network: Judge = network, parts: tuple[torch.Tensor, ...] = parts) -> float:
            return sum(float(network.measure(part).feature_BD.sum()) for part in parts)

        def measured(
            network: Judge = network,
            parts: tuple[torch.Tensor, ...] = parts,
            scores: GenerationScores = scores,
        ) -> object:
            for part in parts:
                scores.add_fake(network.measure(part))
            found = scores.compute()
            scores.forget_fakes()
            return found

        rows[f"{name}, {pictures} pictures"] = compare(bare, measured, arguments.repeats)
    print(f"{arguments.device}; ours: network alone, other: with FID and IS")
    print_table(rows)


if __name__ == "__main__":
    main()
