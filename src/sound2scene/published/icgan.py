"""Turn a published IC-GAN folder into artifacts: the averaged generator, and what training goes on from.

Nothing in the folder is run: its files are read with `weights_only=True`. `state_dict_*.pth`, which holds
pickled ReLU modules, is read with the classes of those alone allowed, and only to learn which of two copies
is the better one; every width follows from the shapes of the tensors.
"""

from __future__ import annotations

import math
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sound2scene import artifacts
from sound2scene.models import biggan
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.published.checkpoint import Published, obtained
from sound2scene.types import InputError
from sound2scene.weights import fill, read, state_of

# Address: IC-GAN `README.md`. Licence: its `LICENSE`.
ICGAN = Published(
    "https://dl.fbaipublicfiles.com/ic_gan/icgan_biggan_imagenet_res128.tar.gz",
    "icgan_biggan_imagenet_res128.tar.gz",
    "IC-GAN weights: facebookresearch/ic_gan is under Creative Commons Attribution-NonCommercial 4.0 (CC "
    "BY-NC 4.0): no commercial use, name the authors (Casanova et al., arXiv:2109.05070). Trained on "
    "ImageNet, whose own terms apply.",
    "https://github.com/facebookresearch/ic_gan",
)

_ATTENTION = re.compile(r"blocks\.([0-9])\.1\.gamma")  # no published network has ten blocks
_MOMENTS = ("exp_avg", "exp_avg_sq")
_BUFFERS = ("u0", "sv0", "stored_mean", "stored_var")

_Network = TypeVar("_Network", Generator, Discriminator)


def import_icgan(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    image_encoder: str | None = None,
    published: Published | None = None,
) -> Path:
    """Write a published IC-GAN as artifacts.

    Args:
        source: Folder with `G_ema_best*.pth` (and `state_dict_best*.pth`, if there are two of them); a
            .tar.gz of it or its address; or "published" for the authors' 128 px model.
        folder: Artifact of the averaged generator. Where the folder holds them, the live generator, the
            discriminator and the optimizers' moments go into `<folder>-training/`, from which `phases.start`
            goes on training.
        image_encoder: Artifact of the SwAV encoder whose features the generator draws; the card then names
            it, and another pair is refused. The files themselves do not say.
        published: What "published" stands for; by default the one of this module.

    Returns:
        The folder.

    Raises:
        InputError: If the files are missing, damaged, would run code, or are of another layout
            (class-conditional).
    """
    published = published or ICGAN
    with _opened(source, published) as (root, origin):  # everything is read before anything is written
        suffix = _better_copy(root)
        path = root / f"G_ema{suffix}.pth"
        averaged = _generator(path)
        networks, moments = _training(root, suffix, averaged.resolution)
    notes = {"copy": suffix.strip("_") or "last"}
    notes |= {"image_encoder": artifacts.read_card(image_encoder).fingerprint} if image_encoder else {}
    card = {"licence": published.licence, "source": origin | {"file": path.name}, "notes": notes}
    card["preset"] = f"icgan{averaged.resolution}"
    beside = artifacts.training_folder(folder)
    for role, network in networks.items():
        artifacts.save(network, beside / role, card=card | {"kind": role})
    if moments:
        save_file(moments, beside / artifacts.OPTIMIZERS)
    return artifacts.save(averaged, folder, card=card | {"kind": "generator"})


@contextmanager
def _opened(source: str | os.PathLike[str], published: Published) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder that holds the files, and where it came from; an archive is unpacked for that long."""
    if Path(source).is_dir():
        yield _models_folder(Path(source)), {"address": Path(source).name}
        return
    with obtained(source, published) as (archive, origin), TemporaryDirectory(prefix="icgan-") as folder:
        try:
            with tarfile.open(archive) as tar:
                # Nothing outside of the folder, no devices, no links out of it.
                tar.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            reason = str(error).partition("\n")[0][:200]
            raise InputError(f"{archive}: not a readable archive ({reason}); get it again") from None
        yield _models_folder(Path(folder)), origin


def _models_folder(folder: Path) -> Path:
    """The one folder in it that holds the files of a model."""
    found = sorted({path.parent for path in folder.rglob("G_ema*.pth")})
    if len(found) != 1:
        raise InputError(
            f"{folder}: {len(found)} folders in it hold a G_ema_best*.pth; name the one of a published model"
        )
    return found[0]


def _better_copy(root: Path) -> str:
    """Suffix of the copy to take: a best one, of two the one with the lower FID, else any."""
    suffixes = sorted(path.stem.removeprefix("G_ema") for path in root.glob("G_ema*.pth"))
    best = [suffix for suffix in suffixes if suffix.startswith("_best")] or suffixes
    if len(best) == 1:
        return best[0]
    return min(best, key=lambda suffix: _fid(root / f"state_dict{suffix}.pth"))


def _fid(path: Path) -> float:
    if not path.is_file():
        raise InputError(
            f"{path}: missing; it tells which of two copies is the better one (remove one G_ema_best*.pth)"
        )
    try:
        with torch.serialization.safe_globals([nn.ReLU, nn.LeakyReLU, set]):
            content = read(path)
    except InputError as error:
        raise InputError(f"{error} (or remove the worse of the two G_ema_best*.pth)") from None
    fid = _number(content.get("best_FID")) if isinstance(content, Mapping) else None
    if fid is None:
        raise InputError(f"{path}: holds no best_FID; remove one of the two G_ema_best*.pth")
    return fid


def _number(stored: Any) -> float | None:
    """A finite number, plain or as a tensor of one element; None for anything else."""
    if not isinstance(stored, (int, float, Tensor)):
        return None
    try:
        number = float(stored)
    except (OverflowError, RuntimeError, ValueError):  # beyond a float; several elements; complex
        return None
    return number if math.isfinite(number) else None


def _shapes(state: dict[str, Tensor], path: Path, axes: Mapping[str, int]) -> list[torch.Size]:
    if missing := [name for name in axes if name not in state or state[name].ndim != axes[name]]:
        raise InputError(
            f"{path}: not the published layout: no tensor {missing[0]} of {axes[missing[0]]} axes; check "
            "which network it holds"
        )
    return [state[name].shape for name in axes]


def _built(network: Callable[[], _Network], path: Path) -> _Network:
    """A network without memory, from what its file tells of it."""
    try:
        with torch.device("meta"):
            return network()
    except InputError as error:
        raise InputError(f"{path}: not the published layout: {error}") from None


def _generator(path: Path) -> Generator:
    """The generator of a state dict, built from the shapes of its tensors."""
    state = state_of(path)
    state.pop("shared.weight", None)  # the unused table of labels
    axes = {"shared_feat.weight": 2, "linear.weight": 2, "output_layer.0.gain": 1}
    feature, linear, last, gain = _shapes(state, path, axes | {"blocks.0.0.bn1.gain.weight": 2})
    blocks = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    chunk, resolution = linear[1], 4 << blocks
    if gain[1] != feature[0] + chunk:
        raise InputError(
            f"{path}: conditioned on more than an instance (a class, perhaps); give an IC-GAN without"
        )
    if resolution not in (64, 128, 256):
        raise InputError(
            f"{path}: {blocks} blocks, which no published generator has; give one of 64, 128 or 256 px"
        )
    arguments: dict[str, Any] = {
        "resolution": resolution,
        "channels": last[0] // biggan.WIDTHS[resolution][-1],
        "attention": [8 << int(match[1]) for name in state if (match := _ATTENTION.fullmatch(name))],
        "z_dim": chunk * (blocks + 1),
        "feature_dim": feature[0],
        "z_image_dim": feature[1],
    }
    network = _built(lambda: Generator(**arguments), path)
    fill(network, state, path)
    return network


def _discriminator(path: Path, resolution: int) -> Discriminator:
    state = state_of(path)
    first, feature = _shapes(state, path, {"blocks.0.0.conv1.weight": 4, "linear_feat.weight": 2})
    attention = [resolution >> (int(match[1]) + 1) for name in state if (match := _ATTENTION.fullmatch(name))]
    network = _built(lambda: Discriminator(resolution, first[0], attention, feature[1]), path)
    fill(network, state, path)
    return network


def _training(root: Path, suffix: str, resolution: int) -> tuple[dict[str, nn.Module], dict[str, Tensor]]:
    """What training goes on from, as far as it is there: networks, and the optimizers' moments by name."""
    networks: dict[str, nn.Module] = {}
    moments: dict[str, Tensor] = {}
    for role, letter in (("generator", "G"), ("discriminator", "D")):
        path, optimizer = root / f"{letter}{suffix}.pth", root / f"{letter}_optim{suffix}.pth"
        if not path.is_file():
            continue
        networks[role] = _generator(path) if role == "generator" else _discriminator(path, resolution)
        if optimizer.is_file():
            moments |= {f"{role}.{name}": tensor for name, tensor in _moments(optimizer, path).items()}
    return networks, moments


def _moments(path: Path, network: Path) -> dict[str, Tensor]:
    """Adam's state by name of parameter; the file numbers them in the order of the network's state dict."""
    content = read(path)
    names = [name for name in state_of(network) if name.rpartition(".")[2] not in _BUFFERS]
    state = content.get("state") if isinstance(content, Mapping) else None
    refused = InputError(
        f"{path}: not the optimizer of {network.name}; remove it to import the networks alone"
    )
    if not isinstance(state, Mapping) or any(number not in range(len(names)) for number in state):
        raise refused
    tensors = state_of(network)
    found: dict[str, Tensor] = {}
    for number, entries in state.items():
        name = names[number]
        step = _number(entries.get("step", 0)) if isinstance(entries, Mapping) else None
        if step is None or not all(_moves(entries.get(moment), tensors[name]) for moment in _MOMENTS):
            raise refused
        found |= {f"{name}.{moment}": entries[moment].float().contiguous() for moment in _MOMENTS}
        found[f"{name}.step"] = torch.tensor(step, dtype=torch.float32)
    return {name: tensor for name, tensor in found.items() if not name.startswith("shared.weight.")}


def _moves(moment: Any, parameter: Tensor) -> bool:
    """Whether it can be a moment of that parameter."""
    dense = isinstance(moment, Tensor) and moment.layout == torch.strided and moment.is_floating_point()
    return dense and moment.shape == parameter.shape
