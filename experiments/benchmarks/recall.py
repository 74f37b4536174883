"""Recall of a whole split, by one float32 product and by float64 products of all pairs.

The slow way is timed on a part of the clips (`--part`), on which both have to give the same recalls.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from sound2scene.metrics.retrieval import recalls


def slow_recalls(z_audio_ND: Tensor, z_image_ND: Tensor, label_N: Tensor) -> dict[str, float]:
    """Recalls at 1, 5 and 10 by a float64 product for each level and direction."""
    found = {}
    audio_ND, image_ND = (torch.nn.functional.normalize(z.double(), dim=1) for z in (z_audio_ND, z_image_ND))
    same_NN = label_N[:, None] == label_N
    ways = {"audio_to_image": (audio_ND, image_ND), "image_to_audio": (image_ND, audio_ND)}
    for way, (query_ND, gallery_ND) in ways.items():
        for level in ("instance", "class"):
            cosine_NN = (query_ND @ gallery_ND.T).float()
            right_NN = torch.eye(len(label_N), dtype=torch.bool) if level == "instance" else same_NN
            best_N1 = cosine_NN.masked_fill(~right_NN, -torch.inf).amax(1, keepdim=True)
            rank_N = ((cosine_NN >= best_N1) & ~right_NN).sum(1)
            for k in (1, 5, 10):
                found[f"{level}/{way}/recall_at_{k}"] = float((rank_N < k).double().mean())
    return found


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Time both, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=15_446)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=309)
    parser.add_argument("--part", type=int, default=3000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dice = torch.Generator().manual_seed(0)
    image_ND = torch.randn(arguments.clips, arguments.width, generator=dice).relu()
    audio_ND = (image_ND + 3 * torch.randn(image_ND.shape, generator=dice)).relu()
    label_N = torch.randint(arguments.classes, (arguments.clips,), generator=dice)
    part = [values[: arguments.part] for values in (audio_ND, image_ND, label_N)]
    fast, slow = recalls(*part), slow_recalls(*part)
    assert all(fast[name] == value for name, value in slow.items()), "the two differ"
    fast_s, slow_s = seconds(lambda: recalls(*part)), seconds(lambda: slow_recalls(*part))
    print(f"{len(part[2])} clips: {fast_s:.1f} s against {slow_s:.1f} s, {slow_s / fast_s:.1f} times as fast")
    whole_s = seconds(lambda: recalls(audio_ND, image_ND, label_N))
    print(f"{len(label_N)} clips of width {arguments.width}: {whole_s:.1f} s on {arguments.threads} threads")


if __name__ == "__main__":
    main()
