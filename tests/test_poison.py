"""A pickle that leaves a mark, through every door that takes a path: none of them runs it."""

import io
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sound2scene import artifacts, cli
from sound2scene.callbacks.generation_metrics import GenerationMetrics
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.frozen_encoder import FrozenFeatures
from sound2scene.data.shards.read import ShardDataset
from sound2scene.methods.sound2scene import FrozenGenerator, SoundToScene
from sound2scene.models.extractors import InceptionExtractor, TimmExtractor
from sound2scene.types import InputError
from tiny import tiny_encoder, tiny_features, tiny_recipe


class Mark:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def plain(mark: Mark) -> bytes:
    return pickle.dumps({"state_dict": {"weight": mark}})


def of_torch(mark: Mark) -> bytes:
    file = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.ones(2)}, "epoch": 3, "callbacks": mark}, file)
    return file.getvalue()


def of_numpy(mark: Mark) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{name: np.array([mark]) for name in ("shard", "offset", "size", "label", "key")})
    return file.getvalue()


def array(mark: Mark) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([mark]), allow_pickle=True)
    return file.getvalue()


POISONS = [plain, of_torch, of_numpy, array]


@pytest.fixture
def mark(tmp_path: Path) -> Mark:
    return Mark(tmp_path / "was-here")


@pytest.mark.parametrize("poison", POISONS)
def test_the_poison_works_where_it_is_unpickled(mark: Mark, poison: Callable[[Mark], bytes]) -> None:
    content = poison(mark)
    if poison is of_torch:
        torch.load(io.BytesIO(content), weights_only=False)
    elif poison is plain:
        pickle.loads(content)
    else:
        found = np.load(io.BytesIO(content), allow_pickle=True)
        _ = found["key"] if poison is of_numpy else found
    assert mark.path.exists()


def poisoned_weights(folder: Path, content: bytes) -> Path:
    """An artifact of every kind in turn whose weights are a pickle."""
    (artifact := tiny_encoder(folder)).joinpath("weights.safetensors").write_bytes(content)
    return artifact


def poisoned_card(folder: Path, content: bytes) -> Path:
    """An artifact whose card names the class that opens a file, and a pickle as that file."""
    folder.mkdir()
    (folder / "evil.pth").write_bytes(content)
    save_file({"weight": torch.ones(2)}, folder / "weights.safetensors")
    card = {
        "format": 1,
        "kind": "judge",
        "class_path": "sound2scene.models.extractors.InceptionExtractor",
        "arguments": {"weights": str(folder / "evil.pth")},
        "fingerprint": "0" * 64,
        "preset": "small64",
        "notes": {"image_encoder": "0" * 64, "classes": ["a"]},
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def of_kind(artifact: Path, kind: str) -> Path:
    path = artifact / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kind": kind}))
    return artifact


ARTIFACTS: dict[str, Callable[[Path, Path], object]] = {
    "any": lambda poison, _: artifacts.load(poison),
    "generator": lambda poison, _: FrozenGenerator(str(of_kind(poison, "generator"))).network,
    "audio-encoder": lambda poison, _: SoundToScene(str(of_kind(poison, "audio-encoder")), str(poison)),
    "judge": lambda poison, _: GenerationMetrics(str(of_kind(poison, "judge"))),
    "image-encoder": lambda poison, folder: (
        FrozenFeatures(
            tiny_features(of_kind(poison, "image-encoder"), folder / "cache"), 0, torch.device("cpu")
        ).facts
    ),
}


@pytest.mark.parametrize("door", ARTIFACTS)
@pytest.mark.parametrize("poison", [plain, of_torch])
@pytest.mark.parametrize("where", [poisoned_weights, poisoned_card])
def test_no_artifact_runs_code(
    tmp_path: Path,
    mark: Mark,
    where: Callable[[Path, bytes], Path],
    poison: Callable[[Mark], bytes],
    door: str,
) -> None:
    artifact = where(tmp_path / "evil", poison(mark))
    with pytest.raises(InputError, match=r"evil"):
        ARTIFACTS[door](artifact, tmp_path)
    assert not mark.path.exists()


EVIL = "evil.pth"
COMMANDS: dict[str, list[str]] = {
    "import": ["import", "audio-encoder", EVIL, "-o", "out"],
    "import swav": ["import", "swav", EVIL, "-o", "out"],
    "import icgan": ["import", "icgan", EVIL, "-o", "out"],
    "checkpoint": ["fit", "--ckpt_path", EVIL],
    "measured checkpoint": ["validate", "--ckpt_path", EVIL],
    "localizer": ["select", "videos", "-o", "out.json", "--localizer", "evil"],
    "generator": ["generate", "a.wav", "-o", "out", "--audio-encoder", "evil", "--generator", "evil"],
    "localizer of the toy world": [
        "prepare",
        "toy",
        "-o",
        "out",
        "--frame",
        "localizer",
        "--localizer",
        "evil",
    ],
}


@pytest.mark.parametrize("poison", [plain, of_torch])
@pytest.mark.parametrize("door", COMMANDS)
def test_no_command_runs_the_code_of_a_file_it_is_given(
    tmp_path: Path,
    mark: Mark,
    tiny_shards: Path,
    tiny_image_encoder: Path,
    poison: Callable[[Mark], bytes],
    door: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(EVIL).write_bytes(poison(mark))
    poisoned_card(tmp_path / "evil", poison(mark))
    for name in ("videos/a.mp4", "a.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    line = list(COMMANDS[door])
    if "--ckpt_path" in line:
        line += ["-c", str(tiny_recipe(tmp_path / "recipe.yaml", tiny_shards, tiny_image_encoder))]
    if "toy" in line:
        line += ["--train", "1", "--val", "0", "--test", "0", "--mixed", "0", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", ["sound2scene", *line])
    assert cli.main() == 2
    assert "evil" in capsys.readouterr().err
    assert not mark.path.exists()


@pytest.mark.parametrize("poison", POISONS)
def test_no_public_weights_run_code(tmp_path: Path, mark: Mark, poison: Callable[[Mark], bytes]) -> None:
    (tmp_path / EVIL).write_bytes(poison(mark))
    for network in (
        InceptionExtractor(str(tmp_path / EVIL)),
        TimmExtractor("resnet10t", str(tmp_path / EVIL)),
    ):
        with pytest.raises(InputError, match=EVIL):
            network.measure(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert not mark.path.exists()


@pytest.mark.parametrize("poison", POISONS)
def test_no_index_runs_code(
    tmp_path: Path, mark: Mark, tiny_shards: Path, poison: Callable[[Mark], bytes]
) -> None:
    shutil.copytree(tiny_shards, tmp_path / "shards")
    (tmp_path / "shards" / "train" / "index.npz").write_bytes(poison(mark))
    with pytest.raises(InputError, match="train/index"):
        ShardDataset(tmp_path / "shards", "train")
    assert not mark.path.exists()


@pytest.mark.parametrize("poison", POISONS)
def test_no_cached_feature_runs_code(tmp_path: Path, mark: Mark, poison: Callable[[Mark], bytes]) -> None:
    cache = FeatureCache(str(tmp_path), "f" * 64, "small64", "d" * 64, 3)
    cache.write(0, torch.zeros(3, 2))
    (block,) = [path for path in tmp_path.rglob("*.npy") if path.is_file()]
    block.write_bytes(poison(mark))
    with suppress(Exception):  # or it is computed again: in no case does it run
        FeatureCache(str(tmp_path), "f" * 64, "small64", "d" * 64, 3).row(0)
    assert not mark.path.exists()
