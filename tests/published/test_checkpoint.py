import hashlib
import http.server
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sound2scene import artifacts
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.models.heads import ProjectionHead
from sound2scene.models.image_encoder import ImageEncoder
from sound2scene.published import checkpoint as published
from sound2scene.published.sound2scene import import_audio_encoder
from sound2scene.published.swav import import_swav
from sound2scene.types import InputError

State = dict[str, torch.Tensor]
Write = Callable[..., Path]
Import = Callable[..., Path]


@pytest.fixture(scope="module")
def audio_state() -> State:
    torch.manual_seed(0)
    own = AudioEncoder().state_dict()
    return OrderedDict(("audnet." + name.removeprefix("backbone."), tensor) for name, tensor in own.items())


@pytest.fixture(scope="module")
def swav_state() -> State:
    torch.manual_seed(0)
    backbone = ImageEncoder().backbone.state_dict()
    head = {
        f"projection_head.{name}": tensor for name, tensor in ProjectionHead(16, 16, 8).state_dict().items()
    }
    state = backbone | head | {"prototypes.weight": torch.zeros(30, 8)}
    return OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Write:
    def write(content: Any, name: str = "checkpoint.pth") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def refused(import_it: Import, path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        import_it(path, path.parent / "artifact")
    assert "\n" not in str(caught.value)
    assert not (path.parent / "artifact").exists()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_audio_encoder_comes_with_its_card(audio_state: State, checkpoint: Write, prefix: str) -> None:
    path = checkpoint({prefix + name: tensor for name, tensor in audio_state.items()}, "sound2scene.pth")
    folder = import_audio_encoder(path, path.parent / "artifact")
    loaded, card = artifacts.load(folder, "audio-encoder"), artifacts.read_card(folder)
    own = loaded.state_dict()
    for name, tensor in audio_state.items():
        inner = name.removeprefix("audnet.")
        assert torch.equal(own[inner if inner in own else f"backbone.{inner}"], tensor), name
    content = path.read_bytes()
    assert card.origin.source == {
        "address": "sound2scene.pth",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    assert card.preset == "paper"
    assert "states no licence" in card.licence
    assert loaded.final_relu


@pytest.mark.parametrize("layout", ["published", "training"])
def test_swav_comes_in_both_layouts_without_its_head(
    swav_state: State, checkpoint: Write, layout: str
) -> None:
    training = {
        "epoch": 3,
        "state_dict": swav_state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "amp": {},
    }
    path = checkpoint(swav_state if layout == "published" else training)
    folder = import_swav(path, path.parent / "artifact")
    own, card = artifacts.load(folder, "image-encoder").backbone.state_dict(), artifacts.read_card(folder)
    assert all(torch.equal(tensor, swav_state[f"module.{name}"]) for name, tensor in own.items())
    assert len(own) == 318
    assert len(card.origin.notes["left_out"]) == 10
    assert card.preset == "squeeze"
    assert "CC BY-NC 4.0" in card.licence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: {
                **{name: tensor for name, tensor in state.items() if ".fc." not in name},
                "audnet.pool.centroids": torch.zeros(16, 512),
                "audnet.fc_.weight": torch.zeros(2048, 8192),
            },
            r"2 missing \(fc\.bias, fc\.weight \.\.\.\); 2 unexpected \(fc_\.weight, pool\.centroids",
        ),
        (lambda state: state | {"audnet.fc2.weight": torch.zeros(8, 8)}, r"1 unexpected \(fc2\.weight"),
        (lambda state: state | {"audnet.fc.bias": torch.zeros(1024)}, r"1 of another shape \(fc\.bias"),
        (lambda state: state | {"audnet.fc.bias": torch.full((2048,), float("nan"))}, "fc.bias' holds NaN"),
        (lambda state: {"weights": [1, 2]}, "'weights' is not a tensor"),
        (lambda state: {}, "holds no state dict"),
        (lambda state: [torch.zeros(3)], "holds no state dict"),
    ],
    ids=["netvlad", "sound2vision", "width", "nan", "no tensors", "empty", "list"],
)
def test_other_audio_layouts_are_refused(
    audio_state: State, checkpoint: Write, change: Callable[[State], Any], message: str
) -> None:
    refused(import_audio_encoder, checkpoint(change(audio_state)), message)


def test_supervised_resnet_is_not_swav(swav_state: State, checkpoint: Write) -> None:
    path = checkpoint(swav_state | {"fc.weight": torch.zeros(1000, 2048)})
    refused(import_swav, path, r"1 unexpected \(fc.weight")


@pytest.mark.parametrize("new_container", [True, False])
@pytest.mark.parametrize("import_it", [import_audio_encoder, import_swav])
def test_pickle_bomb_is_refused_unexploded(tmp_path: Path, import_it: Import, new_container: bool) -> None:
    content = {"audnet.conv1.weight": torch.zeros(2), "bomb": Bomb(tmp_path / "exploded")}
    torch.save(content, tmp_path / "bomb.pth", _use_new_zipfile_serialization=new_container)
    refused(import_it, tmp_path / "bomb.pth", "would run code, which is refused")
    assert not (tmp_path / "exploded").exists()
    torch.load(tmp_path / "bomb.pth", weights_only=False)
    assert (tmp_path / "exploded").exists(), "the bomb of this test would not have exploded"


@pytest.mark.parametrize("new_container", [True, False])
@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_cut_checkpoint_is_refused(tmp_path: Path, keep: float, new_container: bool) -> None:
    path = tmp_path / "sound2scene.pth"
    torch.save({"audnet.fc.weight": torch.randn(99, 99)}, path, _use_new_zipfile_serialization=new_container)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    refused(import_audio_encoder, path, "not a readable checkpoint|damaged")


def test_missing_file_is_named(tmp_path: Path) -> None:
    refused(import_swav, tmp_path / "nowhere.pth", "nowhere.pth: no such file")


def test_import_from_an_address_downloads_once(
    audio_state: State, checkpoint: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint(audio_state, "sound2scene.pth")
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(path.parent))

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/sound2scene.pth"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("SOUND2SCENE_CACHE", str(tmp_path / "cache"))
        for name in ("first", "second"):
            import_audio_encoder(address, tmp_path / name)
        monkeypatch.setattr(
            published,
            "SOUND2SCENE",
            published.Published(f"{address}?id=7", "published.pth", "ask the authors"),
        )
        import_audio_encoder("published", tmp_path / "third")
        server.shutdown()
    assert asked == ["/sound2scene.pth", "/sound2scene.pth?id=7"]
    assert artifacts.read_card(tmp_path / "second").origin.source["address"] == address
    assert artifacts.read_card(tmp_path / "third").licence == "ask the authors"
    assert len(list((tmp_path / "cache").glob("*/published.pth"))) == 1
