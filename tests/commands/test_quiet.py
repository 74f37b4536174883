import logging
import warnings

import pytest

from sound2scene.commands.quiet import NOISE, quiet

SAID = [
    "`isinstance(treespec, LeafSpec)` is deprecated, use `isinstance(treespec, TreeSpec)`",
    "The number of training batches (6) is smaller than the logging interval Trainer(log_every_n_steps=10).",
    "The 'train_dataloader' does not have many workers which may be a bottleneck.",
    "It is recommended to use `self.log('val/x', ..., sync_dist=True)` when logging on epoch level",
    "LightningCLI's args parameter is intended to run from within Python",
]


@pytest.mark.parametrize("text", SAID)
def test_what_helps_nobody_is_not_said(text: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet()
        warnings.warn(text, stacklevel=1)
    assert not caught


def test_other_warnings_stay() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet()
        warnings.warn("your picture is on fire", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["your picture is on fire"]
    assert all(NOISE.values())


def test_lists_of_devices_and_tips_are_not_said(caplog: pytest.LogCaptureFixture) -> None:
    quiet()
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.seed"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)
