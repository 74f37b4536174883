"""Every recipe under `experiments/` starts and takes a step on fabricated data of the layout it names."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
import yaml

import fabricated
from random_inception import write_inception
from sound2scene import cli
from test_recipes import ABLATED, ABLATIONS, EXPERIMENTS, RECIPES
from tiny import NET

SMALL_AUDIO = {"z_dim": 8, "backbone": "resnet18", "backbone_options": NET}
SMALL_JUDGE = {"side": 32, "backbone": "resnet18", "backbone_options": NET}
SMALL_GENERATOR = {"channels": 1, "attention": [], "z_dim": 12, "feature_dim": 4, "z_image_dim": 8}
SMALL_DISCRIMINATOR = {"channels": 1, "attention": [], "z_image_dim": 8}
SMALL_S2I = {"embedding_dim": 8, "stem": 4, "blocks": [[4, 4, 4]] * 4}
SMALL_LOCALIZER = {
    "dim": 8,
    "image": {"side_px": 32, "backbone": "resnet18", "backbone_options": NET | {"output_stride": 8}},
    "audio": {"window_s": 0.5, "backbone": "resnet18", "backbone_options": NET},
}
QUICK = {"align/videos", "judge/pairs"}
PROCESSES = {
    "encoder/imagenet_200ep_bs4096",
    "encoder/imagenet_400ep_bs256",
    "gan/imagenet128_icgan",
    "gan/coco128_icgan",
}


MEETING = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder from which recipes are started."""
    return fabricated.build(tmp_path_factory.mktemp("fabricated"))


@pytest.fixture(scope="session")
def inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the network that recipes of photographs are measured by."""
    return write_inception(tmp_path_factory.mktemp("inception") / "weights.pth")


@pytest.fixture(autouse=True)
def _no_group_is_left() -> Iterator[None]:
    """A recipe for many processes opens a group, even of one, and tells the environment where it meets."""
    yield
    if dist.is_initialized():
        dist.destroy_process_group()
    for name in MEETING:
        os.environ.pop(name, None)


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def small_manifold(path: Path) -> dict[str, Any]:
    """Networks whose maps are a quarter of the recipe's pictures."""
    if path.stem.endswith("autoencoder"):
        grid = 16 if path.stem.startswith("toy") else 64
        return {"autoencoder": {"init_args": fabricated.SMALL_AUTOENCODER | {"grid": grid}}}
    sizes = {"grid": 16 if path.stem == "toy" else 64, "code_dim": fabricated.SMALL_AUTOENCODER["code_dim"]}
    sizes |= {"side": 32, "mels": 32}
    return {"audio_network": {"init_args": sizes | {"backbone": "resnet18", "backbone_options": NET}}}


def sizes(path: Path, folder: Path, inception: Path) -> Path:
    """What is made small for a test: networks, batches and lengths, and nothing else."""
    recipe = yaml.safe_load(path.read_text())
    network: dict[str, Any] = {
        "align": {"audio_encoder": {"init_args": SMALL_AUDIO}},
        "encoder": {
            "image_encoder": {"init_args": {"backbone": "resnet18", "backbone_options": NET}},
            "head": {
                "class_path": "sound2scene.models.heads.PrototypeHead",
                "init_args": {"hidden_dim": 8, "out_dim": 4, "prototypes": 6},
            },
        },
        "gan": {
            "generator": {"init_args": SMALL_GENERATOR},
            "discriminator": {"init_args": SMALL_DISCRIMINATOR},
        },
        "judge": {"judge": {"init_args": SMALL_JUDGE}},
        "localizer": {"localizer": {"init_args": SMALL_LOCALIZER}},
        "reader": {"reader": {"init_args": SMALL_JUDGE}},
        "manifold": small_manifold(path),
        "s2i": {
            "generator": {"init_args": SMALL_S2I},
            "discriminator": {
                "init_args": {"resolution": 24, "embedding_dim": 8, "widths": [4, 4, 4]},
            },
        },
    }[path.parent.name]
    if path.parent.name == "s2i" and path.stem.endswith("_audio"):
        network = {"autoencoder": {"init_args": {"embedding_dim": 8, "widths": [4] * 12}}}
    data: dict[str, Any] = {"batch_size": 2, "workers": 0}
    if path.parent.name == "s2i":
        data["read"] = {"init_args": {"preset": "pixels24"}}
    if "ToyDataModule" in recipe["data"]["class_path"]:
        data["train_clips"] = fabricated.CLIPS
    if path.parent.name == "gan":
        data["read"] = {"init_args": {"neighbours": 3}}
    if path.parent.name == "localizer":
        data |= {"side_px": 32, "window_s": 0.5, "measured": 2}
    if path.parent.name == "judge":
        classes = 8 if path.stem == "toy" else len(fabricated.CLASSES)
        network["judge"]["init_args"] = SMALL_JUDGE | {"classes": classes}
    if name_of(path) == "localizer/vggsound":
        network["localizer"]["init_args"] = SMALL_LOCALIZER | {"classes": len(fabricated.CLASSES)}
    if "whitening" in path.read_text():
        network["image_encoder"]["init_args"] = network["image_encoder"]["init_args"] | {"whitening": 4}
    if name_of(path) == "encoder/imagenet_400ep_bs256":
        network["queue"] = {"init_args": {"length": 8, "dim": 4}}
    trainer: dict[str, Any] = {
        "max_epochs": 1,
        "limit_train_batches": 1,
        "limit_val_batches": 2,
        "check_val_every_n_epoch": 1,
    }
    trainer |= {"accelerator": "cpu", "enable_progress_bar": False}
    if "InceptionExtractor" in path.read_text():  # whose weights would be downloaded
        trainer["callbacks"] = recipe["trainer"]["callbacks"]
        trainer["callbacks"][0]["init_args"]["network"]["init_args"] = {"weights": str(inception)}
    content = {"trainer": trainer, "model": {"init_args": network}, "data": {"init_args": data}}
    file = folder / f"{path.parent.name}-{path.stem}.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def arguments(path: Path, folder: Path, inception: Path, devices: int) -> list[str]:
    hardware = [
        "--trainer.devices",
        str(devices),
        "--trainer.num_nodes",
        "1",
        "--trainer.sync_batchnorm",
        "false",
    ]
    files = [
        "-c",
        str(EXPERIMENTS / "trainer.yaml"),
        "-c",
        str(path),
        "-c",
        str(sizes(path, folder, inception)),
    ]
    return ["fit", *files, *hardware, "--run.folder", str(folder / "runs")]


def took_a_step(path: Path, folder: Path) -> None:
    (run,) = (folder / "runs" / path.parent.name / path.stem).glob("version_*")
    assert (run / "checkpoints" / "best.ckpt").exists()
    assert (run / "table.md").read_text().strip()
    assert (run / "recipe.yaml").exists()


@pytest.mark.costly
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=name_of(path), marks=[] if name_of(path) in QUICK else pytest.mark.slow)
        for path in RECIPES
    ],
)
def test_the_recipe_starts_and_takes_a_step(
    path: Path, work: Path, inception: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "argv", ["sound2scene", *arguments(path, tmp_path, inception, 1)])
    assert cli.main() == 0
    took_a_step(path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in RECIPES if name_of(path) in PROCESSES], ids=name_of)
def test_the_recipe_of_many_processes_takes_a_step_on_two(
    path: Path, work: Path, inception: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "sound2scene.cli", *arguments(path, tmp_path, inception, 2)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    took_a_step(path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_an_ablation_starts_and_takes_a_step(
    path: Path, work: Path, inception: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = arguments(ABLATED, tmp_path, inception, 1)
    frame = yaml.safe_load(path.read_text()).get("data", {}).get("init_args", {}).get("frame", "localizer")
    shards = work / "data" / "toy" / f"shards-{frame}"
    fabricated.relabelled(shards, frame)
    batch = ["--data.init_args.batch_size", "2"]
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "argv", ["sound2scene", *command, "-c", str(path), *batch])
    assert cli.main() == 0
    took_a_step(path, tmp_path)


def test_every_recipe_that_asks_for_ddp_is_tried_on_two_processes() -> None:
    asking = {name_of(path) for path in RECIPES if "strategy: ddp" in path.read_text()}
    assert asking == PROCESSES
