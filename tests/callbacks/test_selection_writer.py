import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException

from sound2scene.callbacks.selection_writer import SelectionWriter
from sound2scene.data.batches.footage import FootageModule
from sound2scene.data.selection.file import Selection
from sound2scene.data.selection.parts import Parts
from sound2scene.data.toy import world as toy
from sound2scene.data.video.find import find_videos
from sound2scene.models.scorers import Middle
from sound2scene.moments import Moments, Scored
from sound2scene.stages.selection import SelectionStage
from sound2scene.types import InputError

SCORER: dict[str, Any] = {"name": "x", "fingerprint": None, "settings": {}}


class Failing(Middle):
    """Fails at its third video."""

    count = 0

    def score(self, moments: Moments) -> Scored:
        self.count += 1
        scored = super().score(moments)
        return Scored(scored.score_S * float("nan")) if self.count == 3 else scored


def predict(scorer: Middle, folder: Path, target: Path) -> None:
    parts = Parts(target, SCORER)
    done = parts.selection().videos
    left = {key: path for key, path in find_videos(folder).items() if key not in done}
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[SelectionWriter(parts)],
    )
    trainer.predict(SelectionStage(scorer, 2), FootageModule(left, 32, 0), return_predictions=False)


@pytest.mark.costly
def test_a_failed_run_keeps_what_it_has_and_the_next_one_ends_it(tmp_path: Path) -> None:
    videos, target = tmp_path / "videos", tmp_path / "out" / "s.json"
    toy.write_videos(videos, {"val": 4}, 0, 1, workers=1)
    with pytest.raises(InputError, match="val/toy-val-000002: Failing gave a score that is not finite"):
        predict(Failing(), videos, target)
    assert [path.name for path in target.parent.iterdir()] == ["s.json.part-0.jsonl"]
    kept = Parts(target, SCORER).selection()
    assert list(kept.videos) == ["val/toy-val-000000", "val/toy-val-000001"]
    predict(Middle(), videos, target)
    assert [path.name for path in target.parent.iterdir()] == ["s.json"]
    found = Selection.load(target)
    assert len(found.videos) == 4
    assert {choice.moments_s[0] for choice in found.videos.values()} == {5.0}


class Terminated(Middle):
    """Is told to end at its second video, as by a batch system."""

    count = 0

    def score(self, moments: Moments) -> Scored:
        self.count += 1
        if self.count == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().score(moments)


@pytest.mark.costly
def test_sigterm_ends_a_run_after_the_video_at_hand(tmp_path: Path) -> None:
    videos, target = tmp_path / "videos", tmp_path / "out" / "s.json"
    toy.write_videos(videos, {"val": 4}, 0, 1, workers=1)
    with pytest.raises(SIGTERMException):
        predict(Terminated(), videos, target)
    assert list(Parts(target, SCORER).selection().videos) == ["val/toy-val-000000", "val/toy-val-000001"]
