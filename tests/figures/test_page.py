from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from page_reading import every_image, words
from sound2scene.figures.page import DPI, Box, Heading, Page, fitting
from sound2scene.figures.panels import save


def test_a_picture_stands_in_the_file_pixel_for_pixel_enlarged_a_whole_number_of_times(
    tmp_path: Path,
) -> None:
    pixels_HWC = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8)
    page = Page(80, 60)
    page.show(pixels_HWC, Box(10, 20, 32, 32))
    save(page.figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        shown_HWC = np.asarray(picture.convert("RGB"))
        assert picture.size == (80, 60)
    np.testing.assert_array_equal(shown_HWC[20:52, 10:42], pixels_HWC.repeat(4, axis=0).repeat(4, axis=1))
    assert (shown_HWC[:20] == 255).all()
    assert {image.get_interpolation() for image in every_image(page.figure)} == {"nearest"}


def test_a_panel_stands_where_it_is_put() -> None:
    page = Page(300, 200)
    place = page.panel(Box(30, 20, 150, 100)).get_position()
    assert (place.x0 * 300, place.width * 300) == pytest.approx((30, 150))
    assert ((1 - place.y1) * 200, place.height * 200) == pytest.approx((20, 100))


@pytest.mark.parametrize("width", [200, 400, 2000])
def test_a_title_is_broken_into_as_many_lines_as_the_page_is_narrow_and_takes_their_height(
    width: int,
) -> None:
    heading = Heading("Pictures generated from sounds", "clips of the split val, step 160, seed 0", width)
    page = Page(width, 400)
    heading.write(page)
    assert " ".join(words(page.figure)) == (
        "Pictures generated from sounds clips of the split val, step 160, seed 0"
    )
    assert len(words(page.figure)) == len(heading.lines) == {200: 6, 400: 4, 2000: 2}[width]
    lowest = max(text.get_position()[1] for text in page.axes.texts)
    assert heading.height > lowest


def test_words_are_no_formula_and_what_has_no_shape_is_written_out() -> None:
    page = Page(100, 100)
    page.write("$1_vs_$2\udcff", 0, 0, 8)
    (text,) = page.axes.texts
    assert (text.get_text(), text.get_parse_math()) == (r"$1_vs_$2\udcff", False)


def test_an_inch_has_150_dots() -> None:
    assert DPI == 150
    assert list(Page(300, 75).figure.get_size_inches()) == [2, 0.5]
    assert fitting(150, 72) == 8
    assert fitting(1500, 7.2) == 166


def test_a_legend_says_what_colours_stand_for() -> None:
    page = Page(300, 200)
    page.legend({"own": {"color": "red"}, "other": {"fill": False}}, 10, 100)
    found = page.axes.get_legend()
    assert found is not None
    assert [text.get_text() for text in found.get_texts()] == ["own", "other"]
