from pathlib import Path

import pytest

import sound2scene
from sound2scene.types import InputError


@pytest.mark.costly
def test_the_toy_model_draws_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sound = Path(__file__).resolve().parents[2] / "experiments" / "sounds" / "bell.flac"
    scene = sound2scene.load("toy", device="cpu")
    assert [picture.size for picture in scene(sound, draws=2)] == [(64, 64)] * 2
    assert sound2scene.audio.load(sound).shape == (160_000,)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match="no such model"):
        sound2scene.load("nonsense")
