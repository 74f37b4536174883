"""Random weights in the layout of the Inception of FID, in place of the published ones."""

import hashlib
from pathlib import Path

import pytest
import torch

from sound2scene.models import extractors


def write_inception(path: Path) -> Path:
    """Write them; the test is skipped where torch-fidelity is not installed."""
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.manual_seed(0)
    # The class reads its weights in its constructor: the layout is what it holds before.
    states: list[dict[str, torch.Tensor]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *a, **k: {})
        patch.setattr(
            torch.nn.Module,
            "load_state_dict",
            lambda self, state, *a, **k: states.append(dict(self.state_dict())),
        )
        fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], "none")
    torch.save(states[-1], path)
    return path


def put_into_cache(weights: Path, cache: Path, patch: pytest.MonkeyPatch) -> None:
    """Let a file stand for the published one, as if it had been downloaded into a cache."""
    address = extractors.INCEPTION_ADDRESS
    folder = cache / hashlib.sha256(address.encode()).hexdigest()[:16]
    folder.mkdir(parents=True)
    (folder / address.rpartition("/")[2]).write_bytes(weights.read_bytes())
    patch.setattr(extractors, "INCEPTION_SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    patch.setenv("SOUND2SCENE_CACHE", str(cache))
