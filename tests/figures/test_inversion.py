import torch

from sound2scene.figures.inversion import ShownInversion, page_of_inversions


def shown(name: str) -> ShownInversion:
    pixels_3CHW = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    return ShownInversion(name, torch.tensor([10.0, 12.0, 13.0]), pixels_3CHW, ("8 dB", "13 dB"))


def test_a_page_of_inversions_says_what_it_shows_and_draws_each_search() -> None:
    figure = page_of_inversions([shown("one"), shown("two")], "3 steps")
    words = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"one", "two", "picture", "inversion", "8 dB", "13 dB", "3 steps"} <= words
    curves = [axes.lines[0].get_ydata() for axes in figure.axes if axes.lines]
    assert [list(map(float, curve)) for curve in curves] == [[10.0, 12.0, 13.0]] * 2
