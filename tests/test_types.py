import subprocess
import sys

import pytest
from torch.utils.data import DataLoader, Dataset

from sound2scene.types import InputError

HEAVY = {
    "pytorch_lightning",
    "torchmetrics",
    "torchvision",
    "torchaudio",
    "timm",
    "librosa",
    "wandb",
    "matplotlib",
}


def test_importing_a_part_does_not_import_the_world() -> None:
    parts = {
        f"sound2scene.{part}"
        for part in ("types", "images", "distributed", "losses.infonce", "losses.regression")
    }
    code = f"import sys, {', '.join(parts)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded >= parts
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("sound2scene.")} == parts | {"sound2scene.losses"}


class Unreadable(Dataset[int]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, position: int) -> int:
        raise InputError(f"{position}.jpg: not a picture; remove it")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_input_error_stays_one_line_through_a_loaders_worker(workers: int) -> None:
    with pytest.raises(InputError) as caught:
        next(iter(DataLoader(Unreadable(), num_workers=workers)))
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == "0.jpg: not a picture; remove it"
