from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from drawn_copies import coded, melody
from selected import first
from sound2scene.data.duplicates.sounds import (
    BANDS_HZ,
    CODES,
    FRAME,
    HOP,
    LAG,
    NEAR,
    SameSounds,
    sound_codes,
)
from sound2scene.types import CLIP_SAMPLES

COPIES = {
    "louder": lambda sound_T: (2 * sound_T).clip(-1, 1),
    "quieter": lambda sound_T: 0.05 * sound_T,
    "as an MP3": lambda sound_T: coded(sound_T, "MP3", "MPEG_LAYER_III"),
    "as Ogg Vorbis": lambda sound_T: coded(sound_T, "OGG", "VORBIS"),
    "half a hop later": lambda sound_T: np.roll(sound_T, HOP // 2),
    "three seconds later, coded": lambda sound_T: coded(np.roll(sound_T, 48_512), "OGG", "VORBIS"),
    "five seconds earlier, then another": lambda sound_T: np.concatenate(
        [sound_T[80_000:], melody(99)[:80_000]]
    ),
}


def slow_codes(waveform_T: NDArray[np.float32]) -> list[int]:
    edges = [round(edge) for edge in np.geomspace(*BANDS_HZ, 34) * FRAME / 16_000]
    energies = []
    for start in range(0, CLIP_SAMPLES - FRAME + 1, HOP):
        power = np.abs(np.fft.rfft(waveform_T[start : start + FRAME] * np.hanning(FRAME))) ** 2
        energies.append([power[low:high].sum() for low, high in pairwise(edges)])
    found = []
    for before, after in zip(energies, energies[LAG:], strict=False):
        code = 0
        for band in range(32):
            rise = (after[band + 1] - after[band]) - (before[band + 1] - before[band])
            code = 2 * code + (rise > 0)
        found.append(code)
    return found


def test_codes_are_signs_of_differences_of_band_energies() -> None:
    found, slow = sound_codes(melody(0)), slow_codes(melody(0))
    assert len(found) == len(slow) == CODES
    differing = sum(bin(int(one) ^ other).count("1") for one, other in zip(found, slow, strict=True))
    assert differing < 0.002 * 32 * CODES  # float32 may tell near equals in another way


@pytest.mark.costly
@pytest.mark.parametrize("change", first(COPIES.values(), 2), ids=COPIES.keys())
def test_a_copy_is_found_among_others(change: object) -> None:
    known = SameSounds(np.array([sound_codes(melody(seed)) for seed in range(12)]))
    assert callable(change)
    others = [melody(50), change(melody(4)).astype(np.float32), melody(51)]
    ((here, other, share),) = known.pairs(np.array([sound_codes(one) for one in others]))
    assert (here, other) == (4, 1)
    assert share <= NEAR


@pytest.mark.costly
def test_other_sounds_and_steady_ones_are_no_copies() -> None:
    second_T = np.arange(CLIP_SAMPLES) / 16_000
    rng = np.random.default_rng(0)
    noises = [(0.1 * rng.normal(size=CLIP_SAMPLES)).astype(np.float32) for _ in range(6)]
    tones = [(0.3 * np.sin(2 * np.pi * hertz * second_T)).astype(np.float32) for hertz in (300, 440, 1000)]
    code_NF = np.array([sound_codes(one) for one in [*map(melody, range(20)), *noises, *tones]])
    found = [pair for pair in SameSounds(code_NF).pairs(code_NF) if pair[0] != pair[1]]
    assert found == []


def test_silence_is_no_copy_of_silence() -> None:
    hushed = np.concatenate([melody(0)[:20_000], np.zeros(140_000, np.float32)])
    code_NF = np.array([sound_codes(one) for one in (np.zeros(CLIP_SAMPLES, np.float32), hushed, melody(0))])
    assert not code_NF[0].any()
    assert [pair[:2] for pair in SameSounds(code_NF).pairs(code_NF)] == [(2, 2)]  # 1.25 s are too short
