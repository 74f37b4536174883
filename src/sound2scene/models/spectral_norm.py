"""Layers whose weight is divided by its largest singular value, estimated by one power step per forward pass.

The estimate starts from the vector `u0`, which has this name in the state dict as in BigGAN-PyTorch
(`layers.py`) and so in the published IC-GAN checkpoints. Evaluation repeats the same step from the stored
vector at every call; :func:`fold` does it once and for all.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, normalize

EPS = 1e-6


class _SpectralNorm(nn.Module):
    """Shared by both layers: the two buffers and the weight over its singular value.

    Attributes:
        u0: Last estimate of the left singular vector, (1, out) float32; standard normal at the start.
        sv0: Singular value at the last training step, (1,) float32, only for logging.
    """

    weight: Tensor
    u0: Tensor
    sv0: Tensor

    def _register(self) -> None:
        self.register_buffer("u0", torch.randn(1, len(self.weight), device=self.weight.device))
        self.register_buffer("sv0", torch.ones(1, device=self.weight.device))

    def unit_weight(self, store: bool = False) -> Tensor:
        """The weight over its singular value, in the weight's shape and dtype.

        The gradient flows through the weight in the singular value, too; both singular vectors are constants.

        Args:
            store: Keep the estimates for the next call.
        """
        weight = self.weight
        # As u0 belongs to rows, columns may come in any order: with channels last, this order needs no copy.
        matrix_OI = (weight if weight.is_contiguous() else weight.permute(0, 2, 3, 1)).flatten(1)
        # bf16 would leave only two digits of the singular value.
        with torch.autocast(weight.device.type, enabled=False):
            with torch.no_grad():
                v_1I = normalize(self.u0 @ matrix_OI, eps=EPS)
            product_1O = linear(v_1I, matrix_OI)
            u_1O = normalize(product_1O.detach(), eps=EPS)
            sigma = (product_1O * u_1O).sum()
            if store:
                self.u0.copy_(u_1O)
                self.sv0.copy_(sigma.detach())
            unit: Tensor = weight / sigma
        return unit

    def _fill(self, plain: nn.Conv2d | nn.Linear) -> None:
        with torch.no_grad():
            plain.weight = nn.Parameter(self.unit_weight(), self.weight.requires_grad)
        bias = self._parameters["bias"]
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone(), bias.requires_grad)
        plain.train(self.training)


class SNConv2d(_SpectralNorm, nn.Conv2d):
    """`nn.Conv2d` with spectral normalisation of its matrix (out, in * height * width); starts orthogonal."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True) -> None:
        nn.Conv2d.__init__(self, in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)
        self._register()

    def reset_parameters(self) -> None:
        """Orthogonal weight, torch's own bias (BigGAN-PyTorch `BigGAN.py`, `init_weights`)."""
        super().reset_parameters()
        nn.init.orthogonal_(self.weight)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Convolve, keeping height and width."""
        weight = self.unit_weight(store=self.training)
        return conv2d(image_BCHW, weight, self.bias, padding=self.padding)

    def folded(self) -> nn.Conv2d:
        """The plain layer that gives what this one gives in evaluation."""
        size, bias = self.kernel_size[0], self.bias is not None
        plain = nn.Conv2d(
            self.in_channels, self.out_channels, size, padding=size // 2, bias=bias, device="meta"
        )
        self._fill(plain)
        return plain


class SNLinear(_SpectralNorm, nn.Linear):
    """`nn.Linear` with spectral normalisation; starts orthogonal."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        nn.Linear.__init__(self, in_features, out_features, bias=bias)
        self._register()

    def reset_parameters(self) -> None:
        """Orthogonal weight, torch's own bias (BigGAN-PyTorch `BigGAN.py`, `init_weights`)."""
        super().reset_parameters()
        nn.init.orthogonal_(self.weight)

    def forward(self, rows_BD: Tensor) -> Tensor:
        """Rows (B, in_features) to (B, out_features)."""
        return linear(rows_BD, self.unit_weight(store=self.training), self.bias)

    def folded(self) -> nn.Linear:
        """The plain layer that gives what this one gives in evaluation."""
        plain = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        self._fill(plain)
        return plain


def fold(module: nn.Module) -> nn.Module:
    """A copy with plain layers, whose weights are those that spectral normalisation gives in evaluation.

    It computes the same in evaluation, without the power steps, and has neither `u0` nor `sv0`. It is for
    inference: trained further, it would train without spectral normalisation.
    """
    if isinstance(module, SNConv2d | SNLinear):
        return module.folded()
    folded = copy.deepcopy(module)
    for parent in list(folded.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, SNConv2d | SNLinear):
                setattr(parent, name, child.folded())
    return folded
