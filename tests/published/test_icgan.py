import json
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from parity_fill import input_tensor, relative_error, state
from selected import first
from sound2scene import artifacts, cli
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.published import icgan as published_icgan
from sound2scene.published.icgan import import_icgan
from sound2scene.types import InputError

SMALL: dict[str, Any] = {"resolution": 64, "channels": 8, "attention": [32], "z_dim": 10, "feature_dim": 6}
SMALL |= {"z_image_dim": 7}


def network_state(seed: int, **change: Any) -> OrderedDict[str, Tensor]:
    """A small generator's tensors under the published names, with the unused table of labels in front."""
    torch.manual_seed(seed)
    own = Generator(**(SMALL | change)).state_dict()
    return OrderedDict([("shared.weight", torch.randn(10, 4)), *own.items()])


def discriminator_state() -> OrderedDict[str, Tensor]:
    torch.manual_seed(9)
    return OrderedDict(Discriminator(64, 8, [32], 7).state_dict())


def behind_module(given: OrderedDict[str, Tensor]) -> OrderedDict[str, Tensor]:
    return OrderedDict((f"module.{name}", tensor) for name, tensor in given.items())


def adam(given: OrderedDict[str, Tensor]) -> dict[str, Any]:
    """An optimizer's state as torch.optim writes it."""
    buffers = ("u0", "sv0", "stored_mean", "stored_var")
    names = [name for name in given if name.rpartition(".")[2] not in buffers]
    state = {
        number: {
            "step": 7,
            "exp_avg": torch.full_like(given[name], number),
            "exp_avg_sq": torch.ones_like(given[name]),
        }
        for number, name in enumerate(names)
        if name != "shared.weight"  # it never has a gradient
    }
    return {"state": state, "param_groups": [{"lr": 4e-5, "params": list(range(len(names)))}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two best copies as training writes them; the second one is the better."""
    root = tmp_path / "checkpoints" / "icgan_biggan_imagenet_res64"
    root.mkdir(parents=True)
    for copy, fid in enumerate((11.9, 11.7)):
        torch.save(network_state(copy), root / f"G_ema_best{copy}.pth")
        # The stored configuration holds module objects.
        config = {
            "resolution": 64,
            "G_activation": nn.ReLU(inplace=False),
            "D_activation": nn.ReLU(inplace=True),
        }
        content = {"itr": 10, "best_IS": 48.0, "best_FID": fid, "config": config}
        torch.save(content, root / f"state_dict_best{copy}.pth")
    torch.save(behind_module(network_state(5)), root / "G_best1.pth")
    torch.save(behind_module(discriminator_state()), root / "D_best1.pth")
    torch.save(adam(network_state(5)), root / "G_optim_best1.pth")
    torch.save(adam(discriminator_state()), root / "D_optim_best1.pth")
    return root


@pytest.mark.costly
@torch.no_grad()
def test_the_better_copy_becomes_a_generator_with_the_widths_of_its_tensors(
    folder: Path, tmp_path: Path
) -> None:
    artifact = import_icgan(folder, tmp_path / "artifact")
    expected = Generator(**SMALL).eval()
    tensors = network_state(1)
    del tensors["shared.weight"]
    expected.load_state_dict(tensors)
    card = artifacts.read_card(artifact)
    assert card.arguments == SMALL
    assert (card.kind, card.preset) == ("generator", "icgan64")
    assert card.origin.notes["copy"] == "best1"
    assert card.licence is not None
    assert "NonCommercial" in card.licence
    noise_BZ, z_image_BD = torch.randn(2, 10), torch.randn(2, 7)
    drawn_BCHW = artifacts.load(artifact, fold=False)(noise_BZ, z_image_BD)
    assert torch.equal(drawn_BCHW, expected(noise_BZ, z_image_BD))
    assert drawn_BCHW.shape == (2, 3, 64, 64)
    assert drawn_BCHW.abs().max() <= 1


@pytest.mark.slow
def test_what_training_goes_on_from_lies_beside_it(folder: Path, tmp_path: Path) -> None:
    beside = artifacts.training_folder(import_icgan(folder, tmp_path / "artifact"))
    live, judged = artifacts.load(beside / "generator", fold=False), artifacts.load(beside / "discriminator")
    assert all(torch.equal(tensor, network_state(5)[name]) for name, tensor in live.state_dict().items())
    assert all(
        torch.equal(tensor, discriminator_state()[name]) for name, tensor in judged.state_dict().items()
    )
    assert artifacts.read_card(beside / "discriminator").arguments["attention"] == [32]
    moments = load_file(beside / artifacts.OPTIMIZERS)
    numbers = [
        float(moments[f"generator.{name}.exp_avg"].flatten()[0]) for name, _ in live.named_parameters()
    ]
    assert numbers == list(range(1, 1 + len(numbers)))  # each under the name of its own parameter
    assert not any(name.startswith("generator.shared.weight") for name in moments)
    assert float(moments["discriminator.linear.weight.step"]) == 7


@pytest.mark.costly
def test_an_archive_is_unpacked_inside_its_own_folder(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    assert artifacts.read_card(import_icgan(archive, tmp_path / "artifact")).arguments == SMALL
    (tmp_path / "outside").write_text("mine")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "outside", "../escaped")
    with pytest.raises(InputError, match=r"model\.tar\.gz: not a readable archive"):
        import_icgan(archive, tmp_path / "other")
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "other").exists()


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize(
    "name", ["state_dict_best0.pth", "G_ema_best1.pth", "D_best1.pth", "G_optim_best1.pth"]
)
def test_a_pickle_bomb_is_refused_unexploded(folder: Path, tmp_path: Path, name: str) -> None:
    torch.save({"best_FID": 1.0, "config": Bomb(tmp_path / "exploded")}, folder / name)
    with pytest.raises(InputError, match=rf"{name}: damaged, or it would run code"):
        import_icgan(folder, tmp_path / "artifact")
    assert not (tmp_path / "exploded").exists()
    assert not (tmp_path / "artifact").exists()


def test_one_copy_needs_no_description(folder: Path, tmp_path: Path) -> None:
    for path in [*folder.glob("state_dict*"), folder / "G_ema_best1.pth"]:
        path.unlink()
    assert artifacts.read_card(import_icgan(folder, tmp_path / "artifact")).origin.notes["copy"] == "best0"
    assert not artifacts.training_folder(tmp_path / "artifact").exists()


def test_two_copies_without_a_description_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "state_dict_best0.pth").unlink()
    with pytest.raises(InputError, match=r"state_dict_best0\.pth: missing; it tells which of two copies"):
        import_icgan(folder, tmp_path / "artifact")


def test_another_layout_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    classes = network_state(1)
    for name in [name for name in classes if "bn1.gain.weight" in name]:
        classes[name] = torch.zeros(len(classes[name]), classes[name].shape[1] + 4)
    torch.save(classes, folder / "G_ema_best1.pth")
    with pytest.raises(InputError, match="conditioned on more than an instance"):
        import_icgan(folder, tmp_path / "artifact")
    torch.save({"some.weight": torch.zeros(2)}, folder / "G_ema_best1.pth")
    with pytest.raises(InputError, match=r"no tensor shared_feat\.weight"):
        import_icgan(folder, tmp_path / "artifact")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="0 folders in it hold a G_ema_best"):
        import_icgan(tmp_path / "empty", tmp_path / "artifact")


def changed(path: Path, **tensors: Any) -> None:
    torch.save(torch.load(path, weights_only=True) | tensors, path)


HOSTILE = {
    "a scalar": {"linear.weight": torch.tensor(1.0)},
    "one axis": {"linear.weight": torch.zeros(3)},
    "one axis of a gain": {"blocks.0.0.bn1.gain.weight": torch.zeros(3)},
    "three axes": {"shared_feat.weight": torch.zeros(2, 2, 2)},
    "nothing": {"linear.weight": torch.zeros(0, 0)},
    "a far block": {f"blocks.{10**15}.1.gamma": torch.zeros(())},
    "a block without end": {f"blocks.{'9' * 5000}.1.gamma": torch.zeros(())},
    "a name of two lines": {"one\nother": torch.zeros(())},
    "attention where there is no block": {"blocks.7.1.gamma": torch.zeros(())},
    "whole numbers": {"output_layer.0.gain": torch.ones(16, dtype=torch.int64)},
}


@pytest.mark.parametrize("tensors", first(HOSTILE.values(), 3), ids=HOSTILE)
def test_a_generator_of_odd_tensors_is_refused_in_one_line(
    folder: Path, tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    changed(folder / "G_ema_best1.pth", **tensors)
    with pytest.raises(InputError, match=r"^\S*G_ema_best1\.pth: [^\n]{,400}$"):
        import_icgan(folder, tmp_path / "artifact")
    assert not (tmp_path / "artifact").exists()


@pytest.mark.parametrize(
    "tensors",
    [
        {"module.linear_feat.weight": torch.zeros(3)},
        {"module.blocks.0.0.conv1.weight": torch.tensor(1.0)},
        {f"module.blocks.{10**15}.1.gamma": torch.zeros(())},
        {"module.blocks.8.1.gamma": torch.zeros(())},
    ],
    ids=["one axis", "a scalar", "a far block", "attention where there is no block"],
)
def test_a_discriminator_of_odd_tensors_is_refused_in_one_line(
    folder: Path, tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    changed(folder / "D_best1.pth", **tensors)
    with pytest.raises(InputError, match=r"^\S*D_best1\.pth: [^\n]{,400}$"):
        import_icgan(folder, tmp_path / "artifact")


# Of shared_feat.weight.
ENTRY: dict[str, Any] = {
    "step": 7,
    "exp_avg": torch.zeros(6, 7),
    "exp_avg_sq": torch.ones(6, 7),
}


@pytest.mark.parametrize(
    "entry",
    first(
        [
            *(
                ENTRY | {"step": step}
                for step in ("7", [7], None, torch.zeros(2), torch.tensor(1j), 10**400, float("nan"))
            ),
            ENTRY | {"exp_avg": torch.zeros(6, 7, dtype=torch.complex64)},
            ENTRY | {"exp_avg": torch.zeros(6, 7).to_sparse()},
            [7],
            None,
            torch.zeros(3),
        ],
        2,
    ),
    ids=[
        *(f"step {word}" for word in ("text", "list", "none", "two", "complex", "huge", "nan")),
        "complex",
        "sparse",
        "list",
        "none",
        "tensor",
    ],
)
def test_an_optimizer_of_odd_entries_is_refused_in_one_line(folder: Path, tmp_path: Path, entry: Any) -> None:
    path = folder / "G_optim_best1.pth"
    content = torch.load(path, weights_only=True)
    assert content["state"][1]["exp_avg"].shape == ENTRY["exp_avg"].shape
    content["state"][1] = entry
    torch.save(content, path)
    with pytest.raises(InputError, match=r"G_optim_best1\.pth: not the optimizer of G_best1\.pth; remove it"):
        import_icgan(folder, tmp_path / "artifact")


def test_an_optimizers_numbers_count_from_zero(folder: Path, tmp_path: Path) -> None:
    path = folder / "G_optim_best1.pth"
    content = torch.load(path, weights_only=True)
    content["state"][1 - len(network_state(5))] = ENTRY
    torch.save(content, path)
    with pytest.raises(InputError, match=r"G_optim_best1\.pth: not the optimizer"):
        import_icgan(folder, tmp_path / "artifact")


@pytest.mark.parametrize(
    "fid",
    [torch.zeros(3), torch.zeros(0), float("nan"), 10**400, torch.tensor(1j)],
    ids=["three", "none", "nan", "huge", "complex"],
)
def test_a_fid_that_is_not_one_number_is_refused(folder: Path, tmp_path: Path, fid: Any) -> None:
    torch.save({"best_FID": fid}, folder / "state_dict_best1.pth")
    with pytest.raises(InputError, match=r"state_dict_best1\.pth: holds no best_FID; remove one of the two"):
        import_icgan(folder, tmp_path / "artifact")


def test_the_command_names_the_image_encoder_and_prints_the_licence(
    folder: Path, tmp_path: Path, tiny_image_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "artifact"
    given = ["import", "icgan", str(folder), "-o", str(target), "--image-encoder", str(tiny_image_encoder)]
    assert cli.main(given) == 0
    assert "NonCommercial" in capsys.readouterr().out
    card, encoder = artifacts.read_card(target), artifacts.read_card(tiny_image_encoder)
    artifacts.check_pair(card, encoder.fingerprint, target)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("fold", [True, False])
def test_an_imported_folder_draws_the_published_pictures(parity: Path, tmp_path: Path, fold: bool) -> None:
    shapes = json.loads((parity / "state_dict_keys.json").read_text())["g128"]
    root = tmp_path / "icgan_biggan_imagenet_res128"
    root.mkdir()
    torch.save(state(shapes), root / "G_ema_best0.pth")
    network = artifacts.load(import_icgan(root, tmp_path / "artifact"), kind="generator", fold=fold)
    feature_BD = torch.nn.functional.normalize(input_tensor("h_128", (2, 2048)).abs(), dim=1)
    drawn_BCHW = network(input_tensor("z_128", (2, 120)), feature_BD)
    expected = np.load(parity / "public.npz")
    small_BCHW = torch.nn.functional.adaptive_avg_pool2d(drawn_BCHW, 8)
    assert relative_error(small_BCHW, expected["icgan_g128/image_8x8_mean"]) < 1e-4
    assert published_icgan.ICGAN.licence in str(artifacts.read_card(tmp_path / "artifact").licence)
