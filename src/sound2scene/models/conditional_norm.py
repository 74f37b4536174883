"""BigGAN's batch normalisation: conditional inside its blocks, with a plain gain and bias before the output.

The running averages are called `stored_mean` and `stored_var`, as in the published state dicts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from sound2scene.distributed import gather, world
from sound2scene.models.spectral_norm import SNLinear

EPS = 1e-5
MOMENTUM = 0.1


class _BatchNorm(nn.Module):
    """Normalises by statistics of the batch in training, by their running averages in evaluation.

    Attributes:
        synchronised: Take the statistics over the batches of all ranks, with gradients; the published code
            takes each rank's own. Every rank then normalises as one process with the whole batch would. All
            ranks must hold batches of the same size.
    """

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("stored_mean", torch.zeros(channels))
        self.register_buffer("stored_var", torch.ones(channels))
        self.synchronised = False

    def _normalise(self, image_BCHW: Tensor, gain_BC: Tensor, bias_BC: Tensor) -> Tensor:
        gain_BC11, bias_BC11 = gain_BC[:, :, None, None], bias_BC[:, :, None, None]
        if self.training and not (self.synchronised and world()[1] > 1):
            unit_BCHW = batch_norm(
                image_BCHW, self.stored_mean, self.stored_var, None, None, True, MOMENTUM, EPS
            )
            return torch.addcmul(bias_BC11, unit_BCHW, gain_BC11).to(image_BCHW.dtype)
        mean_C, var_C = (
            self._of_all_ranks(image_BCHW) if self.training else (self.stored_mean, self.stored_var)
        )
        # One pass over the image takes the place of two.
        scale_BC11 = gain_BC11 * (var_C + EPS).rsqrt()[:, None, None]
        shift_BC11 = bias_BC11 - mean_C[:, None, None] * scale_BC11
        return torch.addcmul(shift_BC11, image_BCHW, scale_BC11).to(image_BCHW.dtype)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _of_all_ranks(self, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance over all ranks; updates the running averages, with the unbiased variance."""
        precise_BCHW = image_BCHW.to(self.stored_mean.dtype)
        var_C, mean_C = torch.var_mean(precise_BCHW, dim=(0, 2, 3), correction=0)
        # The mean square is the variance plus the squared mean; kept apart, nothing large cancels.
        mean_RC, var_RC = gather(torch.cat([mean_C, var_C])[None]).chunk(2, dim=1)
        mean_C, var_C = mean_RC.mean(0), var_RC.mean(0) + mean_RC.var(0, correction=0)
        with torch.no_grad():
            count = world()[1] * image_BCHW.numel() // image_BCHW.shape[1]
            self.stored_mean.lerp_(mean_C, MOMENTUM)
            self.stored_var.lerp_(var_C * (count / (count - 1)), MOMENTUM)
        return mean_C, var_C


class ConditionalBatchNorm(_BatchNorm):
    """Batch normalisation with gain ``1 + linear1(condition)`` and bias ``linear2(condition)``.

    Args:
        channels: Channels C of the image.
        condition_dim: Width of the condition.
    """

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__(channels)
        self.gain = SNLinear(condition_dim, channels, bias=False)
        self.bias = SNLinear(condition_dim, channels, bias=False)

    def forward(self, image_BCHW: Tensor, condition_BD: Tensor) -> Tensor:
        """(B, C, H, W), each channel of each image with its own gain and bias."""
        # In bf16, adding one to a small gain would lose most of its digits.
        gain_BC, bias_BC = (
            layer(condition_BD).to(self.stored_mean.dtype) for layer in (self.gain, self.bias)
        )
        return self._normalise(image_BCHW, 1 + gain_BC, bias_BC)


class OutputBatchNorm(_BatchNorm):
    """Batch normalisation with one gain and bias per channel.

    Args:
        channels: Channels C of the image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """(B, C, H, W)."""
        return self._normalise(image_BCHW, self.gain[None], self.bias[None])


def synchronise_norms(module: nn.Module, synchronised: bool = True) -> None:
    """Let a module's batch normalisations take statistics over all ranks, or each rank over its own batch."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.synchronised = synchronised
