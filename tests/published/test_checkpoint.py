import tarfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bombs import Bomb
from hostile_server import HostileServer, hostile_server
from sound2scene import artifacts
from sound2scene.published import sound2scene
from sound2scene.published.checkpoint import Published
from sound2scene.published.icgan import import_icgan
from sound2scene.published.sound2scene import import_audio_encoder
from sound2scene.published.swav import import_swav

IMPORTS = [import_audio_encoder, import_swav, import_icgan]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOUND2SCENE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def web(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with hostile_server() as server:
        yield server


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.parametrize("import_it", IMPORTS)
def test_a_missing_file_is_named(
    tmp_path: Path, import_it: Callable[..., Path], refused: Callable[..., None]
) -> None:
    refused(import_it, tmp_path / "nowhere.pth", "nowhere.pth: no such file; give a checkpoint")


@pytest.mark.costly
def test_an_import_from_an_address_downloads_once_and_records_what_it_read(
    web: HostileServer,
    cache: Path,
    audio_state: OrderedDict[str, Tensor],
    checkpoint: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    web.content = checkpoint(audio_state).read_bytes()
    for name in ("first", "second"):
        import_audio_encoder(web.address, tmp_path / name)
    published = Published(f"{web.address}?id=7", "published.pth", "ask the authors")
    monkeypatch.setattr(sound2scene, "SOUND2SCENE", published)
    import_audio_encoder("published", tmp_path / "third")
    assert web.asked == ["/weights/net.pth", "/weights/net.pth?id=7"]
    assert (artifacts.read_card(tmp_path / "second").origin.source or {})["address"] == web.address
    assert artifacts.read_card(tmp_path / "third").licence == "ask the authors"
    assert left(cache) == ["net.pth", "net.pth.sha256", "published.pth", "published.pth.sha256"]


@pytest.mark.parametrize("import_it", IMPORTS)
@pytest.mark.parametrize("behaviour", ["", "empty", "gzip", "page", "part"])
def test_what_an_importer_does_not_accept_is_not_kept(
    web: HostileServer,
    cache: Path,
    refused: Callable[..., None],
    import_it: Callable[..., Path],
    behaviour: str,
) -> None:
    web.behaviour = behaviour  # the content is noise
    refused(import_it, web.address, "net.pth")
    assert left(cache) == []


@pytest.mark.costly
def test_a_poisoned_download_of_before_is_not_kept_for_ever(
    web: HostileServer,
    cache: Path,
    audio_state: OrderedDict[str, Tensor],
    checkpoint: Callable[..., Path],
    refused: Callable[..., None],
    tmp_path: Path,
) -> None:
    web.content = checkpoint(audio_state).read_bytes()
    import_audio_encoder(web.address, tmp_path / "first")
    (path,) = cache.rglob("net.pth")
    path.write_bytes(b"")
    path.with_name("net.pth.sha256").write_text(f"# {web.address}\n{EMPTY_SHA256}  net.pth\n")
    refused(import_audio_encoder, web.address, "net.pth")
    import_audio_encoder(web.address, tmp_path / "second")


EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("new_container", [True, False])
@pytest.mark.parametrize("import_it", IMPORTS)
def test_pickle_bomb_is_refused_unexploded(
    tmp_path: Path, refused: Callable[..., None], import_it: Callable[..., Path], new_container: bool
) -> None:
    path = tmp_path / "G_ema.pth"
    content = {"audnet.conv1.weight": torch.zeros(2), "bomb": Bomb(tmp_path / "exploded")}
    torch.save(content, path, _use_new_zipfile_serialization=new_container)
    source = path
    if import_it is import_icgan:
        source = tmp_path / "model.tar.gz"
        with tarfile.open(source, "w:gz") as tar:
            tar.add(path, "model/G_ema.pth")
    refused(import_it, source, "would run code, which is refused")
    assert not (tmp_path / "exploded").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "exploded").exists(), "the bomb of this test would not have exploded"


def test_an_archive_is_unpacked_nowhere_near_it_and_leaves_nothing(
    tmp_path: Path, refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "G_ema.pth").write_bytes(b"noise")
    (tmp_path / "given").mkdir()
    with tarfile.open(tmp_path / "given" / "model.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "G_ema.pth", "model/G_ema.pth")
    refused(import_icgan, tmp_path / "given" / "model.tar.gz", "G_ema.pth: not readable as weights|damaged")
    assert [path.name for path in (tmp_path / "given").iterdir()] == ["model.tar.gz"]
    assert list((tmp_path / "temporary").iterdir()) == []
