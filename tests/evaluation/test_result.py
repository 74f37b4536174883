import json
from pathlib import Path

import pytest

from sound2scene.evaluation.estimates import Figure
from sound2scene.evaluation.result import as_figure, read, written
from sound2scene.types import InputError
from written_results import figure, result


def test_a_figure_comes_back_as_it_was_written_but_for_digits_that_no_interval_shows() -> None:
    one = Figure("FID", "judge", "lower", 1 / 3, None, None, 5, (1 / 3, 2.0))
    back = as_figure(written(one))
    assert back._replace(resampled=one.resampled) == one
    assert back.resampled == pytest.approx(one.resampled, rel=1e-6)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "format 2, this version reads 1"),
        ("methods", None, "Expected `array`, got `null` - at `$.methods`"),
        ("data", {}, "missing required field"),
    ],
)
def test_what_is_no_result_is_refused_by_its_key(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result({"ours": [figure(0.5)]}) | {key: value}))
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
