from pathlib import Path

from sound2scene.blocks import CLIPS
from sound2scene.evaluation.store import Store


def test_the_store_of_an_evaluation_has_a_block_for_every_so_many_clips(tmp_path: Path) -> None:
    assert [Store(tmp_path, clips, {}).blocks for clips in (1, CLIPS, CLIPS + 1)] == [1, 1, 2]
