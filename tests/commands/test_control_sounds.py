from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from drawn_steps import Bench
from sound2scene.commands.control_sounds import Drawing, Planned, draw_steps, read_sound
from sound2scene.control.waveform import Edited
from sound2scene.methods.sound2scene import SOUNDS_AT_ONCE, SoundToScene
from sound2scene.types import InputError


def test_sounds_are_made_only_when_they_are_drawn(bench: Bench) -> None:
    made: list[int] = []

    def planned() -> Iterator[Planned]:
        for number in range(3 * SOUNDS_AT_ONCE):
            made.append(number)
            yield Planned(str(number), Edited(np.full(160_000, 0.1, np.float32), 0.25), {"number": number})

    scene = SoundToScene(str(bench.folder / "audio"), str(bench.folder / "generator"), "cpu")
    how = Drawing(Path("out"), draws=2, seed=5, device="cpu")
    steps = draw_steps(scene, planned(), how)
    first = next(steps)
    assert len(made) == SOUNDS_AT_ONCE
    assert (first.label, first.remark) == ("0", "25.0 % clipped")
    assert first.numbers == {"number": 0, "clipped": 0.25}
    assert first.pixels_JCHW.shape == (2, 3, 32, 32)


def test_a_sound_comes_with_the_checksum_of_its_file(bench: Bench) -> None:
    waveform_T, source = read_sound(bench.folder / "bell.wav")
    assert waveform_T.shape == (160_000,)
    assert Path(source["file"]).name == "bell.wav"
    assert len(source["sha256"]) == 64
    with pytest.raises(InputError, match="not a sound"):
        read_sound(bench.folder / "letter.txt")
