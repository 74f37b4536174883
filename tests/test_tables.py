from sound2scene.tables import aligned, markdown


def test_columns_are_aligned_words_left_and_numbers_right() -> None:
    assert aligned(["name", "n"], [["a", "1"], ["bcdef", "10"]]) == "name    n\na       1\nbcdef  10"
    assert aligned(["name", "n"], []) == "name  n"


def test_a_markdown_table_bears_bars_and_line_breaks_in_its_cells() -> None:
    assert markdown(["a"], [["x|y\nz"]]) == "| a |\n| --- |\n| x\\|y z |\n"
