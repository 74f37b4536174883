from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bombs import Bomb
from sound2scene.types import InputError
from sound2scene.weights import fill, read, state_of


def refused(message: str, job: Callable[..., Any], *arguments: Any) -> None:
    with pytest.raises(InputError, match=message) as caught:
        job(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.costly
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_tensors_come_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    path, weight = tmp_path / f"weights.{suffix}", torch.randn(3, 4)
    save_file({"weight": weight}, path) if suffix == "safetensors" else torch.save({"weight": weight}, path)
    assert torch.equal(state_of(path)["weight"], weight)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"epoch": 3, "state_dict": state}])
def test_names_lose_what_a_wrapper_put_before_them(
    tmp_path: Path, wrap: Callable[[dict[str, Tensor]], dict[str, Any]]
) -> None:
    torch.save(wrap({"module.a": torch.zeros(1), "b": torch.zeros(2)}), tmp_path / "weights.pth")
    assert sorted(state_of(tmp_path / "weights.pth")) == ["a", "b"]


@pytest.mark.parametrize("new_container", [True, False])
def test_a_file_that_would_run_code_is_refused(tmp_path: Path, new_container: bool) -> None:
    path, mark = tmp_path / "bomb.pth", tmp_path / "exploded"
    torch.save({"bomb": Bomb(mark)}, path, _use_new_zipfile_serialization=new_container)
    refused(r"bomb\.pth: damaged, or it would run code, which is refused", read, path)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the bomb of this test would not have exploded"


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_a_cut_file_is_refused(tmp_path: Path, keep: float, kind: str) -> None:
    path = tmp_path / ("cut.safetensors" if kind == "safetensors" else "cut.pth")
    state = {"weight": torch.randn(99, 99)}
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    refused(r"cut\..*: (not readable as weights|damaged)", state_of, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": [1, 2]}, "'weights' is not a tensor"),
        ({}, "holds no state dict"),
        ([torch.zeros(3)], "holds no state dict"),
        ({"state_dict": {}}, "holds no state dict"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "weights.pth")
    refused(message, state_of, tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": torch.zeros(1)}, r"1 unexpected \(more"),
        ({"weight": torch.zeros(2, 2)}, r"1 of another shape \(weight"),
        ({"weight": torch.zeros(2, 3, dtype=torch.int64)}, r"1 of another type \(weight"),
        ({"bias": torch.full((2,), torch.nan)}, "tensor 'bias' holds NaN or infinity"),
        ({"bias": torch.full((2,), torch.inf)}, "tensor 'bias' holds NaN or infinity"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(change: dict[str, Tensor], message: str) -> None:
    given = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)} | change
    refused(rf"given\.pth: .*{message}", fill, nn.Linear(3, 2), given, Path("given.pth"))


def test_missing_tensors_are_refused_by_name() -> None:
    refused(r"1 missing \(bias", fill, nn.Linear(3, 2), {"weight": torch.zeros(2, 3)}, Path("given.pth"))


def test_a_network_is_filled_with_what_it_is_given() -> None:
    network, given = nn.Linear(3, 2), {"weight": torch.randn(2, 3), "bias": torch.randn(2)}
    fill(network, given, Path("given.pth"))
    assert torch.equal(network.weight, given["weight"])
    assert network.weight.requires_grad
