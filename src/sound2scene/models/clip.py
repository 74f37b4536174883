"""Stub."""

from torch import nn


class ClipExtractor(nn.Module):
    def __init__(self, *a: object) -> None: ...
