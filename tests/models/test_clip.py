import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from bombs import Bomb
from sound2scene.metrics.classes import label_ranks
from sound2scene.models import clip
from sound2scene.models.clip import ClipExtractor
from sound2scene.protocols import Loading, Measuring
from sound2scene.types import InputError

open_clip = pytest.importorskip("open_clip")

TINY = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
CLASSES = ["dog barking", "sea waves", "owl hooting", "hail", "skiing"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A small CLIP under the name `tiny`, and a file of its weights."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "tiny.json")
    torch.manual_seed(0)
    network = open_clip.create_model("tiny", load_weights=False, force_quick_gelu=True).eval()
    save_file(network.state_dict(), folder / "weights.safetensors")
    return network, folder / "weights.safetensors"


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    dice = torch.Generator().manual_seed(0)
    coarse = torch.randint(256, (count, 3, 5, 5), generator=dice).float()
    size = (height, width)
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear").to(torch.uint8)


def expected(network: Any, pixels_BCHW: torch.Tensor, texts: list[str]) -> tuple[Any, Any]:
    """Features and scores as open_clip itself makes them of PIL pictures, in NumPy."""
    chain = open_clip.image_transform(32, is_train=False, mean=clip.MEAN, std=clip.STD)
    images = [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in pixels_BCHW]
    with torch.no_grad():
        image_BD = network.encode_image(torch.stack([chain(image) for image in images])).double().numpy()
        text_KD = network.encode_text(open_clip.get_tokenizer("tiny")(texts)).double().numpy()
    image_BD, text_KD = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (image_BD, text_KD))
    return image_BD, 100 * image_BD @ text_KD.T


@pytest.mark.parametrize("template", ["{}", "a photo of {}"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 16), (80, 48), (33, 70)])
def test_features_and_scores_are_those_of_open_clip(
    tiny: tuple[Any, Path], template: str, height: int, width: int
) -> None:
    network, weights = tiny
    extractor = ClipExtractor("tiny", str(weights), CLASSES, template)
    assert isinstance(extractor, Measuring)
    assert isinstance(extractor, Loading)
    assert extractor.protocol == f"clip-tiny_32px[{template}]"
    extractor.train()  # has to stay in evaluation
    pixels_BCHW = pictures(6, height, width)
    seen = extractor.measure(pixels_BCHW)
    assert seen.logits_BK is not None
    feature_BD, logits_BK = expected(network, pixels_BCHW, [template.replace("{}", c) for c in CLASSES])
    np.testing.assert_allclose(seen.feature_BD, feature_BD, atol=5e-3)
    np.testing.assert_allclose(seen.logits_BK, logits_BK, atol=0.5)


def test_recall_equals_a_numpy_twin(tiny: tuple[Any, Path]) -> None:
    network, weights = tiny
    pixels_BCHW = pictures(40, 32, 32)  # of the network's size, so that nothing is resized
    seen = ClipExtractor("tiny", str(weights), CLASSES).measure(pixels_BCHW)
    assert seen.logits_BK is not None
    label_N = torch.arange(40) % len(CLASSES)
    _, logits_BK = expected(network, pixels_BCHW, CLASSES)
    ranks = [int((row > row[label]).sum()) for row, label in zip(logits_BK, label_N.tolist(), strict=True)]
    assert label_ranks(seen.logits_BK, label_N).tolist() == ranks
    assert len(set(ranks)) > 1


def test_without_classes_there_are_no_scores(tiny: tuple[Any, Path]) -> None:
    extractor = ClipExtractor("tiny", str(tiny[1]))
    seen = extractor.measure(pictures(2, 32, 32))
    assert seen.logits_BK is None
    assert seen.feature_BD.shape == (2, extractor.feature_dim)
    torch.testing.assert_close(seen.feature_BD.norm(dim=1), torch.ones(2))
    assert extractor.protocol == "clip-tiny_32px"
    with pytest.raises(ValueError, match="only uint8"):
        extractor.measure(torch.zeros(2, 3, 32, 32))


def test_nothing_is_read_before_it_is_needed_and_half_precision_becomes_single(
    tiny: tuple[Any, Path], tmp_path: Path
) -> None:
    network, _ = tiny
    path = tmp_path / "half.pt"
    torch.save({name: tensor.half() for name, tensor in network.state_dict().items()}, path)
    extractor = ClipExtractor("tiny", str(path))
    assert extractor.network is None
    extractor.load()
    loaded = extractor.network
    extractor.load()
    assert extractor.network is loaded
    assert extractor.measure(pictures(1, 32, 32)).feature_BD.dtype == torch.float32


def test_the_network_of_the_paper_is_known_without_its_weights() -> None:
    extractor = ClipExtractor(classes=CLASSES, template="a photo of {}")
    assert (extractor.feature_dim, extractor.side) == (512, 224)
    assert extractor.protocol == "clip-ViT-B-32_224px[a photo of {}]"


def test_weights_that_cannot_be_had_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError("no network\nhere")

    monkeypatch.setattr(open_clip, "download_pretrained", refuse)
    with pytest.raises(InputError, match=r"ViT-B-32: its weights cannot be downloaded \(no network\)"):
        ClipExtractor().measure(pictures(1, 8, 8))


@pytest.mark.usefixtures("tiny")
def test_what_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pt: no such file"):
        ClipExtractor("tiny", str(tmp_path / "nowhere.pt"))
    with pytest.raises(InputError, match="'ViT-Z-99' is no square network of open_clip"):
        ClipExtractor("ViT-Z-99")
    with pytest.raises(InputError, match=r"template 'a photo' has no \{\} for the name"):
        ClipExtractor("tiny", template="a photo")
    with pytest.raises(InputError, match="tiny: OpenAI published no weights of it"):
        ClipExtractor("tiny").load()
    save_file({"logit_scale": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors: not the expected layout"):
        ClipExtractor("tiny", str(tmp_path / "other.safetensors")).load()
    mark = tmp_path / "exploded"
    torch.save({"bomb": Bomb(mark)}, tmp_path / "bomb.pt")
    with pytest.raises(InputError, match="would run code, which is refused"):
        ClipExtractor("tiny", str(tmp_path / "bomb.pt")).load()
    assert not mark.exists()
    monkeypatch.setattr(clip, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"open_clip is not installed; pip install 'sound2scene\[clip\]'"):
        ClipExtractor("tiny")
