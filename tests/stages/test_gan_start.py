from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from drawing import DISCRIMINATOR, GENERATOR, instance_data, tiny_gan, tiny_trainer
from sound2scene import artifacts
from sound2scene.data.clips import ClipDataModule
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.types import InputError


@pytest.fixture
def data(tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path) -> ClipDataModule:
    return instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features")


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """An averaged generator, and beside it a live one, a discriminator and moments."""
    torch.manual_seed(5)
    folder = artifacts.save(Generator(**GENERATOR), tmp_path / "published", card={"kind": "generator"})
    beside = artifacts.training_folder(folder)
    moments = {}
    for role, network in (
        ("generator", Generator(**GENERATOR)),
        ("discriminator", Discriminator(**DISCRIMINATOR)),
    ):
        artifacts.save(network, beside / role, card={"kind": role})
        for name, parameter in network.named_parameters():
            moments[f"{role}.{name}.exp_avg"] = torch.full_like(parameter, 0.5)
            moments[f"{role}.{name}.exp_avg_sq"] = torch.full_like(parameter, 0.25)
            moments[f"{role}.{name}.step"] = torch.tensor(100.0)
    save_file(moments, beside / artifacts.OPTIMIZERS)
    return folder


@pytest.mark.costly
def test_networks_and_optimizers_go_on_from_there(start: Path, data: ClipDataModule, tmp_path: Path) -> None:
    stage = tiny_gan({"start": str(start), "ema_decay": 0.0})
    run = tiny_trainer(tmp_path, limit_train_batches=1, limit_val_batches=0)
    seen: dict[str, bool] = {}
    begin = stage._discriminator_phase

    def spy(batch: object) -> None:
        live = artifacts.load(artifacts.training_folder(start) / "generator", fold=False)
        for name, network, folder in (
            ("average", stage.average.module, start),
            ("generator", stage.generator, artifacts.training_folder(start) / "generator"),
            ("discriminator", stage.discriminator, artifacts.training_folder(start) / "discriminator"),
        ):
            expected = artifacts.load(folder, fold=False).state_dict()
            seen[name] = all(
                torch.equal(tensor, expected[key]) for key, tensor in network.state_dict().items()
            )
        seen["apart"] = not torch.equal(live.linear.weight, artifacts.load(start, fold=False).linear.weight)
        begin(batch)  # type: ignore[arg-type]

    stage._discriminator_phase = spy  # type: ignore[method-assign, assignment]
    run.fit(stage, data)
    assert seen == dict.fromkeys(("average", "generator", "discriminator", "apart"), True)
    for optimizer in run.optimizers:
        steps = {float(state["step"]) for state in optimizer.state.values()}
        assert steps == {101.0}


@pytest.mark.costly
def test_the_first_step_averages_on_from_the_artifact(
    start: Path, data: ClipDataModule, tmp_path: Path
) -> None:
    stage = tiny_gan({"start": str(start), "ema_decay": 0.75})
    tiny_trainer(tmp_path, limit_train_batches=1, limit_val_batches=0).fit(stage, data)
    before, live = artifacts.load(start, fold=False).state_dict(), stage.generator.state_dict()
    for name, tensor in stage.average.module.state_dict().items():
        torch.testing.assert_close(tensor, 0.75 * before[name] + 0.25 * live[name], rtol=0, atol=1e-5)


def test_a_generator_alone_starts_both_the_live_and_the_averaged_one(
    data: ClipDataModule, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    folder = artifacts.save(Generator(**GENERATOR), tmp_path / "alone", card={"kind": "generator"})
    stage = tiny_gan({"start": str(folder)})
    before = stage.discriminator.linear.weight.detach().clone()
    tiny_trainer(tmp_path, limit_train_batches=0, limit_val_batches=0, max_steps=0).fit(stage, data)
    expected = artifacts.load(folder, fold=False).state_dict()
    for network in (stage.generator, stage.average.module):
        assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(stage.discriminator.linear.weight, before)


def test_other_widths_than_the_recipes_are_refused(data: ClipDataModule, tmp_path: Path) -> None:
    wide = artifacts.save(
        Generator(**(GENERATOR | {"channels": 8})), tmp_path / "wide", card={"kind": "generator"}
    )
    stage = tiny_gan({"start": str(wide)})
    with pytest.raises(
        InputError, match=r"wide: built with .*'channels': 8.*, not as the recipe's generator"
    ):
        tiny_trainer(tmp_path).fit(stage, data)


def test_damaged_moments_are_refused(start: Path, data: ClipDataModule, tmp_path: Path) -> None:
    path = artifacts.training_folder(start) / artifacts.OPTIMIZERS
    path.write_bytes(path.read_bytes()[:100])
    stage = tiny_gan({"start": str(start)})
    with pytest.raises(InputError, match=r"optimizers\.safetensors: damaged"):
        tiny_trainer(tmp_path).fit(stage, data)
