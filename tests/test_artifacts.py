import copy
import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import forked
from sound2scene import artifacts, files, networks
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.biggan import Generator
from sound2scene.models.heads import ProjectionHead
from sound2scene.models.judge import Judge
from sound2scene.types import InputError

CARD = {"kind": "audio-encoder", "preset": "paper", "metrics": {"recall": 0.5}, "commit": "1234567"}


@pytest.fixture(scope="module")
def network() -> AudioEncoder:
    torch.manual_seed(0)
    return AudioEncoder(8, "resnet10t", {"stem_type": ""}, final_relu=False)


@pytest.fixture
def artifact(network: AudioEncoder, tmp_path: Path) -> Path:
    return artifacts.save(network, tmp_path / "artifact", card=CARD)


def rewrite(artifact: Path, **entries: Any) -> None:
    path = artifact / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def refused(artifact: Path, message: str, kind: str | None = None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        artifacts.load(artifact, kind)
    assert "\n" not in str(caught.value)
    assert str(artifact) in str(caught.value)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@torch.no_grad()
def test_loaded_network_is_the_saved_one_in_eval_mode(network: AudioEncoder, artifact: Path) -> None:
    loaded = artifacts.load(artifact, "audio-encoder")
    assert not any(module.training for module in loaded.modules())
    before = network.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.state_dict().items())
    spectrogram_BFT = torch.randn(2, 64, 64)
    as_saved = artifacts.load(artifact, "audio-encoder", fold=False)
    assert torch.equal(as_saved(spectrogram_BFT), network.eval()(spectrogram_BFT))
    network.to(memory_format=torch.channels_last)  # as networks are loaded that are not trained further
    assert torch.equal(loaded(spectrogram_BFT), network(spectrogram_BFT))
    assert loaded(spectrogram_BFT).min() < 0


def test_card_says_what_was_given_and_what_was_written(network: AudioEncoder, artifact: Path) -> None:
    card = artifacts.read_card(artifact)
    assert (card.kind, card.preset, card.metrics, card.origin.commit) == (
        "audio-encoder",
        "paper",
        {"recall": 0.5},
        "1234567",
    )
    assert card.arguments == {
        "z_dim": 8,
        "backbone": "resnet10t",
        "backbone_options": {"stem_type": ""},
        "final_relu": False,
    }
    assert card.fingerprint == artifacts.fingerprint(network)
    assert card.origin.versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert card.origin.created.endswith("+00:00")


@pytest.fixture
def admitted(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is admitted during a test."""
    found: set[str] = set()
    monkeypatch.setattr(networks, "_ADMITTED", found)
    return found


@pytest.mark.usefixtures("admitted")
def test_network_without_stated_arguments_takes_them_from_the_caller(tmp_path: Path) -> None:
    artifacts.admit("sound2scene.models.heads")
    head = ProjectionHead(4, 3, 2)
    artifacts.save(
        head, tmp_path / "a", card={"kind": "head"}, arguments={"in_dim": 4, "hidden_dim": 3, "out_dim": 2}
    )
    assert artifacts.fingerprint(artifacts.load(tmp_path / "a")) == artifacts.fingerprint(head)


def test_saving_again_replaces_the_artifact_and_leaves_nothing_beside_it(
    network: AudioEncoder, artifact: Path
) -> None:
    artifacts.save(network, artifact, card=CARD | {"commit": "7654321"})
    assert artifacts.read_card(artifact).origin.commit == "7654321"
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]


def save_for_ever(folder: Path) -> None:
    """Replace an artifact again and again, by numbered ones."""
    head = Judge(2, side=8, backbone="resnet10t", backbone_options={"channels": [1] * 4, "stem_type": ""})
    for number in itertools.count():
        artifacts.save(head, folder, card={"kind": "judge", "notes": {"number": number}})


def killed(folder: Path, after_s: Iterable[float]) -> None:
    """Kill a process that saves, after each of these times; each time the artifact is there, whole."""
    for delay_s in after_s:
        saving = forked.Forked(save_for_ever, folder)
        try:
            while not folder.exists():
                time.sleep(0.001)
            number = artifacts.read_card(folder).origin.notes["number"]
            while artifacts.read_card(folder).origin.notes["number"] == number:
                time.sleep(0.001)
            time.sleep(delay_s)
        finally:
            saving.kill()
        artifacts.load(folder, kind="judge")


@pytest.mark.costly
@pytest.mark.parametrize("times", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_an_artifact_outlives_the_kill_of_whoever_replaces_it_and_the_next_save_sweeps(
    tmp_path: Path, times: int
) -> None:
    folder = tmp_path / "judge"
    killed(folder, [random.Random(number).uniform(0, 0.05) for number in range(times)])
    head = ProjectionHead(1, 1, 1)
    arguments = {"in_dim": 1, "hidden_dim": 1, "out_dim": 1}
    artifacts.save(head, folder, card={"kind": "head"}, arguments=arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["judge"]
    assert {path.name for path in folder.iterdir()} == {"card.json", "weights.safetensors"}


def test_an_artifact_that_was_set_aside_when_its_writer_died_comes_back(
    network: AudioEncoder, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bytes_of(artifact)
    rename, died = Path.rename, RuntimeError("died between the two renames")

    def dies(self: Path, target: Any) -> Path:
        if self.suffix == files.PARTIAL:
            raise died
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dies)
        patched.setattr(files, "recover", lambda _: None)
        with pytest.raises(RuntimeError, match="died between"):
            artifacts.save(network, artifact, card=CARD | {"commit": "7654321"})
    assert not artifact.exists()
    artifacts.load(artifact)
    assert bytes_of(artifact) == before
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]


def test_folder_with_other_files_is_left_alone(network: AudioEncoder, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="choose a new folder"):
        artifacts.save(network, tmp_path, card=CARD)
    assert bytes_of(tmp_path) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"preset": "paper"}, "`kind`"),
        (CARD | {"colour": "red"}, "'colour' is unknown"),
        (CARD | {"metrics": {"recall": float("nan")}}, "plain finite values"),
        (CARD | {"metrics": {"recall": torch.tensor(1.0)}}, "plain finite values"),
    ],
)
def test_bad_card_is_refused_before_anything_is_written(
    network: AudioEncoder, tmp_path: Path, card: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        artifacts.save(network, tmp_path / "artifact", card=card)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_does_not_say_how_it_was_built_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Linear does not say how it was built; keep its constructor's"):
        artifacts.save(torch.nn.Linear(2, 2), tmp_path / "a", card={"kind": "x"})


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda tensor: tensor.fill_(float("nan")), "holds NaN or infinity"),
        (lambda tensor: tensor.fill_(float("inf")), "holds NaN or infinity"),
        (lambda tensor: tensor.half(), "is float16, weights are kept in float32"),
        (lambda tensor: tensor.double(), "is float64, weights are kept in float32"),
    ],
)
def test_weights_that_compute_nothing_are_neither_saved_nor_loaded(
    network: AudioEncoder, artifact: Path, tmp_path: Path, spoil: Callable[[torch.Tensor], Any], fault: str
) -> None:
    path = artifact / "weights.safetensors"
    save_file(load_file(path) | {"fc.bias": spoil(load_file(path)["fc.bias"])}, path)
    refused(artifact, f"weights.safetensors: fc.bias {fault}; train or import the artifact again")
    broken = copy.deepcopy(network)
    broken.fc.bias = torch.nn.Parameter(spoil(network.fc.bias.detach().clone()))
    with pytest.raises(InputError, match=f"not written: fc.bias {fault}"):
        artifacts.save(broken, tmp_path / "new", card=CARD)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("call", ["mkdir", "rename"])
def test_failed_write_leaves_the_old_artifact(
    network: AudioEncoder, artifact: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = bytes_of(artifact)
    original = getattr(os, call)

    def fails(path: Any, *rest: Any, **options: Any) -> Any:
        if str(path).endswith(".partial"):
            raise OSError(28, "No space left on device")
        return original(path, *rest, **options)

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(InputError, match="No space left"):
        artifacts.save(network, artifact, card=CARD | {"commit": "7654321"})
    assert bytes_of(artifact) == before
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]


def test_missing_artifact_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "no artifact")


@pytest.mark.parametrize("name", ["card.json", "weights.safetensors"])
def test_half_an_artifact_is_refused(artifact: Path, name: str) -> None:
    (artifact / name).unlink()
    refused(artifact, "no artifact")


@pytest.mark.parametrize("keep", [0, 4, 200, -1])
def test_truncated_weights_are_refused(artifact: Path, keep: int) -> None:
    path = artifact / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refused(artifact, "weights.safetensors: damaged")


def test_one_flipped_bit_is_refused(artifact: Path) -> None:
    path = artifact / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    refused(artifact, "fingerprints differ")


def test_card_of_other_arguments_is_refused(artifact: Path) -> None:
    rewrite(artifact, arguments=artifacts.read_card(artifact).arguments | {"final_relu": True})
    refused(artifact, "fingerprints differ")


def test_wrong_kind_is_refused(artifact: Path) -> None:
    refused(artifact, "kind 'audio-encoder', not 'image-encoder'", kind="image-encoder")


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_weights_of_another_network_are_refused(artifact: Path, change: str) -> None:
    path = artifact / "weights.safetensors"
    tensors = load_file(path)
    if change == "unexpected":
        tensors["fc2.weight"] = torch.zeros(2)
    else:
        bias = tensors.pop("fc.bias")
        tensors |= {"fc.bias": torch.cat([bias, bias])} if change == "shape" else {}
    save_file(tensors, path)
    refused(
        artifact,
        {
            "missing": "1 tensors are missing, such as fc.bias",
            "unexpected": "unexpected, such as fc2",
            "shape": "shape",
        }[change],
    )


def test_huge_card_is_not_read(artifact: Path) -> None:
    (artifact / "card.json").write_text(" " * (2 << 20))
    refused(artifact, "card.json: 2097152 bytes, and a card has 1048576 at most")


GENERATOR = {"resolution": 32, "channels": 4, "attention": [], "z_dim": 8, "feature_dim": 8, "z_image_dim": 6}


@pytest.fixture
def generator(tmp_path: Path) -> tuple[Generator, Path]:
    torch.manual_seed(0)
    network = Generator(**GENERATOR).train()
    with torch.no_grad():
        network(torch.randn(4, 8), torch.randn(4, 6))  # running statistics and singular vectors of their own
    return network.eval(), artifacts.save(network, tmp_path / "generator", card={"kind": "generator"})


@torch.no_grad()
def test_a_generator_is_folded_once_for_inference_and_left_alone_for_training(
    generator: tuple[Generator, Path],
) -> None:
    network, folder = generator
    noise_BZ, z_image_BD = torch.randn(2, 8), torch.randn(2, 6)
    folded, whole = artifacts.load(folder), artifacts.load(folder, fold=False)
    assert torch.equal(whole(noise_BZ, z_image_BD), network(noise_BZ, z_image_BD))
    assert (folded(noise_BZ, z_image_BD) - network(noise_BZ, z_image_BD)).abs().max() < 1e-4
    assert "linear.u0" in whole.state_dict()
    assert not any("u0" in name for name in folded.state_dict())
    assert artifacts.fingerprint(whole) == artifacts.read_card(folder).fingerprint


def test_a_folded_generator_is_not_saved(generator: tuple[Generator, Path], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="folded for inference"):
        artifacts.save(artifacts.load(generator[1]), tmp_path / "again", card={"kind": "generator"})


def test_loading_draws_no_random_weights(generator: tuple[Generator, Path], artifact: Path) -> None:
    for folder in (generator[1], artifact):
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        artifacts.load(folder)
        assert torch.equal(torch.rand(2), expected)


def test_loaded_tensors_outlive_their_file(artifact: Path) -> None:
    loaded = artifacts.load(artifact)
    before = {name: tensor.clone() for name, tensor in loaded.state_dict().items()}
    path = artifact / "weights.safetensors"
    path.write_bytes(b"\0" * path.stat().st_size)
    assert all(torch.equal(before[name], tensor) for name, tensor in loaded.state_dict().items())


def test_networks_of_different_image_encoders_are_no_pair(tmp_path: Path, network: AudioEncoder) -> None:
    def saved(name: str, notes: dict[str, Any]) -> Path:
        return artifacts.save(network, tmp_path / name, card=CARD | {"notes": notes})

    fits, silent = saved("fits", {"image_encoder": "abc"}), saved("silent", {})
    artifacts.check_pair(artifacts.read_card(fits), "abc", fits)
    with pytest.raises(InputError, match=r"fits: belongs to image encoder abc, not to abd"):
        artifacts.check_pair(artifacts.read_card(fits), "abd", fits)
    with pytest.raises(
        InputError, match=r"silent: its card does not say .* import it again with --image-encoder"
    ):
        artifacts.check_pair(artifacts.read_card(silent), "abc", silent)
