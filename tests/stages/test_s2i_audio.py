from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from drawing import tiny_trainer
from sound2scene import artifacts
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadSoundPictures
from sound2scene.models.s2i_audio import AudioAutoencoder
from sound2scene.stages.s2i_audio import S2IAudioStage
from sound2scene.types import DivergedError, SoundPictureBatch
from tiny_s2i import AUDIO, batch, loader
from two_ranks import on_two_ranks


def stage(**settings: Any) -> S2IAudioStage:
    """Seeded weights, and spectrograms taken for sounds."""
    torch.manual_seed(0)
    one = S2IAudioStage(AudioAutoencoder(**AUDIO), **settings)
    one.autoencoder.hear = nn.Identity()  # type: ignore[assignment]
    return one


def state(one: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in one.state_dict().items()}


@pytest.mark.slow
def test_training_brings_the_reconstruction_nearer_to_what_was_heard(tmp_path: Path) -> None:
    one = stage()
    given = loader(*[batch()] * 80)
    (before,) = tiny_trainer(tmp_path).validate(one, loader(batch()), verbose=False)
    tiny_trainer(tmp_path, limit_val_batches=0).fit(one, given)
    (after,) = tiny_trainer(tmp_path).validate(one, loader(batch()), verbose=False)
    assert after["val/loss"] < 0.5 * before["val/loss"]


def test_a_step_moves_every_weight_of_both_halves(tmp_path: Path) -> None:
    one = stage()
    before = state(one.autoencoder)
    tiny_trainer(tmp_path, limit_val_batches=0).fit(one, loader(batch()))
    after = one.autoencoder.state_dict()
    # A bias before a batch norm gets no gradient but rounding noise.
    weights = [name for name, _ in one.autoencoder.named_parameters() if not name.endswith("0.bias")]
    assert [name for name in weights if torch.equal(before[name], after[name])] == []


@pytest.mark.costly
def test_sounds_and_pictures_of_shards_are_what_it_trains_on(tiny_shards: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    one = S2IAudioStage(AudioAutoencoder(**AUDIO))
    data = ClipDataModule(str(tiny_shards), 4, 0, read=ReadSoundPictures("pixels24"))
    trainer = tiny_trainer(tmp_path, limit_train_batches=1, limit_val_batches=1, num_sanity_val_steps=0)
    trainer.fit(one, data)
    assert {"train/loss", "val/loss"} <= trainer.callback_metrics.keys()
    network, kind, preset, notes = one.exports()
    artifacts.save(network, tmp_path / "audio", card={"kind": kind, "preset": preset, "notes": notes})
    again = artifacts.load(tmp_path / "audio", kind="s2i-audio")
    assert isinstance(again, AudioAutoencoder)
    sound_BT = data.examples("val", [0, 1]).waveform_BT
    torch.testing.assert_close(again.embed(sound_BT), one.autoencoder.eval().embed(sound_BT))


@pytest.mark.slow
def test_stopped_and_gone_on_equals_never_stopped_bitwise(tmp_path: Path) -> None:
    given = loader(batch(), batch(5))
    whole, broken = stage(), stage()
    tiny_trainer(tmp_path, max_epochs=2, limit_val_batches=0).fit(whole, given)
    first = tiny_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    first.fit(broken, given)
    first.save_checkpoint(tmp_path / "last.ckpt")
    other = stage()
    torch.rand(7)  # chance in between changes nothing
    trainer = tiny_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    trainer.fit(other, given, ckpt_path=str(tmp_path / "last.ckpt"), weights_only=False)
    expected, found = whole.state_dict(), other.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def gradients(given: SoundPictureBatch) -> dict[str, Tensor]:
    """In float64: some thirty norms of small batches make rounding errors grow."""
    one = stage().double()
    given = given._replace(waveform_BT=given.waveform_BT.double())
    one.log = lambda *rest, **more: None  # type: ignore[assignment,method-assign]
    one.training_step(given, 0).backward()
    return {name: cast(Tensor, weight.grad) for name, weight in one.autoencoder.named_parameters()}


def half(rank: int) -> SoundPictureBatch:
    rows, whole = slice(4 * rank, 4 * rank + 4), batch(8)
    return SoundPictureBatch(*(part[rows] for part in whole))


def on_a_rank(rank: int) -> dict[str, Tensor]:
    found = gradients(half(rank))
    for gradient in found.values():
        dist.all_reduce(gradient)
    return {name: gradient / 2 for name, gradient in found.items()}  # as DDP does


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    expected = gradients(batch(8))
    one, other = on_two_ranks(on_a_rank, tmp_path)
    for name, gradient in expected.items():
        assert torch.equal(one[name], other[name])
        torch.testing.assert_close(one[name], gradient, rtol=1e-5, atol=1e-8, msg=name)


def test_a_nan_stops_the_run_with_step_and_clips(tmp_path: Path) -> None:
    one = stage(optimizer=partial(torch.optim.SGD, lr=0.1))
    with torch.no_grad():
        next(one.autoencoder.parameters()).fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"^step 0: reconstruction loss is nan for clips clip-0"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, loader(batch()))
