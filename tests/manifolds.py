"""The two networks of the baseline by Pedersoli et al., so small that a test can train them in a moment."""

from pathlib import Path
from typing import Any

import torch

from sound2scene import artifacts
from sound2scene.models.manifold_audio import ManifoldAudio
from sound2scene.models.manifold_autoencoder import ManifoldAutoencoder
from tiny import NET

AUTOENCODER: dict[str, Any] = {
    "side": 32,
    "grid": 8,
    "codes": 8,
    "code_dim": 4,
    "width": 8,
    "residual_width": 4,
}
AUDIO: dict[str, Any] = {
    "grid": 8,
    "code_dim": 4,
    "side": 32,
    "mels": 32,
    "window_s": 1.0,
    "backbone_options": NET,
}


def tiny_autoencoder(**change: Any) -> ManifoldAutoencoder:
    """An autoencoder of pictures of 32 px with random weights, and codes from the midst of its maps."""
    torch.manual_seed(0)
    network = ManifoldAutoencoder(**(AUTOENCODER | change))
    network.eval()
    with torch.no_grad():
        pixels_BCHW = torch.randint(256, (2, 3, network.side, network.side), dtype=torch.uint8)
        place_ND = network.encode(pixels_BCHW).permute(0, 2, 3, 1).flatten(0, 2)
        codes = len(network.codebook_KD)
        network.codebook_KD.copy_(place_ND[:: len(place_ND) // codes][:codes])
    return network.train()


def tiny_audio(**change: Any) -> ManifoldAudio:
    """An audio network for it with random weights."""
    torch.manual_seed(1)
    return ManifoldAudio(**(AUDIO | change))


def save_autoencoder(folder: Path, **change: Any) -> Path:
    """The former as an artifact."""
    card = {"kind": "manifold-autoencoder", "preset": "pixels32"}
    return artifacts.save(tiny_autoencoder(**change), folder, card=card)


def save_audio(folder: Path, autoencoder: Path, **change: Any) -> Path:
    """The latter as an artifact, trained for that autoencoder as its card says."""
    notes = {"autoencoder": artifacts.read_card(autoencoder).fingerprint}
    card = {"kind": "manifold-audio", "preset": "pixels32", "notes": notes}
    return artifacts.save(tiny_audio(**change), folder, card=card)
