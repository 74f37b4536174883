from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from drawing import tiny_trainer
from sound2scene import artifacts
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadSoundPictures
from sound2scene.models.s2i_discriminator import ConvDiscriminator
from sound2scene.models.s2i_generator import DenseGenerator
from sound2scene.stages.s2i import S2IStage
from sound2scene.stages.s2i_objective import Objective
from sound2scene.types import DivergedError, InputError
from tiny_s2i import DISCRIMINATOR, GENERATOR, SIDE, E, audio_artifact, batch, loader, stage
from two_ranks import on_two_ranks


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return audio_artifact(tmp_path_factory.mktemp("s2i") / "audio")


def state(one: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in one.state_dict().items()}


def moved(before: dict[str, Tensor], network: nn.Module) -> set[str]:
    after = network.state_dict()
    return {name for name, _ in network.named_parameters() if not torch.equal(before[name], after[name])}


def train(one: S2IStage, folder: Path, steps: int = 1, **settings: Any) -> None:
    tiny_trainer(folder, limit_val_batches=0, **settings).fit(one, loader(*[batch()] * steps))


def expected_weights(network: nn.Module) -> set[str]:
    """All but the biases before a batch norm, which get no gradient but rounding noise."""
    return {name for name, _ in network.named_parameters() if not name.endswith("0.bias")}


@pytest.mark.costly
def test_either_step_reaches_the_weights_of_its_own_network_alone(audio: Path, tmp_path: Path) -> None:
    for moving in ("generator", "discriminator"):
        rates = {f"{name}_optimizer": partial(torch.optim.SGD, lr=0.0) for name in _NETWORKS}
        rates[f"{moving}_optimizer"] = partial(torch.optim.SGD, lr=0.5)
        one = stage(audio, **rates)
        before = {name: state(getattr(one, name)) for name in _NETWORKS}
        train(one, tmp_path)
        for name in _NETWORKS:
            network = getattr(one, name)
            found = moved(before[name], network)
            assert found >= expected_weights(network) if name == moving else found == set()


_NETWORKS = ("generator", "discriminator")


def test_the_generators_step_leaves_no_gradient_in_the_discriminator(audio: Path, tmp_path: Path) -> None:
    one = stage(audio)
    kept: list[Tensor] = []
    losses = one.generator_losses

    def noted(*given: Tensor) -> tuple[Tensor, Tensor]:
        kept.extend(cast(Tensor, weight.grad).clone() for weight in one.discriminator.parameters())
        return losses(*given)

    one.generator_losses = noted  # type: ignore[method-assign]
    train(one, tmp_path)
    now = [cast(Tensor, weight.grad) for weight in one.discriminator.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(kept, now, strict=True))
    assert all(weight.requires_grad for weight in one.discriminator.parameters())


def test_the_audio_encoder_stays_bitwise_what_it_was_and_out_of_checkpoints(
    audio: Path, tmp_path: Path
) -> None:
    one = stage(audio)
    before = state(one.hearing)
    train(one, tmp_path, 3)
    after = one.hearing.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not one.hearing.training
    assert not any("hearing" in name or "encoder" in name for name in one.state_dict())


def test_losses_are_the_published_absolute_errors_and_a_weighted_pixel_loss(audio: Path) -> None:
    one = silent(stage(audio))
    drawn_BCHW, real_BCHW, z_BD = given(6)
    scores: list[Tensor] = []
    one.discriminator.register_forward_hook(lambda *call: scores.append(call[-1].detach()))
    loss = one.discriminator_loss(real_BCHW, drawn_BCHW, z_BD)
    real_B, fake_B = scores[-1].chunk(2)
    assert float(loss) == pytest.approx(
        float((1 - real_B).abs().mean() + (-1 - fake_B).abs().mean()), rel=1e-5
    )
    pixel, adversarial = one.generator_losses(real_BCHW, drawn_BCHW, z_BD)
    assert float(pixel) == pytest.approx(float(mse_loss(drawn_BCHW, real_BCHW)))
    assert float(adversarial) == pytest.approx(float((1 - scores[-1].chunk(2)[1]).abs().mean()), rel=1e-5)


def test_a_moving_average_is_a_share_of_the_score_and_follows_it(audio: Path) -> None:
    one = silent(stage(audio, Objective(moving_average=0.75)))
    one.usual_score.fill_(0.4)
    scores: list[Tensor] = []
    one.discriminator.register_forward_hook(lambda *call: scores.append(call[-1].detach()))
    _, adversarial = one.generator_losses(*(given(6)[n] for n in (1, 0, 2)))
    fake_B = scores[-1].chunk(2)[1]
    expected = (1 - (0.75 * 0.4 + 0.25 * fake_B)).abs().mean()
    assert float(adversarial) == pytest.approx(float(expected), rel=1e-5)
    assert float(one.usual_score) == pytest.approx(0.75 * 0.4 + 0.25 * float(fake_B.mean()), rel=1e-4)


def test_mismatched_pairs_are_real_pictures_with_the_sound_of_another_clip(audio: Path) -> None:
    one = silent(stage(audio, Objective(mismatched=True)))
    drawn_BCHW, real_BCHW, z_BD = given(4)
    shown: list[tuple[Tensor, ...]] = []
    one.discriminator.register_forward_pre_hook(lambda _, arguments: shown.append(arguments))
    one.discriminator_loss(real_BCHW, drawn_BCHW, z_BD)
    image_BCHW, z_shown_BD, _ = shown[0]
    assert torch.equal(image_BCHW, torch.cat([real_BCHW, drawn_BCHW, real_BCHW]))
    assert torch.equal(z_shown_BD[8:], z_BD[[3, 0, 1, 2]])


@pytest.mark.slow
def test_training_brings_pictures_nearer_to_those_of_their_sounds(audio: Path, tmp_path: Path) -> None:
    fast = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999))
    one = stage(audio, generator_optimizer=fast)
    (before,) = tiny_trainer(tmp_path).validate(one, loader(batch()), verbose=False)
    train(one, tmp_path, 80)
    (after,) = tiny_trainer(tmp_path).validate(one, loader(batch()), verbose=False)
    assert after["val/squared_error"] < 0.4 * before["val/squared_error"]


@pytest.mark.slow
def test_stopped_and_gone_on_equals_never_stopped_bitwise(audio: Path, tmp_path: Path) -> None:
    whole, broken, other = (stage(audio) for _ in range(3))
    train(whole, tmp_path, 2, max_epochs=2)
    first = tiny_trainer(tmp_path, limit_val_batches=0)
    first.fit(broken, loader(batch(), batch()))
    first.save_checkpoint(tmp_path / "last.ckpt")
    torch.rand(7)  # chance in between changes nothing
    again = tiny_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    again.fit(other, loader(batch(), batch()), ckpt_path=str(tmp_path / "last.ckpt"), weights_only=False)
    assert (int(other.batches), int(other.images), again.global_step) == (4, 24, 4)
    expected, found = whole.state_dict(), other.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_going_on_with_another_audio_encoder_is_refused(audio: Path) -> None:
    one, checkpoint = stage(audio), dict[str, Any]()
    one.on_save_checkpoint(checkpoint)
    one.on_load_checkpoint(checkpoint)
    with pytest.raises(InputError, match=r"audio: was replaced since this run began; put the old one back"):
        one.on_load_checkpoint({"s2i_audio": "another"})


def silent(one: S2IStage) -> S2IStage:
    one.log = lambda *rest, **more: None  # type: ignore[assignment,method-assign]
    return one


def given(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Drawn and real pictures with embeddings."""
    dice = torch.Generator().manual_seed(1)
    drawn_BCHW, real_BCHW = (2 * torch.rand(2, rows, 3, SIDE, SIDE, generator=dice) - 1).unbind()
    return drawn_BCHW, real_BCHW, 2 * torch.rand(rows, E, generator=dice) - 1


def gradients(audio: Path, rows: slice) -> dict[str, Tensor]:
    """Of either network, by its own loss, for some rows of a batch of eight."""
    one = silent(stage(audio, Objective(mismatched=True)))
    _, real_BCHW, z_BD = (part[rows] for part in given(8))
    drawn_BCHW = one.generator(z_BD, one._chance(len(z_BD), one.generator.dropout_dim, 0))
    one.discriminator_loss(real_BCHW, drawn_BCHW.detach(), z_BD).backward()
    one.discriminator.requires_grad_(False)
    sum(one.generator_losses(real_BCHW, drawn_BCHW, z_BD)).backward()  # type: ignore[union-attr]
    networks = nn.ModuleDict({"generator": one.generator, "discriminator": one.discriminator})
    return {name: cast(Tensor, weight.grad) for name, weight in networks.named_parameters()}


def on_a_rank(rank: int, audio: Path) -> dict[str, Tensor]:
    found = gradients(audio, slice(4 * rank, 4 * rank + 4))
    for gradient in found.values():
        dist.all_reduce(gradient)
    return {name: gradient / 2 for name, gradient in found.items()}  # as DDP does


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_with_the_whole_batch(audio: Path, tmp_path: Path) -> None:
    expected = gradients(audio, slice(0, 8))
    one, other = on_two_ranks(partial(on_a_rank, audio=audio), tmp_path)
    for name, gradient in expected.items():
        assert torch.equal(one[name], other[name])
        torch.testing.assert_close(one[name], gradient, rtol=1e-2, atol=1e-4, msg=name)


def test_a_sample_follows_from_sound_seed_and_draw_alone(audio: Path) -> None:
    one = stage(audio)
    one.generator.train()
    with torch.no_grad():
        for _ in range(20):  # running statistics
            one.generator(given(8)[2], torch.rand(8, one.generator.dropout_dim))
    one.eval()
    whole = batch()
    drawn_BCHW = one.sample(whole, range(6), 2)
    assert drawn_BCHW.shape == (6, 3, SIDE, SIDE)
    part = type(whole)(
        *([field[5], field[3]] if isinstance(field, list) else field[[5, 3]] for field in whole)
    )
    torch.testing.assert_close(one.sample(part, [5, 3], 2), drawn_BCHW[[5, 3]], rtol=0, atol=1e-5)
    for seed, draw in ((5, 1), (8, 2)):
        assert not torch.allclose(one.sample(part, [seed, 3], draw)[0], drawn_BCHW[5], atol=1e-4)


def test_shards_are_what_it_trains_on_and_the_export_names_its_encoder(
    audio: Path, tiny_shards: Path, tmp_path: Path
) -> None:
    one = stage(audio, deaf=False)
    data = ClipDataModule(str(tiny_shards), 4, 0, read=ReadSoundPictures(f"pixels{SIDE}"))
    trainer = tiny_trainer(tmp_path, limit_train_batches=1, limit_val_batches=1, num_sanity_val_steps=0)
    trainer.fit(one, data)
    assert {"train/discriminator_loss", "train/pixel_loss", "train/adversarial_loss"} <= (
        trainer.callback_metrics.keys()
    )
    export = one.exports()
    assert (export.network, export.kind) == (one.generator, "s2i-generator")
    assert export.notes == {"s2i_audio": artifacts.read_card(audio).fingerprint}
    artifacts.save(one.generator, tmp_path / "generator", card={"kind": export.kind, "preset": export.preset})
    again = artifacts.load(tmp_path / "generator", kind="s2i-generator")
    z_BE = torch.rand(2, E)
    torch.testing.assert_close(again(z_BE, None), one.generator.eval()(z_BE, None))


def test_pictures_of_another_side_are_refused_with_both(audio: Path, tmp_path: Path) -> None:
    one = stage(audio)
    wide = batch()._replace(image_BCHW=torch.zeros(6, 3, 48, 48, dtype=torch.uint8))
    told = r"^data\.init_args\.read gives pictures of 48 px, generator\.resolution 24; make them the same$"
    with pytest.raises(InputError, match=told):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, loader(wide))


def test_networks_of_other_sizes_are_refused_with_all(audio: Path, tmp_path: Path) -> None:
    wide = DenseGenerator(**(GENERATOR | {"embedding_dim": 12}))
    one = S2IStage(str(audio), wide, ConvDiscriminator(**DISCRIMINATOR))
    told = r"audio: embedding_dim 8, generator\.embedding_dim 12, discriminator\.embedding_dim 8; make them"
    with pytest.raises(InputError, match=told):
        tiny_trainer(tmp_path).fit(one, loader(batch()))


def test_a_nan_stops_with_step_loss_and_clips_before_any_weight_moves(audio: Path, tmp_path: Path) -> None:
    one = stage(audio)
    with torch.no_grad():
        next(one.discriminator.parameters()).fill_(torch.nan)
    before = state(one.generator)
    with pytest.raises(DivergedError, match=r"^step 0: discriminator loss is nan for clips clip-0"):
        train(one, tmp_path)
    assert moved(before, one.generator) == set()
