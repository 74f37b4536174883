"""Time an evaluation against its networks' own passes over the same pictures, and show its memory.

Ours is four networks (a judge and an image encoder of toy size, two of timm's at their own size) looking at
pictures that lie in memory. The other side is `evaluate` with a method that draws nothing: sounds read,
pictures handed over, blocks written, all figures taken, with intervals.

Run `python experiments/benchmarks/evaluation.py [--clips 2000]`; `--memory 1000 10000` instead prints the
largest memory of an evaluation of so many clips, each in a process of its own, and how much it grew.
`memory.py` says what counts as memory. `--toy` leaves out the networks of timm.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from memory import largest_of
from safetensors.torch import save_file
from timing import compare, print_table
from torch import Tensor

from sound2scene import artifacts, images
from sound2scene.blocks import CLIPS
from sound2scene.commands import evaluation_run
from sound2scene.commands.evaluation_run import Wanted, evaluate
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.evaluation.networks import networks_of
from sound2scene.evaluation.protocol import Network, Protocol
from sound2scene.methods.named import NamedMethod, Word
from sound2scene.models.backbones import timm_backbone
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.models.judge import Judge
from sound2scene.types import CLIP_SAMPLES, Clip

SIDE = 64
CLASSES = tuple(f"class {number}" for number in range(8))
NET: dict[str, Any] = {
    "channels": [16, 32, 64, 64],
    "layers": [1, 1, 1, 1],
    "stem_type": "deep",
    "stem_width": 16,
}


class Noise:
    """A method that hands over the same pictures, whatever it hears."""

    resolution, deterministic = SIDE, True
    fingerprints: dict[str, str] = {}  # noqa: RUF012  # read as an attribute of the instance
    picture_NCHW = torch.randint(256, (CLIPS, 3, SIDE, SIDE), dtype=torch.uint8)

    def pictures(self, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int) -> Tensor:
        """See `protocols.Method`."""
        return self.picture_NCHW[: len(keys), None]


def make_clip(job: dict[str, Any]) -> Clip:
    """A short noise and a picture of noise."""
    rng = np.random.default_rng(job["number"])
    waveform_T = np.zeros(CLIP_SAMPLES, np.float32)
    waveform_T[:1600] = rng.normal(0, 0.1, 1600)
    jpeg = images.encode_jpeg(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8))
    return Clip(job["key"], jpeg, waveform_T, None, CLASSES[job["number"] % len(CLASSES)])


def prepared(folder: Path, clips: int, is_toy: bool = False) -> Wanted:
    """Shards, networks (all four, or those of toy size alone) and the order to evaluate them."""
    jobs = [{"key": f"test-{number:06d}", "number": number} for number in range(clips)]
    write_dataset(folder / "shards", {"test": jobs}, make_clip, Plan("noise", CLASSES, workers=2))
    judge = artifacts.save(
        Judge(len(CLASSES), SIDE, "resnet18", NET),
        folder / "judge",
        card={"kind": "judge", "preset": f"pixels{SIDE}", "notes": {"classes": list(CLASSES)}},
    )
    encoder = artifacts.save(
        ImageEncoder("resnet18", NET), folder / "encoder", card={"kind": "image-encoder", "preset": "small64"}
    )
    networks = {
        "judge": Network("judge", str(judge)),
        "encoder": Network("encoder", str(encoder)),
    }
    for name in () if is_toy else ("resnet18.a1_in1k", "mobilenetv3_small_100.lamb_in1k"):
        weights = folder / f"{name}.safetensors"
        save_file(timm_backbone(name, in_chans=3)[0].state_dict(), weights)
        networks[name.partition(".")[0]] = Network("timm", str(weights), name)
    protocol = Protocol(
        about="benchmark",
        side=SIDE,
        networks=networks,
        sets=["judge"],
        classes=["judge"],
        instances=[name for name in networks if name != "judge"],
        kid_subset=100,
    )
    cache = folder / "cache"
    return Wanted(["noise"], str(folder / "shards"), protocol, str(encoder), {}, cache, shown=4, workers=0)


def noise_methods(words: Sequence[str], setting: object) -> list[NamedMethod]:
    """In the place of methods that draw: nothing but noise, for real pictures, too."""
    return [NamedMethod("real", Noise(), Word("real", "real", {}))]


def run(wanted: Wanted, folder: Path) -> None:
    """Evaluate anew."""
    evaluate(wanted._replace(cache=Path(tempfile.mkdtemp(dir=folder))), accelerator="cpu")


def largest(clips: int, is_toy: bool) -> int:
    """The largest memory of an evaluation of so many clips."""
    with tempfile.TemporaryDirectory() as name:
        order = Path(name) / "order.pickle"
        order.write_bytes(pickle.dumps(prepared(Path(name), clips, is_toy)))
        return largest_of(__file__, "--order", str(order))


def print_memory(few: int, many: int, is_toy: bool) -> None:
    """Print MiB of both, and the growth."""
    sizes = [largest(clips, is_toy) for clips in (few, many)]
    for clips, size in zip((few, many), sizes, strict=True):
        print(f"{clips:6d} clips: {size / 2**20:8.1f} MiB")
    print(f"growth: {100 * (sizes[1] / sizes[0] - 1):+.1f} %")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs=2, metavar=("FEW", "MANY"))
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--order", type=Path, help="evaluate a prepared order (used by the benchmark itself)")
    arguments = parser.parse_args()
    if arguments.memory:
        print_memory(*arguments.memory, arguments.toy)
        return
    evaluation_run.methods_of = noise_methods  # type: ignore[attr-defined]
    evaluation_run.read_word = lambda word: Word(word, "real", {})  # type: ignore[attr-defined]
    if arguments.order:
        run(pickle.loads(arguments.order.read_bytes()), arguments.order.parent)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = prepared(folder, arguments.clips, arguments.toy)
        networks = networks_of(wanted.protocol, CLASSES, torch.device("cpu"))
        blocks = -(-arguments.clips // CLIPS)

        def bare() -> float:
            found = [net.measure(Noise.picture_NCHW) for _ in range(blocks) for net in networks.values()]
            return sum(float(one.feature_BD.sum()) for one in found)

        rows = {f"{arguments.clips} pictures": compare(bare, lambda: run(wanted, folder), arguments.repeats)}
    print("ours: the networks alone, other: the whole evaluation")
    print_table(rows, arguments.clips, "picture")


if __name__ == "__main__":
    main()
