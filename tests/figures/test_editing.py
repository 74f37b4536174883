import numpy as np
import torch

from sound2scene.figures.editing import page_of_edits
from sound2scene.figures.steps import ShownRow, ShownStep


def test_a_page_of_edits_shows_the_picture_and_every_step() -> None:
    pixels_1CHW = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    picture_HWC = np.zeros((8, 8, 3), np.uint8)
    steps = [ShownStep(label, pixels_1CHW, None, picture_HWC) for label in ("-1", "0", "+1")]
    figure = page_of_edits([ShownRow("dog", steps)], "Editing", "strength", "from rain to bell")
    words = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"dog", "picture", "strength →", "-1", "0", "+1", "Editing", "from rain to bell"} <= words
    assert sum(len(axes.images) for axes in figure.axes) == 4
