from sound2scene.evaluation.published import tables


def test_every_published_figure_has_a_source_and_shares_are_no_percentages() -> None:
    for table in tables():
        assert table["source"]
        assert table["protocol"]
        for row in table["rows"]:
            recalls = [value for name, value in row["figures"].items() if "recall" in name]
            assert all(0 < value < 1 for value in recalls)


def test_the_papers_figure_3_says_what_the_paper_says() -> None:
    (table,) = tables()
    found = {row["method"]: tuple(row["figures"].values()) for row in table["rows"]}
    assert found == {
        "Pedersoli et al. (2022)": (0.2310, 118.68, 1.19),
        "S2I (Fanzeres and Nadeu, 2021)": (0.3919, 114.84, 1.45),
        "Sound2Scene": (0.7758, 34.68, 4.01),
    }
