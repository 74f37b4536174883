from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from sound2scene.models.extractors import InceptionExtractor, TimmExtractor
from sound2scene.protocols import Measuring
from sound2scene.types import InputError

PIXELS = torch.randint(256, (2, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def timm_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(timm.create_model("resnet10t", pretrained=False).state_dict())


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_timm_network_with_given_weights_gives_its_pooled_features(
    tmp_path: Path, timm_weights: dict[str, torch.Tensor], suffix: str
) -> None:
    path = tmp_path / f"weights.{suffix}"
    save_file(timm_weights, path) if suffix == "safetensors" else torch.save(timm_weights, path)
    extractor = TimmExtractor("resnet10t.c3_in1k", str(path))
    assert isinstance(extractor, Measuring)
    assert extractor.protocol == f"resnet10t.c3_in1k_{extractor.side}px"
    extractor.train()  # has to stay in evaluation
    whole = timm.create_model("resnet10t", pretrained=False, num_classes=0).eval()
    whole.load_state_dict(timm_weights, strict=False)
    seen = extractor.measure(PIXELS)
    assert seen.logits_BK is None
    assert seen.feature_BD.shape == (2, extractor.feature_dim)
    resized = torch.nn.functional.interpolate(
        PIXELS / 255, (extractor.side,) * 2, mode="bilinear", antialias=True
    )
    mean, std = (torch.tensor(values)[:, None, None] for values in (extractor.mean, extractor.std))
    torch.testing.assert_close(seen.feature_BD, whole((resized - mean) / std), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tag", ["ra_in1k", "ra4_e3600_r224_in1k"])
def test_pictures_are_prepared_as_the_named_weights_saw_them(tmp_path: Path, tag: str) -> None:
    # The second is not the default of its network, and was trained with another mean.
    name, path = f"efficientnet_b0.{tag}", tmp_path / "weights.pth"
    torch.save(timm.create_model("efficientnet_b0", pretrained=False).state_dict(), path)
    extractor, cfg = TimmExtractor(name, str(path)), timm.get_pretrained_cfg(name)
    assert cfg is not None
    assert (extractor.mean, extractor.std, extractor.side) == (cfg.mean, cfg.std, cfg.input_size[-1])
    assert extractor.protocol == f"{name}_{cfg.input_size[-1]}px"


def test_weights_of_another_network_or_none_at_all_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("other.safetensors", "nowhere.pth"):
        with pytest.raises(InputError, match=name):
            TimmExtractor("resnet10t", str(tmp_path / name))
    with pytest.raises(InputError, match="unknown to timm"):
        TimmExtractor("resnet9000")
    with pytest.raises(
        InputError, match=r"'resnet10t\.c4_in1k' is unknown to timm; did you mean .*resnet10t\.c3_in1k"
    ):
        TimmExtractor("resnet10t.c4_in1k", str(tmp_path / "other.safetensors"))


def test_inception_with_weights_of_the_published_layout(tmp_path: Path) -> None:
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.manual_seed(0)
    monkey = pytest.MonkeyPatch()
    # The class downloads its weights in its constructor: the layout is taken from one that is handed an empty
    # file.
    states: list[dict[str, torch.Tensor]] = []
    with monkey.context() as patch:
        patch.setattr(torch, "load", lambda *a, **k: {})
        patch.setattr(
            torch.nn.Module,
            "load_state_dict",
            lambda self, state, *a, **k: states.append(dict(self.state_dict())),
        )
        fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(tmp_path / "none"))
    path = tmp_path / "weights-inception.pth"
    torch.save(states[-1], path)
    extractor = InceptionExtractor(str(path))
    feature_BD, logits_BK = extractor.measure(PIXELS)
    assert feature_BD.shape == (2, 2048)
    assert logits_BK is not None
    assert logits_BK.shape == (2, 1008)
    assert (feature_BD >= 0).all()
    with pytest.raises(ValueError, match="only uint8"):
        extractor.measure(PIXELS.float())


def test_missing_inception_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pth: no such file"):
        InceptionExtractor(str(tmp_path / "nowhere.pth"))
