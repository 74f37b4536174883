from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor

from drawing import tiny_trainer
from manifolds import save_autoencoder, tiny_audio, tiny_autoencoder
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadPictures, ReadSoundPictures
from sound2scene.losses.manifold import HardestMean
from sound2scene.models.manifold_autoencoder import FrozenAutoencoder, unit
from sound2scene.protocols import CeilingSampling, Exporting, Sampling
from sound2scene.stages.manifold import AudioStage, AutoencoderStage
from sound2scene.types import CLIP_SAMPLES, DivergedError, InputError, PictureBatch, SoundPictureBatch
from two_ranks import on_two_ranks

FAST = partial(torch.optim.Adam, lr=5e-3)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_autoencoder(tmp_path_factory.mktemp("manifold") / "autoencoder")


def autoencoder_stage(**settings: Any) -> AutoencoderStage:
    return AutoencoderStage(tiny_autoencoder(), "pixels32", **({"optimizer": FAST} | settings))


def audio_stage(artifact: Path, dropout: float = 0.2, **settings: Any) -> AudioStage:
    return AudioStage(tiny_audio(dropout=dropout), str(artifact), **({"optimizer": FAST} | settings))


def picture_data(shards: Path) -> ClipDataModule:
    return ClipDataModule(str(shards), 6, 0, read=ReadPictures("pixels32"))


def sound_data(shards: Path) -> ClipDataModule:
    return ClipDataModule(str(shards), 6, 0, read=ReadSoundPictures("pixels32"))


def state(stage: pl.LightningModule) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in stage.state_dict().items()}


def moved(stage: pl.LightningModule, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in stage.named_parameters() if not torch.equal(before[name], value)}


@pytest.mark.slow
def test_the_error_of_held_out_pictures_falls_to_near_half_in_sixty_steps(
    tiny_shards: Path, tmp_path: Path
) -> None:
    stage, data = autoencoder_stage(), picture_data(tiny_shards)
    (before,) = tiny_trainer(tmp_path).validate(stage, data, verbose=False)
    tiny_trainer(tmp_path, max_epochs=20, limit_val_batches=0).fit(stage, data)
    (after,) = tiny_trainer(tmp_path).validate(stage, data, verbose=False)
    assert after["val/mse"] < before["val/mse"] / 1.8
    assert 1 <= after["val/codes_used"] <= 8
    assert 1 <= after["val/code_perplexity"] <= after["val/codes_used"] + 1e-6


@pytest.mark.slow
def test_an_audio_network_learns_the_maps_of_held_out_pictures(
    artifact: Path, tiny_shards: Path, tmp_path: Path
) -> None:
    stage, data = audio_stage(artifact, dropout=0.0), sound_data(tiny_shards)
    (before,) = tiny_trainer(tmp_path).validate(stage, data, verbose=False)
    tiny_trainer(tmp_path, max_epochs=12, limit_val_batches=0).fit(stage, data)
    (after,) = tiny_trainer(tmp_path).validate(stage, data, verbose=False)
    assert after["val/mse"] < before["val/mse"] / 2
    assert 0 <= after["val/codes_right"] <= 1


def test_a_network_that_hears_the_true_map_has_no_error_and_every_code_right(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, batch = audio_stage(artifact).eval(), sounds(slice(None))
    true_BDHW = FrozenAutoencoder(artifact).network.encode(batch.image_BCHW)
    for heard_BDHW, right in ((true_BDHW, 1.0), (true_BDHW.flip(0), None)):
        monkeypatch.setattr(stage, "forward", lambda waveform_BT, heard_BDHW=heard_BDHW: heard_BDHW)
        stage.validation_step(batch, 0)
        assert (float(stage.mse.compute()) == 0) == (right is not None)
        assert (float(stage.right.compute()) == 1) == (right is not None)
        stage.mse.reset()
        stage.right.reset()


def test_every_part_of_the_autoencoder_moves(tiny_shards: Path, tmp_path: Path) -> None:
    stage = autoencoder_stage()
    before = state(stage)
    tiny_trainer(tmp_path, limit_val_batches=0).fit(stage, picture_data(tiny_shards))
    assert moved(stage, before) == {name for name, _ in stage.named_parameters()}


@pytest.mark.costly
def test_the_audio_network_alone_moves_and_the_autoencoder_is_no_part_of_the_stage(
    artifact: Path, tiny_shards: Path, tmp_path: Path
) -> None:
    stage = audio_stage(artifact)
    before, frozen_before = state(stage), FrozenAutoencoder(artifact).network.state_dict()
    tiny_trainer(tmp_path).fit(stage, sound_data(tiny_shards))
    assert moved(stage, before) == {name for name, _ in stage.named_parameters()}
    assert all(name.startswith(("audio_network.", "batches")) for name in stage.state_dict())
    assert not stage.frozen.network.training
    frozen_after = stage.frozen.network.state_dict()  # batch norm's statistics among them
    assert frozen_after.keys() == frozen_before.keys()
    assert all(torch.equal(frozen_before[name], value) for name, value in frozen_after.items())


def going_on(
    make: Callable[[], pl.LightningModule], data: Callable[[], ClipDataModule], folder: Path
) -> None:
    """Two epochs, and two more from a checkpoint in new objects, against four in one."""
    settings = {"limit_val_batches": 0, "enable_checkpointing": False}
    whole = make()
    torch.manual_seed(5)
    tiny_trainer(folder, max_epochs=4, **settings).fit(whole, data())
    first = make()
    torch.manual_seed(5)
    trainer = tiny_trainer(folder, max_epochs=2, **settings)
    trainer.fit(first, data())
    trainer.save_checkpoint(folder / "half.ckpt", weights_only=False)
    second = make()
    torch.manual_seed(5)
    more = tiny_trainer(folder, max_epochs=4, **settings)
    more.fit(second, data(), ckpt_path=folder / "half.ckpt", weights_only=False)
    assert more.global_step == 12
    expected, found = whole.state_dict(), second.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not all(torch.equal(value, found[name]) for name, value in first.state_dict().items())


@pytest.mark.slow
def test_an_autoencoder_that_goes_on_equals_one_that_never_stopped_bitwise(
    tiny_shards: Path, tmp_path: Path
) -> None:
    going_on(autoencoder_stage, partial(picture_data, tiny_shards), tmp_path)


@pytest.mark.slow
def test_an_audio_network_with_dropout_that_goes_on_equals_one_that_never_stopped_bitwise(
    artifact: Path, tiny_shards: Path, tmp_path: Path
) -> None:
    going_on(partial(audio_stage, artifact, 0.5), partial(sound_data, tiny_shards), tmp_path)


def pixels(count: int = 8) -> Tensor:
    dice = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=dice)


def pictures(rows: slice) -> PictureBatch:
    keys = [str(number) for number in range(8)]
    return PictureBatch(keys[rows], torch.arange(8)[rows], torch.full((8,), -1)[rows], pixels()[rows])


def sounds(rows: slice) -> SoundPictureBatch:
    heard_BT = 0.1 * torch.randn(8, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    key, index_B, label_B, image_BCHW = pictures(rows)
    return SoundPictureBatch(key, index_B, label_B, heard_BT[rows], image_BCHW)


def gradients(stage: AutoencoderStage | AudioStage, batch: Any) -> tuple[dict[str, Tensor], float]:
    """Gradients and loss of a step, in evaluation, where batch norms do not tie clips together."""
    stage.eval()
    logged: dict[str, float] = {}
    stage.log = lambda name, value, **more: logged.update({name: float(value)})  # type: ignore[assignment,method-assign]
    stage.training_step(batch, 0).backward()
    found = {name: weight.grad for name, weight in stage.named_parameters() if weight.grad is not None}
    return found, logged["train/loss"]


def on_a_rank(make: Callable[[], Any], batch: Callable[[slice], Any], rank: int) -> dict[str, Any]:
    found, loss = gradients(make(), batch(slice(4 * rank, 4 * rank + 4)))
    for gradient in found.values():
        dist.all_reduce(gradient)
    return {"loss": loss} | {name: gradient / 2 for name, gradient in found.items()}  # as DDP does


@pytest.mark.slow
@pytest.mark.parametrize(("half", "hardest"), [("autoencoder", 3), ("audio", None)])
def test_two_processes_have_loss_and_gradient_of_one(
    half: str, hardest: int | None, artifact: Path, tmp_path: Path
) -> None:
    make: Callable[[], Any] = partial(autoencoder_stage, error=HardestMean(hardest))
    batch: Callable[[slice], Any] = pictures
    if half == "audio":
        make, batch = partial(audio_stage, artifact, error=HardestMean(hardest)), sounds
    expected, loss = gradients(make(), batch(slice(None)))
    one, other = on_two_ranks(partial(on_a_rank, make, batch), tmp_path)
    assert one.keys() == {"loss", *expected}
    assert one["loss"] == other["loss"] == pytest.approx(loss, rel=1e-5)
    for name, gradient in expected.items():
        assert torch.equal(one[name], other[name])
        torch.testing.assert_close(one[name], gradient, rtol=1e-3, atol=1e-6)


def test_the_autoencoders_loss_is_the_pictures_error_and_that_of_the_codes() -> None:
    stage = autoencoder_stage()
    _, loss = gradients(stage, pictures(slice(None)))
    made = stage.autoencoder(pixels())
    error = ((made.image_BCHW - unit(pixels())) ** 2).mean()
    apart = ((made.code_BDHW - made.z_BDHW) ** 2).mean()
    assert loss == pytest.approx(float(error + 1.25 * apart), rel=1e-5)


def test_the_audio_networks_loss_is_its_distance_from_the_map_before_quantisation(artifact: Path) -> None:
    stage = audio_stage(artifact, dropout=0.0)
    _, loss = gradients(stage, sounds(slice(None)))
    true_BDHW = FrozenAutoencoder(artifact).network.encode(pixels())
    heard_BDHW = stage.audio_network(sounds(slice(None)).waveform_BT)
    assert loss == pytest.approx(float(((heard_BDHW - true_BDHW) ** 2).mean()), rel=1e-5)


def test_pictures_of_a_stage_are_those_of_its_maps(artifact: Path) -> None:
    batch = sounds(slice(0, 3))
    frozen = FrozenAutoencoder(artifact).network
    stage = audio_stage(artifact).eval()
    heard_BDHW = stage.audio_network(batch.waveform_BT).detach()
    assert torch.equal(stage.sample(batch, [0, 1, 2]), frozen.picture(heard_BDHW))
    assert torch.equal(
        stage.sample_ceiling(batch, [0, 1, 2]), frozen.picture(frozen.encode(batch.image_BCHW))
    )
    own = autoencoder_stage().eval()
    assert torch.equal(own.sample(pictures(slice(0, 3)), [0] * 3), stage.sample_ceiling(batch, [0] * 3))
    assert own.resolution == stage.resolution == 32
    assert isinstance(own, Sampling)
    assert not isinstance(own, CeilingSampling)
    assert isinstance(stage, CeilingSampling)


def test_both_halves_export_what_the_next_needs(artifact: Path) -> None:
    own, stage = autoencoder_stage(), audio_stage(artifact)
    assert own.exports() == (own.autoencoder, "manifold-autoencoder", "pixels32", {})
    notes = {"autoencoder": FrozenAutoencoder(artifact).fingerprint}
    assert stage.exports() == (stage.audio_network, "manifold-audio", "pixels32", notes)
    assert isinstance(own, Exporting)


def test_maps_of_another_size_are_refused_before_a_step(tmp_path: Path) -> None:
    other = save_autoencoder(tmp_path / "autoencoder", grid=4)
    with pytest.raises(InputError, match=r"autoencoder: its maps have grid 4 and code_dim 4, the audio"):
        audio_stage(other)


def test_a_nan_stops_either_half_with_step_and_clips(
    artifact: Path, tiny_shards: Path, tmp_path: Path
) -> None:
    own, stage = autoencoder_stage(), audio_stage(artifact)
    with torch.no_grad():
        own.autoencoder.decoder[-1].bias.fill_(torch.nan)
        stage.audio_network.head[-1].bias.fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"^step 0: autoencoder loss is nan for clips train-"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(own, picture_data(tiny_shards))
    with pytest.raises(DivergedError, match=r"^step 0: map's squared error is nan for clips train-"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(stage, sound_data(tiny_shards))
