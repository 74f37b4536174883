import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from selected import first
from sound2scene import images
from sound2scene.figures import panels
from sound2scene.figures.contact_sheet import SheetRow, draw_sheet
from sound2scene.figures.curves import draw_curves
from sound2scene.figures.drawn import DrawnSound, grid_of_sounds
from sound2scene.figures.grid import draw_grid
from sound2scene.figures.retrieval import draw_reals, draw_retrieval
from sound2scene.figures.words import LETTERS, drawable, noise_words
from sound2scene.types import CLIP_SAMPLES, Retrieved

NAMES = (
    "$1_vs_$2",
    r"$\frac{$",
    r"a\$b$c",
    "x^{2_",
    "\udcff\udc80.wav",
    "犬の声",
    "كلب",
    "a\nb\tc\0",
    "_hidden",
    "",
    "e" * 5000,
    "\u202eabc",
    "\U0001d518",
    "%s {0}",
)
PIXELS_CHW = torch.zeros(3, 8, 8, dtype=torch.uint8)


class Named:
    """Clips whose classes, and keys, have the names; see `sound2scene.protocols.Sounds`."""

    split, fingerprint = "val", "0"

    def __init__(self, names: tuple[str, ...], labelled: bool) -> None:
        self.names = names
        self.classes = list(names) if labelled else []
        self.label_N = torch.arange(len(names)) if labelled else torch.full((len(names),), -1)

    def __len__(self) -> int:
        return len(self.names)

    def key(self, position: int) -> str:
        return self.names[position]

    def where(self, position: int) -> str:
        return self.names[position]

    def member(self, position: int, kind: str) -> bytes:
        return images.encode_jpeg(np.zeros((8, 8, 3), np.uint8))

    def waveform(self, position: int) -> NDArray[np.float32]:
        return np.random.default_rng(position).standard_normal(CLIP_SAMPLES).astype(np.float32)


def retrieval(split: Any) -> Any:
    index_N = torch.arange(len(split))
    z_ND = torch.eye(len(split))
    return draw_retrieval(Retrieved(index_N, split.label_N, z_ND, z_ND), split, len(split), 2)


def curves(split: Named) -> Any:
    return draw_curves({f"val/{name}": [(0.0, 1.0)] for name in split.names})


def sheet(split: Named) -> Any:
    level_S = torch.full((10,), -30.0)
    rest = (0.5, PIXELS_CHW, 0.5, PIXELS_CHW, torch.rand(10), level_S, None)
    return draw_sheet([SheetRow(name, *rest) for name in split.names], split.names[0])


def grid(split: Named) -> Any:
    drawn_BJCHW = PIXELS_CHW.expand(len(split), 1, -1, -1, -1)
    return draw_grid(split, [*range(len(split))], drawn_BJCHW, sounds=False, about=split.names[0])


def of_sounds(split: Named) -> Any:
    silence_T = torch.zeros(CLIP_SAMPLES)
    return grid_of_sounds([DrawnSound(name, silence_T, PIXELS_CHW[None]) for name in split.names])


FIGURES: dict[str, Any] = {
    "curves": curves,
    "contact sheet": sheet,
    "reals": lambda split: draw_reals(split, len(split), split.names[0]),
    "retrieval": retrieval,
    "grid": grid,
    "sounds": of_sounds,
}


@pytest.mark.costly
@pytest.mark.parametrize("figure", first(reversed(FIGURES), 2))
def test_a_figure_shows_a_class_or_a_file_whatever_its_name(figure: str, tmp_path: Path) -> None:
    for labelled in (True, False):
        drawn = FIGURES[figure](Named(NAMES, labelled))
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            panels.save(drawn, tmp_path / "a.png", dpi=20)
        with Image.open(tmp_path / "a.png") as picture:
            assert max(picture.size) < 1000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dog", "dog"),
        ("$1_vs_$2", "$1_vs_$2"),
        ("a\nb", r"a\nb"),
        ("\udcff", r"\udcff"),
        ("犬", "犬"),
        ("\u202e", r"\u202e"),
        ("a" * 100, "a" * LETTERS),
    ],
)
def test_a_name_is_shown_as_it_is_and_what_has_no_shape_as_python_writes_it(name: str, shown: str) -> None:
    assert drawable(name) == shown


def test_of_a_long_path_the_end_is_shown() -> None:
    assert drawable(f"{'a' * 100}/b", keep_end=True).endswith("/b")


@pytest.mark.parametrize(
    ("draws", "truncation", "said"),
    [
        (8, 1.0, "noise: seed 3, draws 0 to 7, truncation 1 (none)"),
        (1, 0.5, "noise: seed 3, draw 0, truncation 0.5"),
    ],
)
def test_noise_is_told_by_seed_draws_and_truncation(draws: int, truncation: float, said: str) -> None:
    assert noise_words(3, draws, truncation) == said
