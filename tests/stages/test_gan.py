from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from drawing import DISCRIMINATOR, GENERATOR, instance_data, tiny_gan, tiny_trainer
from killed_run import run, run_killed_and_on, run_on_two
from killed_run import weights as checkpoint
from sound2scene import artifacts
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadInstances, ReadPictures
from sound2scene.latent import noise_rows
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.seeds import seed_of
from sound2scene.stages.gan import GanStage
from sound2scene.stages.gan_phases import Phases
from sound2scene.types import DataFacts, DivergedError, InputError
from spying import spied
from tiny import Z_DIM, tiny_dataset, tiny_features


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def moved(before: dict[str, torch.Tensor], network: torch.nn.Module) -> set[str]:
    names = {name for name, _ in network.named_parameters()}
    return {name for name in names if not torch.equal(before[name], network.state_dict()[name])}


@pytest.fixture
def data(tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path) -> ClipDataModule:
    return instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features")


@pytest.fixture
def own_data(tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path) -> ClipDataModule:
    return instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features", own=True)


def one_batch(folder: Path, stage: GanStage, data: ClipDataModule) -> None:
    """Train on a single batch."""
    tiny_trainer(folder, limit_train_batches=1, limit_val_batches=0).fit(stage, data)


@pytest.mark.costly
def test_either_phase_moves_its_own_network_alone(
    data: ClipDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tiny_gan()
    monkeypatch.setattr(GanStage, "_generator_phase", lambda self, batch: None)
    drawn, judged = weights(one.generator), weights(one.discriminator)
    one_batch(tmp_path, one, data)
    assert moved(drawn, one.generator) == set()
    assert moved(judged, one.discriminator) == {name for name, _ in one.discriminator.named_parameters()}
    monkeypatch.undo()
    monkeypatch.setattr(GanStage, "_discriminator_phase", lambda self, batch: None)
    drawn, judged = weights(one.generator), weights(one.discriminator)
    one_batch(tmp_path, one, data)
    # the biases before a batch norm get no gradient but rounding noise; all else has to move
    assert moved(drawn, one.generator) >= {
        name for name, _ in one.generator.named_parameters() if "weight" in name
    }
    assert moved(judged, one.discriminator) == set()


@pytest.mark.costly
def test_global_step_counts_generator_steps_and_kimg_counts_pictures(
    data: ClipDataModule, tmp_path: Path
) -> None:
    one = tiny_gan({"discriminator_steps": 2})
    trainer = tiny_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    trainer.fit(one, data)
    assert (trainer.global_step, int(one.batches), int(one.images)) == (3, 6, 36)
    assert float(trainer.callback_metrics["progress/kimg"]) == pytest.approx(0.036)


@pytest.mark.costly
def test_the_average_equals_the_live_generator_until_its_start(data: ClipDataModule, tmp_path: Path) -> None:
    for start, equal in ((1.0, True), (0.0, False)):
        one = tiny_gan({"ema_start_kimg": start})
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data)
        same = [
            torch.equal(tensor, one.generator.state_dict()[n])
            for n, tensor in one.average.module.state_dict().items()
        ]
        assert all(same) == equal


def test_a_batch_that_does_not_fall_into_equal_parts_is_refused(data: ClipDataModule, tmp_path: Path) -> None:
    one = tiny_gan({"accumulate": 4})
    with pytest.raises(InputError, match=r"accumulate 4 does not divide data.batch_size 6"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data)


def still(module: torch.nn.Module, mode: bool = False) -> torch.nn.Module:
    return module


@pytest.mark.costly
def test_gradients_of_the_parts_add_up_to_the_batchs(data: ClipDataModule, tmp_path: Path) -> None:
    steps = {}
    for parts in (1, 3):
        plain = partial(torch.optim.SGD, lr=1e-3)
        one = tiny_gan({"accumulate": parts}, discriminator_optimizer=plain)
        # Fakes differ between the parts, as noise and batch norms do; plain ones do not.
        one.generator.output_layer[0].gain.data.zero_()
        one.generator.output_layer[0].bias.data.zero_()
        # Where spectral norms take a step for each part, the last part's scale differs: hold them still.
        for part in one.discriminator.modules():
            part.eval = part.train = partial(still, part)  # type: ignore[method-assign]
            part.training = False
        before = weights(one.discriminator)
        one_batch(tmp_path, one, data)
        steps[parts] = {n: t - before[n] for n, t in one.discriminator.named_parameters()}
    assert max(float(step.abs().max()) for step in steps[1].values()) > 1e-5
    for name, step in steps[1].items():
        torch.testing.assert_close(steps[3][name], step, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_training_brings_fakes_nearer_to_the_reals(data: ClipDataModule, tmp_path: Path) -> None:
    one = tiny_gan()
    tiny_trainer(tmp_path, max_epochs=0).fit(one, data)
    distance = []
    for epochs in (0, 40):
        tiny_trainer(tmp_path, max_epochs=epochs, limit_val_batches=0).fit(one, data)
        fakes = one.sample(data.examples("val", range(9)), range(9))
        reals = torch.cat([batch.image_BCHW for batch in data.train_dataloader()])
        distance.append(float((fakes.mean(0) - reals.mean(0)).square().mean()))
    assert distance[1] < 0.6 * distance[0]


def test_a_sample_follows_from_feature_seed_and_draw_alone(data: ClipDataModule, tmp_path: Path) -> None:
    one = tiny_gan()
    one_batch(tmp_path, one, data)
    whole = data.examples("val", range(9))
    drawn = one.sample(whole, range(9), 2)
    assert drawn.shape == (9, 3, 32, 32)
    assert drawn.abs().max() <= 1
    part = data.examples("val", [5, 3])
    longer = part._replace(z_image_BD=3 * part.z_image_BD)  # the length of a feature does not count
    torch.testing.assert_close(one.sample(longer, [5, 3], 2), drawn[[5, 3]], rtol=0, atol=1e-4)
    for seed, draw in ((8, 2), (5, 1)):
        assert not torch.allclose(one.sample(part, [seed, 3], draw)[0], drawn[5], atol=1e-3)
    with torch.no_grad():
        unit_BD = torch.nn.functional.normalize(part.z_image_BD, dim=1)
        expected = one.average(noise_rows(one.generator, [5, 3], [2, 2]), unit_BD)
    torch.testing.assert_close(one.sample(part, [5, 3], 2), expected, rtol=0, atol=1e-5)


@pytest.mark.costly
def test_the_noise_of_training_is_that_of_seed_batch_and_turn(data: ClipDataModule, tmp_path: Path) -> None:
    one, given = tiny_gan({"accumulate": 2}), list[torch.Tensor]()
    one.generator.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    tiny_trainer(tmp_path, limit_train_batches=2, limit_val_batches=0).fit(one, data)
    # In the two parts of a batch turns 0 and 2 are the discriminator's, 1 and 3 the generator's.
    order = [(batch, turn) for batch in (0, 1) for turn in (0, 2, 1, 3)]
    assert len(given) == len(order)
    for noise_BZ, (batch, turn) in zip(given, order, strict=True):
        dice = torch.Generator().manual_seed(seed_of(torch.initial_seed(), batch, turn, 0))
        assert torch.equal(noise_BZ, torch.randn(3, one.noise_dim, generator=dice))


@pytest.mark.costly
@pytest.mark.parametrize(
    "phases", [{"r1_weight": 1.0, "r1_every": 2}, {"augment": ["colour", "translation", "cutout"]}]
)
def test_options_change_the_discriminators_step(
    data: ClipDataModule, tmp_path: Path, phases: dict[str, Any]
) -> None:
    found = []
    for extra in ({}, phases):
        one = tiny_gan(extra)
        one_batch(tmp_path, one, data)
        found.append(weights(one.discriminator))
    assert any(not torch.equal(found[0][name], found[1][name]) for name in found[0])


def plain_gan(phases: dict[str, Any]) -> GanStage:
    """A GAN whose weights stay what they are: gradients are there to be looked at."""
    still_there = partial(torch.optim.SGD, lr=0.0)
    return tiny_gan(phases, generator_optimizer=still_there, discriminator_optimizer=still_there)


def test_before_the_adversarial_start_a_generator_learns_from_the_pixels_of_its_instances_alone(
    own_data: ClipDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, twin = plain_gan({"pixel_weight": 3.0, "adversarial_start_kimg": 0.01}), tiny_gan().generator
    seen = spied(monkeypatch, GanStage, "_generator_phase")
    judged = weights(one.discriminator)
    one_batch(tmp_path, one, own_data)
    (batch,) = seen
    dice = torch.Generator().manual_seed(seed_of(torch.initial_seed(), 0, 1, 0))
    z_BD = torch.nn.functional.normalize(batch.z_image_BD, dim=1)
    drawn_BCHW = twin.train()(torch.randn(6, one.noise_dim, generator=dice), z_BD)
    (3.0 * (drawn_BCHW - batch.own_BCHW).abs().mean()).backward()
    for name, parameter in twin.named_parameters():
        found = one.generator.get_parameter(name).grad
        torch.testing.assert_close(found, parameter.grad, rtol=1e-3, atol=1e-6)
    assert all(torch.equal(judged[name], tensor) for name, tensor in weights(one.discriminator).items())
    assert "train/discriminator_loss" not in one.trainer.callback_metrics


@pytest.mark.costly
def test_from_the_adversarial_start_on_the_discriminator_counts_beside_the_pixels(
    own_data: ClipDataModule, tmp_path: Path
) -> None:
    gradients = []
    for phases in ({"pixel_weight": 3.0, "adversarial_start_kimg": 0.01}, {"pixel_weight": 3.0}):
        one = plain_gan(phases)
        one_batch(tmp_path, one, own_data)
        gradients.append(one.generator.output_layer[2].weight.grad)
    assert not torch.allclose(gradients[0], gradients[1], rtol=1e-2)
    one = plain_gan({"pixel_weight": 3.0, "adversarial_start_kimg": 0.006})
    tiny_trainer(tmp_path, limit_train_batches=2, limit_val_batches=0).fit(one, own_data)
    # The first six pictures are at the start, the next six beyond it.
    assert one.discriminator.linear.weight.grad is not None


def test_a_weight_of_pixels_without_the_instances_own_pictures_says_what_to_set(
    data: ClipDataModule, tmp_path: Path
) -> None:
    told = r"^phases\.pixel_weight compares .*; set data\.init_args\.read\.init_args\.own to true, or"
    with pytest.raises(InputError, match=told):
        one_batch(tmp_path, tiny_gan({"pixel_weight": 1.0}), data)


def test_a_loss_that_is_not_finite_stops_with_step_loss_and_clips_before_any_weight_moves(
    data: ClipDataModule, tmp_path: Path
) -> None:
    one = tiny_gan()
    with torch.no_grad():
        one.discriminator.linear.bias.fill_(torch.nan)
    before = weights(one.generator)
    with pytest.raises(
        DivergedError, match=r"step 0: discriminator loss is nan for clips train-0\d\d, train-"
    ):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data)
    assert moved(before, one.generator) == set()


class Kinked(Discriminator):
    """Scores as ever, with a slope of 0 / 0 at any picture."""

    def forward(self, image_BCHW: torch.Tensor, z_image_BD: torch.Tensor) -> torch.Tensor:
        score_B: torch.Tensor = super().forward(image_BCHW, z_image_BD)
        return score_B + (0 * image_BCHW.flatten(1).sum(1)).sqrt()


def test_a_slope_penalty_that_is_not_finite_stops_before_any_weight_moves(
    data: ClipDataModule, tmp_path: Path
) -> None:
    phases, networks = Phases(r1_weight=1.0), (Generator(**GENERATOR), Kinked(**DISCRIMINATOR))
    one = GanStage(*networks, phases=phases)
    before = weights(one.discriminator)
    with pytest.raises(DivergedError, match=r"step 0: slope penalty is nan for clips train-0\d\d, train-"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data)
    assert moved(before, one.discriminator) == set()


def test_an_encoder_of_another_width_is_refused_in_one_line(data: ClipDataModule, tmp_path: Path) -> None:
    one = GanStage(Generator(**(GENERATOR | {"z_image_dim": 5})), Discriminator(**DISCRIMINATOR))
    told = r"image-encoder: features have 8 dimensions and generator\.z_image_dim is 5; make them the same$"
    with pytest.raises(InputError, match=told):
        tiny_trainer(tmp_path).fit(one, data)


def test_data_without_features_is_told_the_key_that_names_their_encoder(
    tiny_shards: Path, tmp_path: Path
) -> None:
    told = r"^gan needs features of pictures; name data\.init_args\.features\.image_encoder$"
    with pytest.raises(InputError, match=told):
        tiny_gan().checked(DataFacts())
    plain = ClipDataModule(str(tiny_shards), 6, 0, read=ReadPictures("pixels32"))
    with pytest.raises(InputError, match=told):
        tiny_trainer(tmp_path).fit(tiny_gan(), plain)


def test_real_pictures_of_another_side_are_refused_with_both(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    large = ClipDataModule(
        str(tiny_shards),
        6,
        0,
        0,
        ReadInstances(48, 3),
        tiny_features(tiny_image_encoder, tmp_path / "features"),
    )
    told = r"^data\.init_args\.read\.init_args\.side is 48, generator\.resolution 32; make them the same$"
    with pytest.raises(InputError, match=told):
        tiny_trainer(tmp_path).fit(tiny_gan(), large)


@pytest.mark.costly
def test_the_export_is_the_averaged_generator_and_names_its_encoder(
    data: ClipDataModule, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    one = tiny_gan()
    tiny_trainer(tmp_path, limit_val_batches=0).fit(one, data)
    export = one.exports()
    assert (export.network, export.kind, export.preset) == (one.average.module, "generator", "small64")
    assert export.notes == {"image_encoder": artifacts.read_card(tiny_image_encoder).fingerprint}
    artifacts.save(
        export.network, tmp_path / "generator", card={"kind": export.kind, "preset": export.preset}
    )
    again = artifacts.load(tmp_path / "generator", kind="generator")
    z, noise = torch.nn.functional.normalize(torch.rand(2, Z_DIM), dim=1), torch.randn(2, one.generator.z_dim)
    with torch.no_grad():
        torch.testing.assert_close(again(noise, z), one.average(noise, z), rtol=0, atol=1e-4)


def gan_recipe(path: Path, shards: Path, encoder: Path, **phases: Any) -> Path:
    def part(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"class_path": name, "init_args": arguments}

    sgd = part("torch.optim.SGD", {"lr": 0.002})
    model = {
        "generator": part("sound2scene.models.biggan.Generator", GENERATOR),
        "discriminator": part("sound2scene.models.discriminator.Discriminator", DISCRIMINATOR),
        "phases": {"ema_decay": 0.5} | phases,
        "generator_optimizer": sgd,
        "discriminator_optimizer": sgd,
    }
    loading = {
        "batch_size": 4,
        "workers": 0,
        "features": {"image_encoder": str(encoder), "cache": str(path.parent / "features")},
        "read": part("sound2scene.data.reading.ReadInstances", {"side": 32, "neighbours": 3}),
    }
    recipe = {
        "run": {"name": "gan/tiny", "folder": str(path.parent / "runs"), "checkpoint_steps": 4},
        "trainer": {"max_epochs": 3, "accelerator": "cpu", "devices": 1, "enable_progress_bar": False},
        "model": part("sound2scene.stages.gan.GanStage", model),
        "data": part("sound2scene.data.clips.ClipDataModule", {"shards": str(shards)} | loading),
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.slow
def test_killed_in_training_and_going_on_equals_never_stopped_bitwise(
    tiny_image_encoder: Path, tmp_path: Path
) -> None:
    shards = tiny_dataset(tmp_path / "shards", train=27)
    for name in ("whole", "broken"):
        gan_recipe(tmp_path / name / "recipe.yaml", shards, tiny_image_encoder, augment=["translation"])
    run(tmp_path / "whole" / "recipe.yaml")
    broken = tmp_path / "broken"
    saved = broken / "runs/gan/tiny/version_0/checkpoints/last.ckpt"
    run_killed_and_on(broken / "recipe.yaml", saved, batches=9)
    expected, found = checkpoint(tmp_path / "whole", "last"), checkpoint(broken, "last")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.slow
def test_two_processes_with_synchronised_norms_take_the_step_of_the_whole_batch(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    for processes in (1, 2):
        recipe = gan_recipe(
            tmp_path / str(processes) / "recipe.yaml", tiny_shards, tiny_image_encoder, synchronise_norms=True
        )
        more = ["--trainer.max_steps", "1", "--run.checkpoint_steps", "1"]
        more += ["--data.init_args.batch_size", str(8 // processes)]
        (run if processes == 1 else run_on_two)(recipe, *more)
    one, two = checkpoint(tmp_path / "1", "last"), checkpoint(tmp_path / "2", "last")
    assert one.keys() == two.keys()
    assert int(one["images"]) == int(two["images"]) == 8
    for name, weight in one.items():
        torch.testing.assert_close(
            two[name], weight, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
