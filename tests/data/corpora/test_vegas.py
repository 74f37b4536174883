from pathlib import Path

from sound2scene.data.corpora.vegas import CLASSES, FIVE_CLASSES
from sound2scene.data.vggsound.table import read_classes


def test_the_five_classes_are_among_the_ten() -> None:
    assert len(set(CLASSES)) == 10
    assert len(set(FIVE_CLASSES)) == 5
    assert set(FIVE_CLASSES) < set(CLASSES)


def test_the_classes_are_those_of_the_reference_list(real_data: Path) -> None:
    listed = read_classes(real_data / "metadata" / "vegas_classes.txt")
    assert sorted(name.removesuffix(" *") for name in listed) == sorted(CLASSES)
    assert sorted(name.removesuffix(" *") for name in listed if name.endswith("*")) == sorted(FIVE_CLASSES)
