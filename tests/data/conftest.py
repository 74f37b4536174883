"""One small dataset for all tests of the data modules: 35 drawn clips in shards of 4."""

from pathlib import Path

import pytest

import drawn_clips
from sound2scene.data.shards.write import Plan, write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = Plan("drawn", clips_per_shard=4, workers=2, notes={"why": "tests"})
    return write_dataset(
        tmp_path_factory.mktemp("drawn") / "shards", drawn_clips.jobs(), drawn_clips.draw, plan
    )
