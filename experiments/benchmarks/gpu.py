"""Time on a GPU what the tables leave open: steps of the GAN, drawing, alignment, spectrogram, FID.

Everything has its published size: IC-GAN at 128 px with batches of 64, the audio encoder on 10 s of sound.
Times are medians; the share is that of the rate at which the same card multiplies square bf16 matrices,
measured first. Operations are those that torch counts in one step in float32.

Run `python experiments/benchmarks/gpu.py` (`--small --device cpu` tries all of it on small networks).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from gan_step import make_step, prepared
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode

from sound2scene.devices import training_layout
from sound2scene.losses.infonce import L2InfoNCE
from sound2scene.metrics.generation import GenerationScores
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.models.judge import Judge
from sound2scene.spectrogram import spectrogram
from sound2scene.types import CLIP_SAMPLES

SMALL = {"channels": [16, 32, 64, 64], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 8}
Work = Callable[[], object]


class Table:
    """Rows of times, printed one by one, since later ones may fail.

    Args:
        device: Where the work is done.
        repeats: Timed calls of each piece of work, after two that warm up.
        peak: Operations per second that count as everything; None leaves the share out.
    """

    def __init__(self, device: torch.device, repeats: int, peak: float | None = None) -> None:
        self.device, self.repeats, self.peak = device, repeats, peak
        print("| work | ms | per second | TFLOP/s | share of bf16 matrices |")
        print("|---|---|---|---|---|")

    def row(self, name: str, work: Work, items: int, operations: float | None = None) -> float:
        """Time a piece of work on so many items and print it; returns its seconds."""
        seconds = median_s(work, self.device, self.repeats)
        rate = f"{operations / seconds / 1e12:.1f}" if operations else "-"
        share = f"{operations / seconds / self.peak:.0%}" if operations and self.peak else "-"
        print(f"| {name} | {1e3 * seconds:.2f} | {items / seconds:.0f} | {rate} | {share} |", flush=True)
        return seconds


def median_s(work: Work, device: torch.device, repeats: int) -> float:
    """Median seconds of a call, its end awaited."""
    taken = []
    for repeat in range(repeats + 2):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if repeat >= 2:
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def matrices(table: Table, side: int) -> float:
    """Rate at which square matrices are multiplied, in float32, TF32 and bf16; the last is returned."""
    operations, rate = 2.0 * side**3, 0.0
    for name, dtype, tf32 in (
        ("float32", torch.float32, False),
        ("TF32", torch.float32, True),
        ("bf16", torch.bfloat16, False),
    ):
        allow_tf32(tf32)
        one, other = (torch.randn(side, side, device=table.device, dtype=dtype) for _ in range(2))
        rate = operations / table.row(
            f"matrices of {side:,}, {name}", lambda a=one, b=other: a @ b, 1, operations
        )
    return rate


def allow_tf32(allowed: bool) -> None:
    """Let products and convolutions of float32 use TF32, or not."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def counted(work: Work) -> float:
    """Operations of one call, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def gan_steps(table: Table, small: bool) -> None:
    """One step of either network, in four precisions and layouts."""
    batch = 4 if small else 64
    kinds = {
        "float32": (False, False, False, False),
        "TF32": (True, False, False, False),
        "bf16, channels last": (False, True, True, False),
        "bf16, channels last, compiled": (False, True, True, True),
    }
    operations = None
    for name, (tf32, bf16, channels_last, compiled) in kinds.items():
        allow_tf32(tf32)
        pair = (Generator(32, 4, []), Discriminator(32, 4, [])) if small else (Generator(), Discriminator())
        step = make_step(*prepared(*pair, str(table.device), channels_last, compiled), batch, bf16)
        operations = operations or counted(step)
        table.row(f"GAN step, {pair[0].resolution} px, batch {batch}, {name}", step, batch, operations)


@torch.inference_mode()
def drawing(table: Table, small: bool) -> None:
    """Pictures from features, spectral norm folded in."""
    network = (Generator(32, 4, []) if small else Generator()).eval().folded()
    network.to(table.device).to(memory_format=torch.channels_last)
    for batch in (1, 8, 64):
        noise_BZ = torch.randn(batch, network.z_dim, device=table.device)
        z_BD = normalize(torch.rand(batch, network.z_image_dim, device=table.device), dim=1)
        for name, bf16 in (("TF32", False), ("bf16", True)):
            allow_tf32(True)

            def draw(noise_BZ: torch.Tensor = noise_BZ, z_BD: torch.Tensor = z_BD, bf16: bool = bf16) -> None:
                with torch.autocast(table.device.type, torch.bfloat16, enabled=bf16):
                    network(noise_BZ, z_BD)

            table.row(f"drawing, {network.resolution} px, batch {batch}, {name}", draw, batch)


def align_step(
    encoder: AudioEncoder, sound_BT: torch.Tensor, z_image_BD: torch.Tensor, bf16: bool = False
) -> Callable[[], torch.Tensor]:
    """One step of the stage `align` on sounds and features that wait on their device; it returns its loss."""
    encoder.to(memory_format=training_layout(encoder))
    chain, loss = spectrogram("paper").to(sound_BT.device), L2InfoNCE()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3, weight_decay=1e-5)

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            spectrogram_BFT = chain(sound_BT)
        with torch.autocast(sound_BT.device.type, torch.bfloat16, enabled=bf16):
            z_audio_BD = encoder(spectrogram_BFT)
        value: torch.Tensor = loss(z_audio_BD.float(), z_image_BD)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def alignment(table: Table, small: bool) -> None:
    """Spectrogram, audio encoder, InfoNCE and Adam on sounds and features that wait on the device."""
    batch = 4 if small else 64
    chain = spectrogram("paper").to(table.device)
    sound_BT = torch.rand(batch, CLIP_SAMPLES, device=table.device) - 0.5
    for name, bf16 in (("TF32", False), ("bf16", True)):
        allow_tf32(True)
        encoder = AudioEncoder(64, backbone_options=SMALL) if small else AudioEncoder()
        encoder.to(table.device)
        z_image_BD = torch.rand(batch, 64 if small else 2048, device=table.device)
        step = align_step(encoder, sound_BT, z_image_BD, bf16)
        table.row(f"alignment step, batch {batch}, {name}", step, batch, counted(step))
    with torch.inference_mode():
        table.row(f"spectrogram of {batch} sounds of 10 s", lambda: chain(sound_BT), batch)


@torch.inference_mode()
def fid(table: Table, small: bool) -> None:
    """Inception's pass over pictures, and FID and inception score from 2,048 features."""
    judge = Judge(8, 64, "resnet18", SMALL) if small else Judge(309)
    judge.eval().to(table.device)
    batch, pictures = (8, 64) if small else (64, 4096)
    pixels_BCHW = torch.randint(256, (batch, 3, 128, 128), dtype=torch.uint8, device=table.device)
    table.row(f"judge's pass, {judge.feature_dim} features", lambda: judge.measure(pixels_BCHW), batch)
    scores, measured = (
        GenerationScores(judge.feature_dim, splits=1).to(table.device),
        judge.measure(pixels_BCHW),
    )

    def compute() -> None:
        for _ in range(pictures // batch):
            scores.add_real(measured.feature_BD + torch.randn_like(measured.feature_BD))
            scores.add_fake(measured)
        scores.compute()
        scores.forget_fakes()

    table.row(f"FID and IS of {pictures:,} pictures, features given", compute, pictures)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--small", action="store_true", help="small networks, to see whether all of it runs")
    options = parser.parse_args()
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}\n")
    table = Table(device, options.repeats)
    table.peak = matrices(table, 512 if options.small else 8192)
    for part in (gan_steps, drawing, alignment, fid):
        part(table, options.small)


if __name__ == "__main__":
    main()
