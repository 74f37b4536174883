from pathlib import Path

import pytest

from drawn_clips import write_pairs
from sound2scene.data.corpora.vegas import CLASSES, FIVE_CLASSES, vegas_classes, vegas_pairs
from sound2scene.data.vggsound.table import read_classes
from sound2scene.types import InputError


def test_the_five_classes_are_among_the_ten() -> None:
    assert len(set(CLASSES)) == 10
    assert len(set(FIVE_CLASSES)) == 5
    assert set(FIVE_CLASSES) < set(CLASSES)
    assert (vegas_classes(True), vegas_classes(False)) == (FIVE_CLASSES, CLASSES)


def test_the_classes_are_those_of_the_reference_list(real_data: Path) -> None:
    listed = read_classes(real_data / "metadata" / "vegas_classes.txt")
    assert sorted(name.removesuffix(" *") for name in listed) == sorted(CLASSES)
    assert sorted(name.removesuffix(" *") for name in listed if name.endswith("*")) == sorted(FIVE_CLASSES)


def test_pairs_are_those_of_the_folders_that_are_named_as_a_class(tmp_path: Path) -> None:
    for label in ("dog", "drum", "holiday"):
        write_pairs(tmp_path / label, ["a", "b", "c"])
    for five, labels in ((True, {"dog"}), (False, {"dog", "drum"})):
        jobs = vegas_pairs(tmp_path, five, 0.1, 0.2).jobs
        assert {job["label"] for found in jobs.values() for job in found} == labels
        assert sum(map(len, jobs.values())) == 3 * len(labels)


def test_a_folder_without_a_class_is_refused_by_name(tmp_path: Path) -> None:
    write_pairs(tmp_path / "drum", ["a", "b"])
    with pytest.raises(InputError, match=r"no folder named as a class \(baby crying, dog, rail") as caught:
        vegas_pairs(tmp_path, True, 0.1, 0.2)
    assert str(tmp_path) in str(caught.value)
