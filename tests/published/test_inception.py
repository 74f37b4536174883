from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models import Inception3

from bombs import Bomb
from selected import first
from sound2scene import artifacts, cli
from sound2scene.images import MEAN, STD
from sound2scene.models.judge import Judge
from sound2scene.models.pixels import prepared
from sound2scene.published.inception import Pixels, import_judge

Write = Callable[..., Path]
KINDS = 7


@pytest.fixture(scope="module")
def theirs() -> Inception3:
    """torchvision's network with random weights and statistics."""
    torch.manual_seed(0)
    network = Inception3(num_classes=KINDS, init_weights=False, transform_input=True).eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("pixels", first(["torchvision", "imagenet"]))
def test_the_judge_scores_as_torchvisions_network_does(
    theirs: Inception3, checkpoint: Write, tmp_path: Path, pixels: Pixels
) -> None:
    state = OrderedDict((f"module.{name}", tensor) for name, tensor in theirs.state_dict().items())
    path = checkpoint({"epoch": 3, "state_dict": state})
    judge = artifacts.load(import_judge(path, tmp_path / "judge", pixels=pixels), kind="judge").eval()
    assert isinstance(judge, Judge)
    assert (judge.classes, judge.feature_dim, judge.side) == (KINDS, 2048, 299)
    pixels_BCHW = torch.randint(256, (2, 3, 80, 80), dtype=torch.uint8)
    feature = []
    hook = theirs.avgpool.register_forward_hook(lambda *seen: feature.append(seen[-1].flatten(1)))
    theirs.transform_input = pixels == "torchvision"
    with torch.no_grad():
        scores_BK = theirs(prepared(pixels_BCHW, 299, MEAN, STD))
    hook.remove()
    seen = judge.measure(pixels_BCHW)
    assert seen.logits_BK is not None
    torch.testing.assert_close(seen.feature_BD, feature[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(seen.logits_BK, scores_BK, rtol=1e-3, atol=1e-4)


@pytest.mark.costly
def test_the_command_names_classes_and_says_where_the_weights_came_from(
    theirs: Inception3, checkpoint: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, names = checkpoint(theirs.state_dict()), tmp_path / "names.txt"
    names.write_text("\n".join(f"class {kind}" for kind in range(KINDS)) + "\n\n")
    words = ["import", "judge", str(path), "-o", str(tmp_path / "judge"), "--classes", str(names)]
    assert cli.main(words) == 0
    card = artifacts.read_card(tmp_path / "judge")
    assert card.origin.notes["classes"] == [f"class {kind}" for kind in range(KINDS)]
    assert card.origin.notes["pixels"] == "torchvision"
    assert "AuxLogits.fc.weight" in card.origin.notes["left_out"]
    assert card.origin.source
    assert card.origin.source["address"] == "checkpoint.pth"
    assert f"licence: {card.licence}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a\nb\n", r"names\.txt: names 2 classes and .*checkpoint\.pth has 7; give one line for each"),
        ("a\na\n", "or one twice"),
        ("\n", "has no class names"),
        (None, r"names\.txt: no readable text file"),
    ],
)
def test_class_names_that_do_not_fit_are_refused(
    theirs: Inception3, checkpoint: Write, refused: Any, tmp_path: Path, lines: str | None, message: str
) -> None:
    names = tmp_path / "names.txt"
    if lines is not None:
        names.write_text(lines)
    refused(
        lambda source, folder: import_judge(source, folder, names), checkpoint(theirs.state_dict()), message
    )


def test_another_network_and_a_file_that_would_run_code_are_refused(
    theirs: Inception3, checkpoint: Write, refused: Any, tmp_path: Path
) -> None:
    other: dict[str, Tensor] = {"fc.weight": torch.zeros(3, 2048), "fc.bias": torch.zeros(3)}
    refused(import_judge, checkpoint(other), "not the expected layout")
    refused(import_judge, checkpoint({"conv1.weight": torch.zeros(3)}), "no classifier 'fc.weight'")
    mark = tmp_path / "exploded"
    refused(import_judge, checkpoint({"bomb": Bomb(mark)}), "would run code")
    assert not mark.exists()
