import json
import re
from pathlib import Path

import pytest

import sound2scene
from golden import FILE, MEASURES, STEPS, Given


@pytest.mark.parametrize("name", MEASURES)
def test_the_first_losses_of_every_stage_are_the_golden_ones(
    name: str, tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    expected = json.loads(FILE.read_text())[name]
    found = MEASURES[name](Given(tiny_shards, tiny_image_encoder, tmp_path))
    assert found.keys() == expected.keys()
    for kind, numbers in found.items():
        assert len(numbers) == len(expected[kind]) == STEPS
        for step, (number, golden) in enumerate(zip(numbers, expected[kind], strict=True)):
            # Machines sum in different orders, and training makes such differences grow.
            tolerance = 1e-4 if step < 3 else 3e-3
            assert number == pytest.approx(golden, rel=tolerance), f"{kind}, step {step}: is it meant?"


def test_no_stage_is_without_golden_numbers() -> None:
    assert json.loads(FILE.read_text()).keys() == MEASURES.keys()
    folder = Path(sound2scene.__path__[0]) / "stages"
    stages = {path.stem for path in folder.glob("*.py") if re.search(r"class \w+Stage\(", path.read_text())}
    assert stages == {name.partition(",")[0] for name in MEASURES}
