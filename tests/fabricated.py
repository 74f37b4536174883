"""Data and artifacts of the layouts that recipes name: a few small files where the real ones would lie."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from drawn_clips import write_pairs, write_picture, write_sound
from sound2scene import artifacts, cli
from sound2scene.data.selection.file import Selection
from sound2scene.data.video.find import find_videos
from sound2scene.models.biggan import Generator
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.models.judge import Judge
from sound2scene.models.manifold_autoencoder import ManifoldAutoencoder
from sound2scene.models.reader import Reader
from sound2scene.moments import Choice
from tiny import NET
from tiny_s2i import audio_artifact

CLIPS = 8  # of each split
SMALL_AUTOENCODER = {"codes": 4, "code_dim": 4, "width": 4, "residual_width": 2}
CLASSES = ("dog", "drum")


def run(*arguments: str) -> None:
    """A command that has to end well."""
    assert cli.main(list(arguments)) == 0, arguments


def build(root: Path) -> Path:
    """Everything below `root/work`, where recipes are started, and `root/shared`, which some of them read."""
    work = root / "work"
    work.mkdir()
    toy(work)
    videos(work)
    vggsound(work)
    vegas(work)
    folders_of_pictures(work)
    pairs(root / "shared" / "data")
    networks(work)
    return work


def toy(work: Path) -> None:
    """The toy world with its true moments, and with those that a scorer chose."""
    clips = ["--train", str(CLIPS), "--val", str(CLIPS), "--test", str(CLIPS), "--mixed", "0"]
    folder = work / "data" / "toy"
    run("prepare", "toy", "-o", str(folder / "shards-true"), "--videos", str(folder / "videos"), *clips)
    relabelled(folder / "shards-localizer", "localizer")
    for part in ("videos", "shards-true"):
        shutil.copytree(folder / part, work / "data" / "toy-large" / part)


def relabelled(shards: Path, frame: str) -> None:
    """Toy shards of true moments under the name of another rule, beside them."""
    if not shards.exists():
        shutil.copytree(shards.parent / "shards-true", shards)
        card = json.loads((shards / "dataset.json").read_text())
        card["notes"]["frame"] = frame
        (shards / "dataset.json").write_text(json.dumps(card))


def videos(work: Path) -> None:
    """A folder of videos, one folder a class, with chosen moments; VGGSound's with its table and boxes."""
    found = sorted((work / "data" / "toy" / "videos").glob("*/*.mp4"))
    for number, path in enumerate(found[: 2 * CLIPS]):
        _copied(path, work / "videos" / CLASSES[number % 2] / path.name)
    chosen = {key: Choice((5.0,), (), 10.0) for key in find_videos(work / "videos")}
    Selection({"name": "middle", "fingerprint": None, "settings": {}}, chosen, {}).save(
        work / "selection.json"
    )
    rows, boxes = [], []
    for number, path in enumerate(found[: 3 * CLIPS]):
        split = "test" if number < CLIPS else "train"
        name = f"abcdefghi{number:02d}"
        _copied(path, work / "data" / "vggsound" / "videos" / f"{name}_000010.mp4")
        rows.append((name, "10", CLASSES[number % 2], split))
        if split == "test":
            boxes.append(
                {"file": f"{name}_000010", "class": CLASSES[number % 2], "bbox": [[0.2, 0.2, 0.8, 0.8]]}
            )
    with (work / "data" / "vggsound" / "vggsound.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (work / "data" / "vggsound" / "lvs_vggss.json").write_text(json.dumps(boxes))


def vggsound(work: Path) -> None:
    """Shards of VGGSound, of all classes and of the chosen ones."""
    folder = work / "data" / "vggsound"
    given = ["--csv", str(folder / "vggsound.csv"), "--videos", str(folder / "videos"), "--val-share", "0.4"]
    run("prepare", "vggsound", *given, "-o", str(folder / "shards"))
    (work / "classes.txt").write_text("\n".join(CLASSES))
    chosen = ["--classes", str(work / "classes.txt")]
    run("prepare", "vggsound", *given, *chosen, "-o", str(work / "data" / "vggsound50" / "shards"))


def vegas(work: Path) -> None:
    """Shards of VEGAS's five classes."""
    folder = work / "data" / "vegas"
    found = sorted((work / "data" / "toy" / "videos").glob("*/*.mp4"))
    for number, path in enumerate(found[: 2 * CLIPS]):
        _copied(path, folder / "videos" / ("dog", "fireworks")[number % 2] / path.name)
    given = ["--five", "--videos", str(folder / "videos"), "--val-share", "0.4"]
    run("prepare", "vegas", *given, "-o", str(folder / "shards"))


def folders_of_pictures(work: Path) -> None:
    """ImageNet and COCO as folders of pictures, with class folders and without."""
    for split in ("train", "val"):
        for number in range(CLIPS):
            name = f"{split}_{number:08d}.JPEG"
            write_picture(work / "data" / "imagenet" / split / f"n0144076{number % 2}" / name, number, "JPEG")
            write_picture(work / "data" / "coco" / split / f"{number:012d}.jpg", number)


def pairs(data: Path) -> None:
    """A manifest of class-matched files, and the folder of published pairs."""
    rows = []
    for label in CLASSES:
        for number in range(CLIPS):
            split = "test" if number < 2 else "train"
            sound = write_sound(data / "pairs" / "audio" / f"{label}-{number}.wav", number)
            picture = write_picture(data / "pairs" / "images" / f"{label}-{number}.jpg", number)
            for path, modality in ((sound, "audio"), (picture, "image")):
                rows.append((path.relative_to(data / "pairs").as_posix(), modality, label, split))
    with (data / "pairs" / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "modality", "class", "split"), *rows])
    write_pairs(data / "vggsound_samples" / "training", [f"clip-{number}" for number in range(CLIPS)])


def networks(work: Path) -> None:
    """Small artifacts with random weights, where recipes look for large ones."""
    torch.manual_seed(0)

    def encoder(folder: str, preset: str) -> str:
        path = _saved(ImageEncoder("resnet18", NET), work / folder, kind="image-encoder", preset=preset)
        return artifacts.read_card(path).fingerprint

    encoder("artifacts/swav", "squeeze")
    encoder("artifacts/swav-icgan128", "icgan128")
    encoder("artifacts/pairs/image-encoder", "small64")
    encoder("artifacts/videos/image-encoder", "small64")
    encoder("artifacts/lite0", "centre_crop_signed")
    notes = {"image_encoder": encoder("experiments/artifacts/toy/image-encoder", "small64")}
    generator = Generator(resolution=64, channels=1, attention=[], z_dim=10, feature_dim=4, z_image_dim=8)
    _saved(
        generator,
        work / "experiments/artifacts/toy/generator",
        kind="generator",
        preset="small64",
        notes=notes,
    )
    for folder, classes in (("experiments/artifacts/toy/judge", 8), ("artifacts/pairs/judge", len(CLASSES))):
        judge = Judge(classes=classes, side=64, backbone="resnet18", backbone_options=NET)
        named = {"classes": [f"class {number}" for number in range(classes)]}
        _saved(judge, work / folder, kind="judge", preset="pixels64", notes=named)

    reader = Reader(classes=8, backgrounds=5, side=32, backbone="resnet18", backbone_options=NET)
    _saved(reader, work / "experiments/artifacts/toy/reader", kind="reader", preset="pixels64")
    for name, side in (("toy", 64), ("vegas", 256), ("vggsound", 256)):
        autoencoder = ManifoldAutoencoder(side=side, grid=side // 4, **SMALL_AUTOENCODER)
        folder = work / "artifacts" / name / "manifold-autoencoder"
        _saved(autoencoder, folder, kind="manifold-autoencoder", preset=f"pixels{side}")
    for name in ("toy", "vegas", "vggsound"):
        audio_artifact(work / "artifacts" / name / "s2i-audio")


def _saved(network: nn.Module, folder: Path, **card: object) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return artifacts.save(network, folder, card=card)


def _copied(path: Path, target: Path, copy: Callable[[Path, Path], object] = shutil.copyfile) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    copy(path, target)
