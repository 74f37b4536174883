"""A toy world of tones, and networks in it that hear and draw as they should, or not at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from sound2scene import artifacts, images
from sound2scene.control.score_bench import Bench, Extent
from sound2scene.control.score_clips import ToyClips
from sound2scene.control.search import Effort
from sound2scene.data.shards.write import Plan, write_dataset
from sound2scene.data.toy.pictures import BACKGROUNDS
from sound2scene.data.toy.scenes import scene_of
from sound2scene.data.toy.truth import KINDS, Truth, draw_truth
from sound2scene.models.reader import Reader
from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, Scene
from tiny import NET
from toy_scenes import painted

TONE_SAMPLES = 2 * SAMPLE_RATE_HZ
SECOND_T = np.arange(TONE_SAMPLES) / SAMPLE_RATE_HZ
# Whole periods in two seconds, and no harmonic of one is another.
WAVE_KT = np.stack([np.sin(2 * np.pi * (500 + 40 * kind) * SECOND_T) for kind in range(len(KINDS))])
THERE = 0.05
EXTENT = Extent(steps=5, draws=2, inverted=3, effort=Effort(steps=2, starts=1, candidates=2))


def make_clip(job: dict[str, Any]) -> Clip:
    """A tone of two seconds for each source; none where the job says silent."""
    truth = draw_truth(7, job["split"], job["number"], job["sources"])
    waveform_T = np.zeros(CLIP_SAMPLES, np.float32)
    for source in () if job["silent"] else truth.sources:
        waveform_T[:TONE_SAMPLES] += 10 ** (source.loudness_db / 20) * WAVE_KT[KINDS.index(source.kind)]
    jpeg = images.encode_jpeg(painted(truth))
    return Clip(truth.key, jpeg, waveform_T, truth.moment_true_s, truth.label, truth.as_json())


def tone_shards(folder: Path, single: int = 8, double: int = 3, silent: int = 0) -> Path:
    """A test split of clips of one source and of two; the first few are silent."""
    found = [(number, 1) for number in range(single)] + [(number, 2) for number in range(double)]
    jobs = [
        {
            "key": draw_truth(7, "test", number, sources).key,
            "split": "test",
            "number": number,
            "sources": sources,
            "silent": place < silent,
        }
        for place, (number, sources) in enumerate(found)
    ]
    return write_dataset(folder, {"test": jobs}, make_clip, Plan("toy", KINDS, workers=1))


def latent(strength_K: Tensor, background: int | None) -> Tensor:
    """What an ideal encoder makes of a scene: how loud each kind is, the background, and a constant."""
    background_G = torch.zeros(len(BACKGROUNDS))
    if background is not None:
        background_G[background] = 0.5
    return normalize(torch.cat([strength_K, background_G, torch.tensor([0.5])]), dim=0)


def strength(amplitude_K: NDArray[np.float64]) -> Tensor:
    """Loudness of each kind, 0 or more, over a wide range of amplitudes."""
    return torch.from_numpy(np.log10(1 + 1e4 * amplitude_K)).float() / 4


class IdealBench(Bench):
    """Pictures are the latents that they were drawn of; each shows what its latent says."""

    def __init__(self) -> None:
        self.side = 1

    def hear(self, sounds: Sequence[NDArray[np.float32]]) -> Tensor:
        amplitudes = [WAVE_KT @ sound_T[:TONE_SAMPLES] * 2 / TONE_SAMPLES for sound_T in sounds]
        # What rounding to 16 bits leaves of other tones is no sound.
        return torch.stack([latent(strength(np.where(one_K > 1e-4, one_K, 0)), None) for one_K in amplitudes])

    def draw(self, z_SD: Tensor, key: str, draws: int = 1) -> Tensor:
        return z_SD.repeat_interleave(draws, 0)

    def read(self, pixels_BCHW: Tensor) -> Scene:
        strength_BK, background_BG, constant_B1 = pixels_BCHW.split([len(KINDS), len(BACKGROUNDS), 1], 1)
        ratio_BK = strength_BK / constant_B1
        present_BK = (ratio_BK > THERE).float()
        diameter_BK = present_BK * ratio_BK / (1 + ratio_BK)
        return Scene(present_BK, diameter_BK[:, :, None].expand(-1, -1, 3), background_BG.argmax(1))

    def see(self, pixels_BCHW: Tensor) -> Tensor:
        return pixels_BCHW

    def invert(self, pixels_BCHW: Tensor, effort: Effort) -> tuple[Tensor, Tensor]:
        return pixels_BCHW, torch.zeros(len(pixels_BCHW), 1)

    def draw_again(self, z_SD: Tensor, noise_Z: Tensor) -> Tensor:
        return z_SD


class DeafBench(IdealBench):
    """Hears the same in every sound."""

    def hear(self, sounds: Sequence[NDArray[np.float32]]) -> Tensor:
        one_K = torch.zeros(len(KINDS))
        one_K[3] = 0.5
        return latent(one_K, None).expand(len(sounds), -1)


class IdealClips(ToyClips):
    """Their pictures are the latents of what is true of them."""

    def pixels(self, position: int, side: int) -> Tensor:
        about = self.split.metadata(position)
        truth = Truth.from_json(about["metadata"])
        seen = scene_of(truth, about["moment_s"])
        loudness = {KINDS.index(one.kind): 10 ** (one.loudness_db / 20) for one in truth.sources}
        amplitude_K = np.array([loudness.get(kind, 0.0) for kind in range(len(KINDS))])
        return latent(strength(amplitude_K) * seen.present_BK[0], int(seen.background_B))


def tiny_reader(folder: Path, classes: int = len(KINDS)) -> Path:
    """A reader artifact with random weights."""
    torch.manual_seed(0)
    network = Reader(classes, len(BACKGROUNDS), 32, "resnet18", NET)
    return artifacts.save(network, folder, card={"kind": "reader", "preset": "pixels32", "notes": {}})
