"""How alike two pictures are: by their pixels, and to an image encoder.

LPIPS is not among the measures: its network has to be downloaded, and this package measures offline.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from sound2scene import images
from sound2scene.control.search import psnr_db

_MOST_DB = 100.0  # of pictures in which nothing differs, whose ratio no JSON could hold


class Likeness(NamedTuple):
    """Measures of one pair of pictures.

    Attributes:
        psnr_db: Peak signal-to-noise ratio of 8-bit pixels in dB, 100 at most.
        ssim: Structural similarity, 1 where nothing differs (Wang et al. 2004; Gaussian window of 11 pixels).
        feature_cosine: Cosine of the image encoder's features.
    """

    psnr_db: float
    ssim: float
    feature_cosine: float

    def words(self) -> str:
        """The measures in the few letters that stand over a picture."""
        return f"{self.psnr_db:.1f} dB, SSIM {self.ssim:.2f}, cos {self.feature_cosine:.2f}"


def likeness(pixels_BCHW: Tensor, other_BCHW: Tensor, z_BD: Tensor, z_other_BD: Tensor) -> list[Likeness]:
    """Measures of pairs of pictures.

    Args:
        pixels_BCHW: Pictures, uint8.
        other_BCHW: Those that they are compared with, uint8, of the same size.
        z_BD: What the image encoder sees in the first.
        z_other_BD: What it sees in the others.
    """
    ssim_B = structural_similarity_index_measure(
        pixels_BCHW.float(), other_BCHW.float(), data_range=255.0, reduction="none"
    )
    assert isinstance(ssim_B, Tensor)
    cosine_B = cosine_similarity(z_BD, z_other_BD, dim=1)
    psnr_B = psnr_db(images.to_model(pixels_BCHW), images.to_model(other_BCHW)).clamp(max=_MOST_DB)
    columns = (psnr_B, ssim_B.reshape(-1), cosine_B)
    return [Likeness(*row) for row in torch.stack(columns, 1).tolist()]
