import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from sound2scene import artifacts, networks
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.models.heads import ProjectionHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.models.judge import Judge
from sound2scene.models.manifold_audio import ManifoldAudio
from sound2scene.models.manifold_autoencoder import ManifoldAutoencoder
from sound2scene.models.reader import Reader
from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.models.s2i_generator import DenseGenerator
from sound2scene.types import InputError
from tiny import tiny_localizer
from tiny_s2i import AUDIO
from tiny_s2i import GENERATOR as S2I_GENERATOR

CARD = {"kind": "audio-encoder", "preset": "paper"}
GENERATOR: dict[str, Any] = {"resolution": 32, "channels": 4, "attention": [], "z_image_dim": 6}


@pytest.fixture(scope="module")
def network() -> AudioEncoder:
    torch.manual_seed(0)
    return AudioEncoder(8, "resnet10t", {"stem_type": ""}, final_relu=False)


@pytest.fixture
def artifact(network: AudioEncoder, tmp_path: Path) -> Path:
    return artifacts.save(network, tmp_path / "artifact", card=CARD)


@pytest.fixture
def admitted(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is admitted during a test."""
    found: set[str] = set()
    monkeypatch.setattr(networks, "_ADMITTED", found)
    return found


def rewrite(artifact: Path, **entries: Any) -> None:
    path = artifact / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def refused(artifact: Path, message: str, kind: str | None = None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        artifacts.load(artifact, kind)
    assert "\n" not in str(caught.value)
    assert str(artifact) in str(caught.value)


@pytest.mark.costly
def test_fingerprint_changes_with_every_tensor(network: AudioEncoder) -> None:
    original = networks.fingerprint(network)
    for name, tensor in network.state_dict().items():
        kept = tensor.clone()
        flat = tensor.reshape(-1)
        flat[-1] = (
            flat[-1] + 1 if tensor.dtype == torch.int64 else torch.nextafter(flat[-1], torch.tensor(9.0))
        )
        assert networks.fingerprint(network) != original, name
        tensor.copy_(kept)
    assert networks.fingerprint(network) == original


def test_fingerprint_changes_with_dtype_class_and_arguments(network: AudioEncoder) -> None:
    twin = AudioEncoder(8, "resnet10t", {"stem_type": ""}, final_relu=True)
    twin.load_state_dict(network.state_dict())
    assert networks.fingerprint(twin) != networks.fingerprint(network)
    head = ProjectionHead(4, 4, 4)
    original = networks.fingerprint(head)
    assert networks.fingerprint(head.double()) != original
    assert networks.fingerprint(head.float()) == original
    head.__class__ = type("OtherHead", (ProjectionHead,), {})
    assert networks.fingerprint(head) != original


def test_fingerprint_does_not_depend_on_mode(network: AudioEncoder) -> None:
    assert networks.fingerprint(network.train()) == networks.fingerprint(network.eval())


@pytest.mark.usefixtures("admitted")
def test_a_network_from_elsewhere_is_loaded_once_its_package_is_admitted_and_never_by_its_card_alone(
    tmp_path: Path,
) -> None:
    arguments = {"in_features": 2, "out_features": 3}
    folder = artifacts.save(torch.nn.Linear(2, 3), tmp_path / "a", card={"kind": "x"}, arguments=arguments)
    refused(folder, r"class 'torch.nn.modules.linear.Linear' is no network of kind 'x' of ours; .*--admit")
    networks.admit("torch.nn.modules.lin")
    refused(folder, "is no network of kind")
    networks.admit("torch.nn.modules")
    assert isinstance(artifacts.load(folder, kind="x"), torch.nn.Linear)


def test_only_a_dotted_name_is_admitted() -> None:
    with pytest.raises(InputError, match=r"^'my/networks.py' is no name of a package; give it as in"):
        networks.admit("my/networks.py")


@pytest.mark.parametrize(
    "class_path",
    [
        "os.system",
        "torch.nn.Linear",
        "sound2scene.artifacts.load",
        "sound2scene.models",
        "sound2scene.models.audio_encoder.timm_backbone",
        "sound2scene.models.audio_encoder.nn.Module",
        "sound2scene.models.heads.nn",
        "sound2scene.models.backbones.ResNet",
        "sound2scene.models.image_encoder.ImageEncoder",
        "sound2scene.models.extractors.InceptionExtractor",
        "sound2scene.models.nowhere.Network",
        "sound2scene.models/../artifacts.load",
        "sound2scene.models..audio_encoder.AudioEncoder",
        "../../etc/passwd",
        "sound2scene.models.audio_encoder.AudioEncoder\n",
    ],
)
def test_card_cannot_name_anything_but_a_network(artifact: Path, class_path: str) -> None:
    rewrite(artifact, class_path=class_path, arguments={"command": f"touch {artifact / 'broken-in'}"})
    refused(artifact, "is no network of kind 'audio-encoder' of ours")
    assert not (artifact / "broken-in").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        {"depth": 3},
        {"z_dim": "eight"},
        {"z_dim": -1},
        {"backbone": "hf-hub:someone/evil"},
        {"backbone": "resnet10t", "backbone_options": {"checkpoint_path": "evil.pth"}},
        {"backbone": "resnet10t", "backbone_options": {"pretrained": True}},
    ],
)
def test_card_with_unusable_arguments_is_refused(artifact: Path, arguments: dict[str, Any]) -> None:
    rewrite(artifact, arguments=arguments)
    refused(artifact, "export or import the artifact again")


@pytest.mark.parametrize(
    "arguments",
    [
        {"z_dim": 10**12},
        {"backbone": "resnet18", "backbone_options": {"layers": [10**7, 1, 1, 1]}},
        {"backbone": "resnet18", "backbone_options": {"channels": [10**9] * 4}},
        {"backbone": "vit_giant_patch14_224"},
    ],
)
def test_a_card_that_asks_for_an_absurd_network_is_refused_before_it_is_built(
    artifact: Path, arguments: dict[str, Any]
) -> None:
    rewrite(artifact, arguments=artifacts.read_card(artifact).arguments | arguments)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(artifact, "export or import the artifact again")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.costly
def test_every_class_of_ours_is_built_without_memory_first() -> None:
    built = {
        "audio-encoder": lambda: AudioEncoder(8, "resnet10t"),
        "image-encoder": lambda: ImageEncoder("resnet10t"),
        "generator": lambda: Generator(**GENERATOR),
        "discriminator": lambda: Discriminator(resolution=32, channels=4, attention=[], z_image_dim=6),
        "localizer": tiny_localizer,
        "judge": lambda: Judge(3, side=32, backbone="resnet10t"),
        "reader": lambda: Reader(3, 2, side=32, backbone="resnet10t"),
        "manifold-autoencoder": lambda: ManifoldAutoencoder(32, 8, width=8),
        "manifold-audio": lambda: ManifoldAudio(8, 4, backbone="resnet10t"),
        "s2i-audio": lambda: AudioAutoencoder(**AUDIO),
        "s2i-generator": lambda: DenseGenerator(**S2I_GENERATOR),
    }
    assert built.keys() == networks.CLASSES.keys()
    for kind, make in built.items():
        with torch.device("meta"):
            network = make()
        assert networks.class_path(network) == networks.CLASSES[kind]
        assert all(parameter.is_meta for parameter in network.parameters())


class Projected(torch.nn.Module):
    """A network with a random part on the CPU that no file holds."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        dice = torch.Generator("cpu").manual_seed(0)
        self.basis = torch.empty(4, device="cpu").normal_(generator=dice)


def test_what_a_constructor_draws_at_random_and_no_file_holds_is_drawn() -> None:
    given = Projected()
    built = networks.build(Projected, {}, given.state_dict())
    assert torch.equal(built.basis, given.basis)
    assert torch.equal(built.layer.weight, given.layer.weight)
