from pathlib import Path

import pytest
import torch

from sound2scene import cli
from sound2scene.devices import available, device_named
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
