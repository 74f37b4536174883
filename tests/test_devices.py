from pathlib import Path

import pytest
import torch
import torch._dynamo  # reads, at its first import, what tests here replace
from torch import nn

from sound2scene import cli
from sound2scene.devices import available, device_named, training_layout
from sound2scene.types import InputError


def test_what_is_there_is_found() -> None:
    assert available()[0] == "cpu"
    assert all(device_named(name) == torch.device(name) for name in available())


def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert available()[:4] == ["cpu", "cuda", "cuda:0", "cuda:1"]
    assert device_named().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named().type == "cpu"


@pytest.mark.parametrize("name", ["nope", "cuda", "cuda:7", "mps", "meta", "cpu:3", "", "cuda:-1", "xla"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"is not on this machine; choose among cpu$"):
        device_named(name)
    assert cli.main(["generate", "a.wav", "-o", str(tmp_path / "out"), "--device", name]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("channels", "processor", "has_gpu", "layout"),
    [
        (64, "AVX2", False, torch.contiguous_format),
        (64, "AVX512", False, torch.channels_last),
        (64, "AVX2", True, torch.channels_last),
        (8, "AVX2", False, torch.channels_last),
    ],
)
def test_wide_networks_train_channels_first_on_processors_of_avx2_alone(
    channels: int,
    processor: str,
    has_gpu: bool,
    layout: torch.memory_format,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    network = nn.Sequential(nn.Conv2d(1, channels, 3), nn.Conv2d(channels, 8, 3))
    assert training_layout(network) == layout


def test_a_network_without_convolutions_has_a_layout() -> None:
    assert training_layout(nn.Linear(2, 2)) == torch.channels_last
