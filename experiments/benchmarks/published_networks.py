"""Rows of `published.py` about networks: the alignment step, the generator, the GAN step.

Both sides have the same weights and inputs; what they compute is compared before it is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from gan_step import make_step, prepared
from gpu import align_step, counted
from published_code import PublishedCode
from spectrogram import scipy_clip
from timing import Comparison, compare
from torch import Tensor, nn
from torch.nn.functional import normalize

from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.networks import build
from sound2scene.types import CLIP_SAMPLES

Work = Callable[[], object]
MATRIX_SIDE = 1024


@dataclass(frozen=True)
class Bench:
    """What all rows need.

    Attributes:
        published: The published code.
        device: Where networks work.
        small: Small networks and few clips, to see whether all of it runs.
        repeats: Timed calls of each side; work that takes seconds has half as many.
        sounds: Sounds of which both sides draw pictures.
    """

    published: PublishedCode
    device: torch.device
    small: bool
    repeats: int
    sounds: int = 16

    def compare(self, ours: Work, theirs: Work, long: bool = False) -> Comparison:
        """Time both in turn, the end of each awaited."""
        repeats = (self.repeats + 1) // 2 if long else self.repeats
        return compare(self._awaited(ours), self._awaited(theirs), repeats)

    def share(self, ours: Work, limit: Work, long: bool = False) -> str:
        """Time of the limit as a share of ours, timed in turn."""
        return f"{self.compare(ours, limit, long).ratio:.2f}"

    def matrices(self, work: Work) -> Work:
        """Products of square float32 matrices with as many operations as some work."""
        one, other = (torch.randn(MATRIX_SIDE, MATRIX_SIDE, device=self.device) for _ in range(2))
        products = max(1, round(counted(work) / (2 * MATRIX_SIDE**3)))
        return lambda: [one @ other for _ in range(products)]

    def _awaited(self, work: Work) -> Work:
        if self.device.type != "cuda":
            return work

        def awaited() -> None:
            work()
            torch.cuda.synchronize()

        return awaited


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        work: What both sides do.
        times: How long they take.
        items: Clips or pictures of one call.
        limit: What bounds ours.
    """

    work: str
    times: Comparison
    items: int
    limit: str


def align(bench: Bench) -> Iterator[Line]:
    """The step of training of the published networks, and ours in bf16 where the processor has it.

    Their spectrograms come from the loader and are not in their time; ours are in ours.
    """
    batch = 2 if bench.small else 16
    waveform_BT = (0.1 * torch.randn(batch, CLIP_SAMPLES)).clamp(-1, 1)
    spectrogram_BFT = torch.stack([torch.from_numpy(scipy_clip(one.numpy())) for one in waveform_BT.double()])
    image_BCHW = torch.randn(batch, 3, 224, 224, device=bench.device)
    audio, image = bench.published.audio_network(), bench.published.image_network()
    encoder = our_audio_encoder(audio).to(bench.device)
    with torch.no_grad():
        z_image_BD = image(image_BCHW)[0]
    their_batch = (spectrogram_BFT.to(bench.device), image_BCHW)
    ours = align_step(encoder, waveform_BT.to(bench.device), z_image_BD)
    theirs = bench.published.align_step(audio, image, their_batch, detached=False)
    gap = abs(float(ours()) - float(theirs()))
    assert gap < 1e-3, f"losses differ by {gap}"
    name = f"alignment step, batch {batch}"
    limit = bench.share(ours, bare_step(encoder, spectrogram_BFT.float().to(bench.device)), long=True)
    yield Line(
        name,
        bench.compare(ours, theirs, long=True),
        batch,
        f"audio encoder alone, forward, backward and Adam: {limit} of ours",
    )
    detached = bench.published.align_step(audio, image, their_batch, detached=True)
    yield Line(
        f"{name}, their image encoder under no_grad",
        bench.compare(ours, detached, long=True),
        batch,
        "the same",
    )
    if bench.device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        bf16 = align_step(encoder, waveform_BT.to(bench.device), z_image_BD, bf16=True)
        yield Line(f"{name}, bf16 against our float32", bench.compare(bf16, ours, long=True), batch, "-")
    else:
        print("this processor has no bf16: no row")


def our_audio_encoder(audio: nn.Module) -> AudioEncoder:
    """Our audio encoder with their weights."""
    encoder = AudioEncoder()
    given = {name.removeprefix("audnet."): tensor for name, tensor in audio.state_dict().items()}
    encoder.load_state_dict({n if n.startswith("fc.") else f"backbone.{n}": t for n, t in given.items()})
    return encoder


def bare_step(encoder: AudioEncoder, spectrogram_BFT: Tensor) -> Work:
    """Forward, backward and Adam of the audio encoder, of nothing but a sum."""
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.0)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        encoder(spectrogram_BFT).sum().backward()
        optimizer.step()

    return step


def our_generator(theirs: nn.Module, resolution: int, channels: int, attention: int) -> Generator:
    """Our generator with their weights, on the CPU."""
    tensors = {n: t.cpu() for n, t in theirs.state_dict().items() if not n.startswith("shared.")}
    arguments = {"resolution": resolution, "channels": channels}
    arguments |= {"attention": [attention] if attention < resolution else []}
    network = build(Generator, arguments, tensors)
    assert isinstance(network, Generator)
    return network.eval().requires_grad_(False)


def generator(bench: Bench) -> Iterator[Line]:
    """Drawing at batch 1 and 8, as `artifacts.load` lays our generator out, and folded alone."""
    size = (32, 4, 64) if bench.small else (128, 96, 64)
    theirs = bench.published.generator(*size).eval()
    folded = our_generator(theirs, *size).folded().to(bench.device)
    loaded = our_generator(theirs, *size).folded().to(bench.device).to(memory_format=torch.channels_last)
    for batch in (1, 8):
        noise_BZ = torch.randn(batch, loaded.z_dim, device=bench.device)
        z_BD = normalize(torch.rand(batch, loaded.z_image_dim, device=bench.device), dim=1)

        @torch.inference_mode()
        def draw(network: nn.Module, noise_BZ: Tensor = noise_BZ, z_BD: Tensor = z_BD) -> Tensor:
            return network(noise_BZ, z_BD)  # type: ignore[no-any-return]

        @torch.no_grad()
        def published(noise_BZ: Tensor = noise_BZ, z_BD: Tensor = z_BD) -> Tensor:
            return theirs(noise_BZ, None, z_BD)  # type: ignore[no-any-return]

        ours = partial(draw, loaded)
        gap = float((ours() - published()).abs().max())
        assert gap < 1e-3, f"pictures differ by {gap}"
        limit = f"as many operations as float32 matrices: {bench.share(ours, bench.matrices(ours))} of ours"
        name = f"generator {size[0]} px, batch {batch}"
        yield Line(name, bench.compare(ours, published), batch, limit)
        alone = bench.compare(partial(draw, folded), published)
        yield Line(f"{name}, folding alone", alone, batch, "-")


def gan(bench: Bench) -> Iterator[Line]:
    """One step of either network, laid out as the stage `gan` does."""
    resolution, channels, attention, batch = (32, 4, 64, 4) if bench.small else (64, 16, 32, 16)
    pair = (
        bench.published.generator(resolution, channels, attention),
        bench.published.discriminator(resolution, channels, attention),
    )
    own = our_generator(pair[0], resolution, channels, attention).train().requires_grad_(True)
    judging = Discriminator(resolution, channels, [attention] if attention < resolution else [])
    judging.load_state_dict(pair[1].state_dict())
    ours = make_step(*prepared(own, judging, str(bench.device), True, False), batch)
    image_BCHW = torch.rand(batch, 3, resolution, resolution, device=bench.device) * 2 - 1
    z_BD = normalize(torch.rand(batch, own.z_image_dim, device=bench.device), dim=1)
    with torch.no_grad():
        scores = judging.eval()(image_BCHW, z_BD), pair[1].eval()(image_BCHW, None, z_BD)[:, 0]
    gap = float((scores[0] - scores[1]).abs().max())
    assert gap < 1e-2, f"scores differ by {gap}"
    for network in (own, judging, *pair):
        network.train()
    theirs = bench.published.gan_step(*pair, image_BCHW, z_BD)
    limit = f"as many operations as float32 matrices: {bench.share(ours, bench.matrices(ours))} of ours"
    name = f"GAN step {resolution} px, {channels} channels, batch {batch}"
    yield Line(name, bench.compare(ours, theirs), batch, limit)
