from pathlib import Path

import pytest
import torch

from sound2scene import artifacts
from sound2scene.models.judge import Judge
from sound2scene.protocols import Measuring
from tiny import NET


def judge() -> Judge:
    torch.manual_seed(0)
    return Judge(3, 16, "resnet18", NET).eval()


def test_scores_are_the_classifier_on_the_features() -> None:
    one, pixels_BCHW = judge(), torch.randint(256, (4, 3, 20, 24), dtype=torch.uint8)
    feature_BD, logits_BK = one.measure(pixels_BCHW)
    assert isinstance(one, Measuring)
    assert (feature_BD.shape, one.feature_dim) == ((4, 8), 8)
    assert logits_BK is not None
    torch.testing.assert_close(logits_BK, one(pixels_BCHW))
    torch.testing.assert_close(logits_BK, one.classifier(feature_BD))
    assert not feature_BD.requires_grad


def test_floats_are_refused() -> None:
    with pytest.raises(ValueError, match="only uint8"):
        judge().measure(torch.rand(1, 3, 16, 16))


def test_the_card_builds_it_again(tmp_path: Path) -> None:
    one, pixels_BCHW = judge(), torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    loaded = artifacts.load(artifacts.save(one, tmp_path / "judge", card={"kind": "judge"}), kind="judge")
    assert torch.equal(loaded(pixels_BCHW), one(pixels_BCHW))
    assert loaded.protocol == "judge-resnet18_16px"


def test_the_default_is_inception_v3_with_2048_features_at_299_px() -> None:
    with torch.device("meta"):
        one = Judge(309)
    assert (one.feature_dim, one.protocol) == (2048, "judge-inception_v3_299px")
