import numpy as np
import pytest
import torch
from PIL import Image

from page_reading import pictures, sounds, words
from sound2scene.figures.sheet import SIDE
from sound2scene.figures.steps import ShownRow, ShownStep, frame_of_step, page_of_steps
from sound2scene.types import CLIP_SAMPLES


def step(label: str, draws: int = 2, heard: bool = False) -> ShownStep:
    waveform_T = 0.1 * torch.randn(CLIP_SAMPLES) if heard else None
    return ShownStep(label, torch.randint(256, (draws, 3, 8, 8), dtype=torch.uint8), waveform_T)


def test_a_column_is_a_step_with_its_sound_above_its_draws() -> None:
    rows = [ShownRow(name, [step("-4 dB", heard=True), step("0 dB", heard=True)]) for name in ("dog", "sea")]
    figure = page_of_steps(rows, "Volume", "gain in dB", "noise: seed 3")
    assert words(figure)[:3] == ["Volume", "noise: seed 3", "gain in dB →"]
    assert words(figure)[3:] == [
        word for name in ("dog", "sea") for word in (name, "draw 0", "draw 1", "-4 dB", "0 dB")
    ]
    assert len(sounds(figure)) == 4
    expected = [pixels.permute(1, 2, 0) for row in rows for one in row.steps for pixels in one.pixels_JCHW]
    for shown, pixels_HWC in zip(pictures(figure), expected, strict=True):
        np.testing.assert_array_equal(shown, pixels_HWC.numpy())


def test_every_sound_has_its_seconds_below_and_the_first_its_kilohertz() -> None:
    figure = page_of_steps([ShownRow("dog", [step("a", heard=True), step("b", heard=True)])], "Title", "axis")
    panels = [axes for axes in figure.axes if axes.get_xlabel() == "seconds"]
    assert [axes.get_ylabel() for axes in panels] == ["kHz", ""]
    assert all(axes.xaxis.get_tick_params()["labelbottom"] for axes in panels)


def test_a_step_between_two_sources_has_its_label_on_its_first_picture() -> None:
    seen_HWC = np.zeros((8, 8, 3), np.uint8)
    ends = [step(name)._replace(picture_HWC=seen_HWC) for name in ("a", "b")]
    figure = page_of_steps([ShownRow("a to b", [ends[0], step("0.5"), ends[1]])], "Title", "share of b")
    place = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert place["a"][1] == place["b"][1] < place["0.5"][1]
    assert place["a"][0] < place["0.5"][0] < place["b"][0]


def test_without_anything_above_the_draws_no_name_is_written_over_another() -> None:
    rows = [ShownRow(name, [step("a"), step("b")]) for name in ("dog", "sea")]
    figure = page_of_steps(rows, "Title", "axis")
    names = [text for text in figure.axes[0].texts if text.get_rotation() == 90]
    assert [name.get_text() for name in names] == ["draw 0, dog", "draw 1", "draw 0, sea", "draw 1"]
    assert len({name.get_position() for name in names}) == len(names)


def test_many_steps_are_shown_at_half_the_size() -> None:
    def width(columns: int) -> float:
        rows = [ShownRow("x", [step(str(number), draws=8) for number in range(columns)])]
        return float(page_of_steps(rows, "Title", "axis").get_size_inches()[0] * 150)

    assert width(18) - width(17) == pytest.approx(SIDE + 12, abs=1)
    assert width(20) - width(19) == pytest.approx(SIDE // 2 + 12, abs=1)


def test_a_frame_shows_the_pictures_side_by_side_larger_under_the_label() -> None:
    left, right = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    frame = frame_of_step("4 dB", [left, right])
    pixels_HWC = np.asarray(frame)
    for colour in ((255, 0, 0), (0, 0, 255)):
        assert (pixels_HWC == colour).all(-1).sum() == 256 * 256
    assert (pixels_HWC[:40] < 128).any()
