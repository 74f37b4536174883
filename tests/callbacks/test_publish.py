from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger

from scripted import ScriptedStage, fit
from sound2scene import artifacts
from sound2scene.callbacks.export import ExportArtifact
from sound2scene.callbacks.improvement import Best
from sound2scene.callbacks.provenance import Origins
from sound2scene.callbacks.publish import Publish, publish, why_not
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.runs import Aim
from sound2scene.types import InputError
from tiny import NET

AIM = Aim("val/score")
DATA = {"train": "a" * 64, "val": "b" * 64}


def artifact(folder: Path, score: float, data: str = "a" * 64, **more: Any) -> Path:
    """An artifact whose card states a score; its weights tell it, too."""
    network = ImageEncoder("resnet18", NET)
    torch.nn.init.constant_(next(network.parameters()), score)
    card = {"kind": "image-encoder", "metrics": {"val/score": score}, "data_fingerprint": data}
    return artifacts.save(network, folder, card=card | {"notes": {"held_out": "b" * 64}} | more)


def score_of(folder: Path) -> float:
    return round(artifacts.read_card(folder).metrics["val/score"], 6)


def run(folder: Path, shards: Path, scores: list[float], aim: Aim = AIM, replace: bool = False) -> None:
    """A whole run that publishes into `folder/shown`."""
    origins = Origins(data=DATA)
    callbacks = Best(aim, [ExportArtifact(origins)]), Publish(str(folder / "shown"), aim, replace)
    settings: dict[str, Any] = {"logger": CSVLogger(folder, "runs"), "max_epochs": len(scores)}
    fit(ScriptedStage(scores), shards, folder, *callbacks, **settings)


@pytest.mark.costly
def test_a_run_publishes_its_best_state_when_it_is_over_and_a_better_one_takes_its_place(
    tiny_shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = tmp_path / "shown"
    for number, (scores, expected) in enumerate(
        [([0.2, 0.5], 0.5), ([0.4], 0.5), ([0.5], 0.5), ([0.9, 0.1], 0.9)]
    ):
        run(tmp_path, tiny_shards, scores)
        assert score_of(shown) == expected
        assert (shown.with_name("shown.before")).exists() == (number == 3)
        told = capsys.readouterr().out
        if number in (1, 2):
            folder = tmp_path / "runs" / f"version_{number}"
            assert f"{shown}: stays as it is, it is not worse (val/score 0.5, here {scores[0]})" in told
            assert f"`sound2scene publish {folder}` replaces it" in told
        else:
            assert f"{shown}: published from" in told
    assert score_of(tmp_path / "shown.before") == 0.5


@pytest.mark.costly
def test_smaller_may_be_better_and_whoever_asks_replaces(tiny_shards: Path, tmp_path: Path) -> None:
    smaller = Aim("val/score", smaller_is_better=True)
    run(tmp_path, tiny_shards, [0.5], smaller)
    run(tmp_path, tiny_shards, [0.2], smaller)
    assert score_of(tmp_path / "shown") == 0.2
    run(tmp_path, tiny_shards, [0.8], smaller, replace=True)
    assert score_of(tmp_path / "shown") == 0.8
    assert score_of(tmp_path / "shown.before") == 0.2


class Stops(ScriptedStage):
    """Is stopped after its first validation."""

    def training_step(self, batch: Any, batch_index: int) -> Any:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return super().training_step(batch, batch_index)


def test_a_run_that_is_stopped_touches_no_artifact(tiny_shards: Path, tmp_path: Path) -> None:
    callbacks = Best(AIM, [ExportArtifact(Origins(data=DATA))]), Publish(str(tmp_path / "shown"), AIM)
    with pytest.raises(SystemExit):
        fit(Stops([0.9, 0.9]), tiny_shards, tmp_path, *callbacks, logger=CSVLogger(tmp_path, "", "run"))
    assert score_of(tmp_path / "run" / "artifact") == 0.9
    assert not (tmp_path / "shown").exists()


def test_a_stage_with_nothing_to_export_is_told_which_key_to_remove(
    tiny_shards: Path, tmp_path: Path
) -> None:
    class Mute(ScriptedStage):
        exports = None  # type: ignore[assignment]

    callbacks = Best(AIM, [ExportArtifact(Origins())]), Publish(str(tmp_path / "shown"), AIM)
    with pytest.raises(InputError, match=r"^Mute has nothing to export; remove run\.publish$"):
        fit(Mute([0.2]), tiny_shards, tmp_path, *callbacks, max_epochs=1, logger=CSVLogger(tmp_path, "run"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"data": "c" * 64}, "it was trained or measured on other data"),
        ({"notes": {"held_out": "d" * 64}}, "it was trained or measured on other data"),
        ({"kind": "judge"}, "its kind is judge and not image-encoder"),
        ({"metrics": {"val/score/n256": 0.1}}, "its card has no val/score of the same protocol"),
        ({"metrics": {}}, "its card has no val/score of the same protocol"),
    ],
)
def test_what_cannot_be_compared_is_not_replaced(tmp_path: Path, more: dict[str, Any], reason: str) -> None:
    new, old = artifact(tmp_path / "new", 0.9), artifact(tmp_path / "old", 0.1, **more)
    assert why_not(new, old, AIM) == reason
    assert why_not(new, tmp_path / "nowhere", AIM) is None


def test_a_tie_break_decides_between_equals(tmp_path: Path) -> None:
    aim = Aim("val/score", tie_break="val/second")
    better = artifact(tmp_path / "a", 0.5, metrics={"val/score": 0.5, "val/second": 0.2})
    worse = artifact(tmp_path / "b", 0.5, metrics={"val/score": 0.5, "val/second": 0.1})
    assert why_not(better, worse, aim) is None
    assert why_not(worse, better, aim) == "it is not worse (val/score 0.5, here 0.5)"


def test_a_place_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="mine"):
        publish(artifact(tmp_path / "new", 0.9), tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "new"}
