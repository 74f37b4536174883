from pathlib import Path

import torch

from page_reading import pictures, words
from sound2scene.data.shards.read import ShardDataset
from sound2scene.figures.evaluation import draw_methods


def test_a_row_a_clip_and_a_column_a_method_beside_sound_and_real_picture(tiny_shards: Path) -> None:
    split = ShardDataset(tiny_shards, "test")
    picture = torch.zeros(3, 16, 16, dtype=torch.uint8)
    columns = {"ours": {0: picture, 2: picture}, "theirs": {2: picture}}
    figure = draw_methods(split, columns, "protocol toy, seed 0")
    assert len(pictures(figure)) == 2 + 3  # real ones and drawn ones
    assert {"sound", "real", "ours", "theirs"} <= set(words(figure))
    assert any("protocol toy, seed 0" in one for one in words(figure))
