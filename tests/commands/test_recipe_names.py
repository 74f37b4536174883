from pathlib import Path

import pytest

from sound2scene.commands.recipe_names import path_of, with_paths
from sound2scene.types import InputError

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def short(arguments: list[str]) -> list[str]:
    """A command line in which the shipped folder is `E`."""
    return [word.replace(str(EXPERIMENTS), "E") for word in arguments]


@pytest.mark.parametrize(
    "given",
    [
        ["-c", "align/toy"],
        ["-c=align/toy"],
        ["-c", "experiments/align/toy.yaml"],
        ["-c", "experiments/trainer.yaml", "-c", "experiments/align/toy.yaml"],
    ],
)
def test_a_named_recipe_stands_on_what_all_share(elsewhere: Path, given: list[str]) -> None:
    found = short(with_paths(["fit", *given, "--trainer.max_epochs", "1"]))
    expected = ["-c", "E/trainer.yaml", "-c", "E/align/toy.yaml"]
    assert found == ["fit", *expected, "--trainer.max_epochs", "1"]


def test_an_ablation_stands_on_its_base_too(elsewhere: Path) -> None:
    expected = ["-c", "E/trainer.yaml", "-c", "E/align/toy.yaml", "-c", "E/ablations/loss_l2.yaml"]
    assert short(with_paths(["fit", "-c", "ablations/loss_l2"])) == ["fit", *expected]
    both = ["fit", "-c", "align/toy", "-c", "ablations/loss_l2"]
    assert short(with_paths(both)) == ["fit", *expected]


def test_files_that_are_there_stay_as_they_are(elsewhere: Path) -> None:
    (elsewhere / "align").mkdir()
    (elsewhere / "align" / "toy").write_text("seed_everything: 1")
    (elsewhere / "mine.yaml").write_text("seed_everything: 1")
    for given in (
        ["fit", "--config", "mine.yaml"],
        ["fit", "-c", "align/toy"],
        ["fit", "--help"],
        ["fit", "-c"],
    ):
        assert with_paths(given) == given


def test_in_a_checkout_names_are_its_own_files(elsewhere: Path) -> None:
    (elsewhere / "experiments").symlink_to(EXPERIMENTS)
    assert path_of("align/toy") == Path("experiments/align/toy.yaml")
    given = ["fit", "-c", "experiments/align/toy.yaml"]
    assert with_paths(given) == given, "nothing is put below a file that is there"


def test_a_name_of_nothing_is_refused_and_a_missing_file_left_to_its_reader(elsewhere: Path) -> None:
    with pytest.raises(InputError, match="`sound2scene recipes` lists"):
        with_paths(["fit", "-c", "align/nonsense"])
    assert with_paths(["fit", "-c", "nowhere.yaml"]) == ["fit", "-c", "nowhere.yaml"]
