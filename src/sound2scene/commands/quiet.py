"""What libraries say that helps nobody: device lists, tips of products, deprecations between themselves."""

from __future__ import annotations

import logging
import warnings

# Text of a warning, and why nobody can do anything about it here.
NOISE = {
    r".*isinstance\(treespec, LeafSpec\)": "torch deprecates what Lightning asks it for",
    r".*litlogger": "a product",
    r"LightningCLI's args parameter is intended": "`--resume` gives others than the process has",
    r"The number of training batches .* is smaller than the logging interval": "lines come by the minute",
    r".*does not have many workers which may be a bottleneck": "the table says how long a run waits for data",
    r"It is recommended to use .*sync_dist=True": "what is logged is the same on every process",
    r"Experiment logs directory": "a run that goes on keeps what was logged",
    r"Checkpoint directory .* exists and is not empty": "two files, which are replaced",
}


def quiet() -> None:
    """Keep it out of the log; warnings that are not listed stay."""
    for name in (
        "pytorch_lightning",
        "lightning_fabric",
        "lightning",
        "lightning.pytorch",
        "lightning.fabric",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for text in NOISE:
        warnings.filterwarnings("ignore", text)
