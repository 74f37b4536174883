import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import timm
import torch
import yaml
from jsonargparse import ArgumentParser
from safetensors.torch import save_file

from bombs import Bomb
from hostile_server import hostile_server
from random_inception import put_into_cache, write_inception
from sound2scene.models import extractors
from sound2scene.models.extractors import InceptionExtractor, TimmExtractor
from sound2scene.protocols import Loading, Measuring
from sound2scene.types import InputError

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
PIXELS = torch.randint(256, (2, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever looks up or opens a connection fails, and no cache is of help."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("SOUND2SCENE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def timm_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(timm.create_model("resnet10t", pretrained=False).state_dict())


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inception(tmp_path_factory.mktemp("inception") / "weights-inception.pth")


@pytest.mark.usefixtures("no_network")
def test_a_recipe_with_an_extractor_is_parsed_and_built_without_the_network() -> None:
    pytest.importorskip("torch_fidelity")
    recipe = yaml.safe_load((EXPERIMENTS / "gan" / "imagenet128_icgan.yaml").read_text())
    (metrics,) = (one for one in recipe["trainer"]["callbacks"] if "GenerationMetrics" in one["class_path"])
    networks: list[dict[str, Any]] = [
        {"class_path": "sound2scene.models.extractors.InceptionExtractor"},
        {
            "class_path": "sound2scene.models.extractors.TimmExtractor",
            "init_args": {"name": "resnet10t.c3_in1k"},
        },
    ]
    assert metrics["init_args"]["network"] == networks[0]
    for network in networks:
        parser = ArgumentParser(exit_on_error=False)
        parser.add_argument("--callback", type=pl.Callback)
        given = json.dumps(metrics | {"init_args": {"network": network}})
        instantiate = getattr(parser, "instantiate", parser.instantiate_classes)  # its newer name
        built = instantiate(parser.parse_args(["--callback", given])).callback
        assert isinstance(built.network, Loading)


@pytest.mark.usefixtures("no_network")
def test_inception_weights_that_cannot_be_had_are_one_line_at_the_first_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch_fidelity")
    monkeypatch.setattr("sound2scene.download.FIRST_WAIT_S", 0.0)
    with pytest.raises(InputError, match=r"weights-inception.*run again later") as caught:
        InceptionExtractor().measure(PIXELS)
    assert "\n" not in str(caught.value)


def test_timm_weights_that_cannot_be_had_are_one_line_at_the_first_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extractor = TimmExtractor("resnet10t.c3_in1k")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network\nhere")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(
        InputError, match=r"resnet10t\.c3_in1k: its weights cannot be downloaded \(no network\)"
    ):
        extractor.measure(PIXELS)


@pytest.mark.costly
@pytest.mark.usefixtures("no_network")
def test_inception_weights_in_the_cache_need_no_network(
    inception_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_cache(inception_weights, tmp_path / "filled", monkeypatch)
    InceptionExtractor().load()


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
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    resized = torch.nn.functional.interpolate(
        PIXELS / 255, (extractor.side,) * 2, mode="bilinear", antialias=True
    )
    mean, std = (torch.tensor(values)[:, None, None] for values in (extractor.mean, extractor.std))
    torch.testing.assert_close(seen.feature_BD, whole((resized - mean) / std), rtol=1e-4, atol=1e-5)


@pytest.mark.slow  # a process of its own, since the hub's settings are read when it is imported
def test_a_timm_network_without_given_weights_takes_those_of_the_hub(
    tmp_path: Path, timm_weights: dict[str, torch.Tensor]
) -> None:
    # A hub cache as it lies on disk, read by a process that is told to stay offline.
    repository = tmp_path / "hub" / "models--timm--resnet10t.c3_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123abc")
    (repository / "snapshots" / "0123abc").mkdir(parents=True)
    save_file(timm_weights, repository / "snapshots" / "0123abc" / "model.safetensors")
    code = (
        "import torch; from sound2scene.models.extractors import TimmExtractor\n"
        "network = TimmExtractor('resnet10t.c3_in1k'); network.load()\n"
        "print(network.backbone.state_dict()['conv1.0.weight'].double().sum().item())"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == timm_weights["conv1.0.weight"].double().sum().item()


@pytest.mark.parametrize("tag", ["ra_in1k", "ra4_e3600_r224_in1k"])
def test_pictures_are_prepared_as_the_named_weights_saw_them(tag: str) -> None:
    # The second is not the default of its network, and was trained with another mean.
    name = f"efficientnet_b0.{tag}"
    extractor, cfg = TimmExtractor(name), timm.get_pretrained_cfg(name)
    assert cfg is not None
    assert (extractor.mean, extractor.std, extractor.side) == (cfg.mean, cfg.std, cfg.input_size[-1])
    assert extractor.protocol == f"{name}_{cfg.input_size[-1]}px"


def test_weights_of_another_network_or_none_at_all_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors: not the expected layout: .* missing"):
        TimmExtractor("resnet10t", str(tmp_path / "other.safetensors")).load()
    with pytest.raises(InputError, match=r"nowhere\.pth: no such file"):
        TimmExtractor("resnet10t", str(tmp_path / "nowhere.pth"))
    with pytest.raises(InputError, match="unknown to timm"):
        TimmExtractor("resnet9000")
    with pytest.raises(
        InputError, match=r"'resnet10t\.c4_in1k' is unknown to timm; did you mean .*resnet10t\.c3_in1k"
    ):
        TimmExtractor("resnet10t.c4_in1k", str(tmp_path / "other.safetensors"))


@pytest.mark.costly
def test_inception_with_weights_of_the_published_layout(inception_weights: Path) -> None:
    extractor = InceptionExtractor(str(inception_weights))
    feature_BD, logits_BK = extractor.measure(PIXELS)
    assert feature_BD.shape == (2, 2048)
    assert logits_BK is not None
    assert logits_BK.shape == (2, 1008)
    assert (feature_BD >= 0).all()
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    with pytest.raises(ValueError, match="only uint8"):
        extractor.measure(PIXELS.float())


@pytest.mark.slow
def test_inception_without_given_weights_downloads_them_once_and_checks_them(
    inception_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = inception_weights.read_bytes()
    monkeypatch.setenv("SOUND2SCENE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with hostile_server() as web:
        monkeypatch.setattr(extractors, "INCEPTION_ADDRESS", web.address)
        with pytest.raises(InputError, match="sha256 is not the expected"):
            InceptionExtractor().load()
        web.content = content
        monkeypatch.setattr(extractors, "INCEPTION_SHA256", hashlib.sha256(content).hexdigest())
        for _ in range(2):
            extractor = InceptionExtractor()
            extractor.load()
            extractor.load()
        assert len(web.asked) == 2
    assert torch.equal(
        extractor.measure(PIXELS).feature_BD,
        InceptionExtractor(str(inception_weights)).measure(PIXELS).feature_BD,
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"Conv2d_1a_3x3.conv.weight": torch.zeros(1)}, "not the weights of this Inception"),
        ([1, 2], "holds no state dict"),
    ],
)
def test_weights_of_another_inception_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    pytest.importorskip("torch_fidelity")
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(InputError, match=message) as caught:
        InceptionExtractor(str(tmp_path / "other.pth")).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("build", [InceptionExtractor, lambda path: TimmExtractor("resnet10t", path)])
def test_weights_that_would_run_code_are_refused_unexploded(
    tmp_path: Path, build: Callable[[str], InceptionExtractor | TimmExtractor]
) -> None:
    pytest.importorskip("torch_fidelity")
    path, mark = tmp_path / "bomb.pth", tmp_path / "exploded"
    torch.save({"bomb": Bomb(mark)}, path)
    extractor = build(str(path))
    with pytest.raises(InputError, match="would run code, which is refused"):
        extractor.load()
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the bomb of this test would not have exploded"


def test_missing_inception_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pth: no such file"):
        InceptionExtractor(str(tmp_path / "nowhere.pth"))
