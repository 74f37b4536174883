"""The published Sound2Scene code, imported from a checkout of it; nothing of it lies in this repository.

What `published.py` times is theirs: networks, loss, reader, the functions of a GAN's step and of generating.
Only what their scripts hide in loops over command-line arguments, or fix to a GPU, is driven from here.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock, patch

import torch
from torch import Tensor, nn

# What they import and none of the timed work calls, and a module that torchvision no longer has.
UNUSED = ("h5py", "tensorboard", "torch.utils.tensorboard", "torchvision.models.utils")
WIDTHS = {"shared_dim": 128, "shared_dim_feat": 512, "dim_z": 120}
KIND = {"instance_cond": True, "class_cond": False, "SN_eps": 1e-6, "adam_eps": 1e-6}


class PublishedCode:
    """Networks and functions of a checkout of github.com/postech-ami/Sound2Scene (commit 2cc5fff was tried).

    Args:
        checkout: Folder of the checkout.
        device: Where networks are put.
    """

    def __init__(self, checkout: Path, device: torch.device) -> None:
        self.checkout, self.device = checkout.resolve(), device
        if not (checkout / "a2s_dataloader.py").is_file():
            raise SystemExit(
                f"{checkout}: no checkout of Sound2Scene; clone github.com/postech-ami/Sound2Scene"
            )

    def module(self, name: str) -> ModuleType:
        """A module of theirs; their scripts expect their folders on the path."""
        folders = [str(self.checkout), str(self.checkout / "BigGAN_PyTorch")]
        before = list(sys.path)
        sys.path[:0] = folders
        missing = [one for one in UNUSED if not _is_there(one)]
        sys.modules.update({one: MagicMock() for one in missing})
        try:
            if name == "test":  # Python has a package of this name, too
                spec = importlib.util.spec_from_file_location("published_test", self.checkout / "test.py")
                assert spec is not None
                assert spec.loader is not None
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
            return importlib.import_module(name)
        finally:
            sys.path[:] = before
            for one in missing:
                del sys.modules[one]

    def audio_network(self) -> nn.Module:
        """Their audio network: (B, 1, 257, 1004) to a pair whose second is z_audio."""
        settings = Namespace(model_depth=18, n_classes=2048, pool="avgpool")
        network: nn.Module = self.module("model").AVENet(settings)
        return network.to(self.device)

    def image_network(self) -> nn.Module:
        """Their image network: (B, 3, 224, 224) to a pair whose first is z_image; in evaluation mode."""
        network: nn.Module = self.module("data_utils.resnet").resnet50(classifier_run=False)
        return network.to(self.device).eval()

    def generator(self, resolution: int, channels: int, attention: int) -> nn.Module:
        """Their generator with the settings of IC-GAN, weights random but not orthogonal."""
        networks = self.module("BigGAN_PyTorch.BigGAN")
        size = {"resolution": resolution, "G_ch": channels, "G_attn": str(attention), "G_lr": 4e-5}
        with contextlib.redirect_stdout(io.StringIO()):
            network: nn.Module = networks.Generator(**size, **WIDTHS, **KIND, hier=True, skip_init=True)
        return network.to(self.device)

    def discriminator(self, resolution: int, channels: int, attention: int) -> nn.Module:
        """Their discriminator, likewise."""
        networks = self.module("BigGAN_PyTorch.BigGAN")
        size = {"resolution": resolution, "D_ch": channels, "D_attn": str(attention), "D_lr": 1e-4}
        with contextlib.redirect_stdout(io.StringIO()):
            network: nn.Module = networks.Discriminator(**size, **KIND, skip_init=True)
        return network.to(self.device)

    def align_step(
        self, audio: nn.Module, image: nn.Module, batch: tuple[Tensor, Tensor], detached: bool
    ) -> Callable[[], Tensor]:
        """One step of their training on a batch that waits on the device; it returns its loss.

        Args:
            audio: Their audio network.
            image: Their image network.
            batch: Spectrograms (B, 257, 1004) in float64, as their loader gives them, and pictures.
            detached: Run the image network without gradients, as they do not.
        """
        loss = self.module("loss").InfoNCE_with_L2(self.device)
        optimizer = torch.optim.Adam(audio.parameters(), lr=1e-3, weight_decay=1e-5)
        spectrogram_BFT, image_BCHW = batch

        def step() -> Tensor:
            with torch.set_grad_enabled(not detached):
                z_image_BD, _ = image(image_BCHW)
            _, z_audio_BD = audio(spectrogram_BFT.unsqueeze(1).float())
            value: Tensor = loss.loss_fn(z_audio_BD, z_image_BD)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value.detach()

        return step

    def gan_step(
        self, generator: Any, discriminator: nn.Module, image_BCHW: Tensor, z_image_BD: Tensor
    ) -> Callable[[], object]:
        """One step of their discriminator and one of their generator, without an average of the weights."""
        both = self.module("BigGAN_PyTorch.BigGAN").G_D(generator, discriminator)
        settings: dict[str, Any] = dict.fromkeys(
            ("num_D_steps", "num_D_accumulations", "num_G_accumulations"), 1
        )
        settings |= dict.fromkeys(("split_D", "DA", "ema", "D_ortho", "G_ortho"), 0)
        settings |= {"toggle_grads": True, "DiffAugment": ""}
        batch = len(image_BCHW)

        def conditions() -> tuple[Tensor, Tensor]:
            return torch.randn(batch, generator.dim_z), z_image_BD

        train = self.module("train_fns").GAN_training_function(
            generator,
            discriminator,
            both,
            None,
            {"itr": 0},
            settings,
            conditions,
            device=self.device,
            batch_size=batch,
        )
        return lambda: train(image_BCHW, None, z_image_BD)

    def clips(self, folder: Path) -> Any:
        """Their dataset over a folder of pictures and WAV files."""
        return self.module("a2s_dataloader").GetVGGSound(str(folder))

    def generate(
        self, sounds: Path, pictures: Path, audio: nn.Module, generator: nn.Module
    ) -> Callable[[], object]:
        """Eight pictures of each WAV file of a folder, by the function behind their `test.py`."""
        module = self.module("test")
        settings = Namespace(wav_path=str(sounds), out_path=str(pictures), z_var=1.0)

        def run() -> None:
            with self._cuda_means_device():
                module.generate_images(settings, audio.eval(), generator.eval(), None, self.device)

        return run

    @contextlib.contextmanager
    def _cuda_means_device(self) -> Iterator[None]:
        """They put noise on a GPU whether there is one or not."""
        with patch.object(Tensor, "cuda", lambda tensor: tensor.to(self.device)):
            yield


def _is_there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
