"""A GAN's training that begins where another one, a published one for instance, has ended."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sound2scene import artifacts
from sound2scene.models.ema import AveragedGenerator
from sound2scene.types import InputError


def start_networks(
    folder: str, generator: nn.Module, discriminator: nn.Module, average: AveragedGenerator
) -> None:
    """Take the weights of a generator artifact, and of the networks that lie beside it, if any.

    Args:
        folder: The artifact, which becomes the average; `sound2scene.artifacts.training_folder` lies beside
            it.
        generator: Gets the live generator's weights, or else the artifact's.
        discriminator: Keeps its random start where there is none.
        average: Goes on averaging from the artifact.

    Raises:
        InputError: If an artifact is missing or of other widths than the recipe's networks.
    """
    beside = artifacts.training_folder(folder)
    live = beside / "generator"
    _take(average.module, Path(folder), "generator")
    average.n_averaged.fill_(1)  # at 0 the first step would copy the live generator over it
    _take(generator, live if live.exists() else Path(folder), "generator")
    if (beside / "discriminator").exists():
        _take(discriminator, beside / "discriminator", "discriminator")


def start_optimizers(
    folder: str, networks: dict[str, nn.Module], optimizers: dict[str, torch.optim.Optimizer]
) -> None:
    """Take Adam's moments where they are there; a parameter without an entry starts without.

    Raises:
        InputError: If the file is damaged or of other widths.
    """
    path = artifacts.training_folder(folder) / artifacts.OPTIMIZERS
    if not path.exists():
        return
    try:
        moments = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged ({error}); import the folder again, or remove the file") from None
    for role, network in networks.items():
        for name, parameter in network.named_parameters():
            own = {
                moment: moments.get(f"{role}.{name}.{moment}") for moment in ("exp_avg", "exp_avg_sq", "step")
            }
            if state := {moment: value for moment, value in own.items() if value is not None}:
                optimizers[role].state[parameter] = _fitted(state, parameter, f"{path}: {role}.{name}")


def _fitted(state: dict[str, Tensor], parameter: nn.Parameter, where: str) -> dict[str, Tensor]:
    """An optimizer's entry where its parameter lies; the step is counted on the CPU."""
    if any(value.shape != parameter.shape for moment, value in state.items() if moment != "step"):
        raise InputError(f"{where} has another shape than the recipe's; mend the recipe")
    return {moment: value if moment == "step" else value.to(parameter) for moment, value in state.items()}


def _take(network: nn.Module, folder: Path, kind: str) -> None:
    given = artifacts.load(folder, kind=kind, fold=False)
    if getattr(given, "arguments", None) != getattr(network, "arguments", None):
        raise InputError(
            f"{folder}: built with {getattr(given, 'arguments', None)}, not as the recipe's {kind}; mend the "
            "recipe"
        )
    network.load_state_dict(given.state_dict())
