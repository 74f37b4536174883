from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from drawing import tiny_judge
from sound2scene import artifacts
from sound2scene.evaluation.networks import networks_of, rows_of, scene_of_rows
from sound2scene.evaluation.protocol import Network, Protocol
from sound2scene.models.backbones import timm_backbone
from sound2scene.models.reader import Reader
from sound2scene.types import InputError, Scene
from tiny import CLASSES, NET

CPU = torch.device("cpu")
PIXELS = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def protocol(network: Network, *uses: str) -> Protocol:
    plain = Protocol("a test", 32, {"one": network})
    return msgspec.structs.replace(plain, **{use: ["one"] for use in uses})


def test_a_judge_tells_the_columns_of_the_classes_of_the_dataset(tmp_path: Path) -> None:
    judge = tiny_judge(tmp_path / "judge", ("high", "other", *CLASSES[:2]))
    found = networks_of(protocol(Network("judge", str(judge)), "classes"), CLASSES, CPU)["one"]
    assert found.column_K is not None
    assert found.column_K.tolist() == [2, 3, 0]
    assert found.fingerprint == artifacts.read_card(judge).fingerprint


def test_a_judge_that_does_not_know_a_class_is_refused_only_where_classes_are_asked_for(
    tmp_path: Path,
) -> None:
    network = Network("judge", str(tiny_judge(tmp_path / "judge", ("low", "high"))))
    assert networks_of(protocol(network, "sets"), CLASSES, CPU)["one"].column_K is None
    with pytest.raises(InputError, match="network one: knows 2 classes, but not 'middle' of the dataset"):
        networks_of(protocol(network, "classes"), CLASSES, CPU)


def test_a_network_of_timm_has_features_and_no_scores(tmp_path: Path) -> None:
    name = "mobilenetv3_small_100.lamb_in1k"
    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    save_file(timm_backbone(name, in_chans=3)[0].state_dict(), weights)
    found = networks_of(protocol(Network("timm", str(weights), name), "instances"), CLASSES, CPU)["one"]
    seen = found.measure(PIXELS)
    assert seen.feature_BD.shape == (3, 1024)
    assert seen.logits_BK is None


def test_a_reader_gives_what_it_reads_as_rows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reader = Reader(len(CLASSES), 5, 32, "resnet18", NET)
    artifacts.save(reader, tmp_path / "reader", card={"kind": "reader", "preset": "pixels32"})
    whole = msgspec.structs.replace(protocol(Network("reader", str(tmp_path / "reader"))), reader="one")
    seen = networks_of(whole, CLASSES, CPU)["one"].measure(PIXELS)
    wanted = reader.eval().read(PIXELS)
    for part, other in zip(scene_of_rows(seen.feature_BD), wanted, strict=True):
        assert torch.equal(part, other)


def test_rows_of_scenes_come_back() -> None:
    scene = Scene(torch.tensor([[1.0, 0.0]]), torch.rand(1, 2, 3), torch.tensor([3]))
    back = scene_of_rows(rows_of(scene))
    assert all(torch.equal(part, other) for part, other in zip(scene, back, strict=True))


@pytest.mark.slow
def test_another_prompt_is_another_network(tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    name = "ViT-S-32-alt"
    weights = tmp_path / "clip.safetensors"
    save_file(open_clip.create_model(name, load_weights=False).state_dict(), weights)
    fingerprints = set()
    for template in ("{}", "a photo of {}"):
        whole = protocol(Network("clip", str(weights), name, template), "classes")
        fingerprints.add(networks_of(whole, CLASSES, CPU)["one"].fingerprint)
    assert len(fingerprints) == 2
