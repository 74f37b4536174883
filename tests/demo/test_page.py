from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sound2scene.demo.studio import Shown
from sound2scene.types import InputError


@pytest.fixture(scope="module")
def page() -> ModuleType:
    """The module, imported by what needs it: to import gradio takes seconds."""
    pytest.importorskip("gradio", reason="gradio is not installed (extra `demo`)")
    from sound2scene.demo import page

    return page


def refuse() -> Shown:
    raise InputError("<img src=x>.wav: not a sound")


def test_an_error_stands_in_place_of_pictures_and_its_words_are_no_part_of_the_page(
    page: ModuleType, tmp_path: Path
) -> None:
    gallery, message, *buttons = page._answer(refuse, tmp_path)
    assert gallery is None
    assert "&lt;img src=x&gt;.wav: not a sound" in message
    assert [button.interactive for button in buttons] == [False, False]
    assert list(tmp_path.iterdir()) == []


def test_every_answer_has_files_of_its_own(page: ModuleType, tmp_path: Path) -> None:
    shown = Shown([Image.new("RGB", (4, 4))] * 2, torch.ones(3), torch.zeros(2, 5), "far")
    answers = [page._answer(lambda: shown, tmp_path) for _ in range(2)]
    assert "far" in answers[0][1]
    assert [words for _, words in answers[0][0]] == ["draw 0", "draw 1"]
    strips, latents = (sorted(tmp_path.rglob(name)) for name in ("pictures.png", page.LATENT))
    assert [Image.open(path).size for path in strips] == [(8, 4)] * 2
    assert [load_file(path)["z_D"].tolist() for path in latents] == [[1.0] * 3] * 2
