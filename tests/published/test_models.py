import hashlib
import http.server
import io
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from selected import first
from sound2scene import artifacts, cli, download
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.models.biggan import Generator
from sound2scene.published import models
from sound2scene.published.checkpoint import Published
from sound2scene.published.models import MODELS, Model, Part, obtain
from sound2scene.types import InputError
from web import serving

SMALL: dict[str, Any] = {"resolution": 64, "channels": 8, "attention": [32], "z_dim": 10, "feature_dim": 6}


@dataclass
class Host:
    """A web server with files by path; what is not there, it has moved away.

    Attributes:
        root: Its address.
        content: The files.
        pages: Paths at which a page stands in place of the file, as Google Drive asks back.
        cut: Bytes after which the next answers end.
        asked: Path and Range of every request.
    """

    root: str = ""
    content: dict[str, bytes] = field(default_factory=dict)
    pages: set[str] = field(default_factory=set)
    cut: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path, wanted = handler.path.partition("?")[0], handler.headers.get("Range", "")
        self.asked.append(f"{path} {wanted}".strip())
        if path in self.pages:
            body, kind = b"<form>Google Drive can't scan this file for viruses.</form>", "text/html"
        elif path in self.content:
            body, kind = self.content[path], "application/octet-stream"
        else:
            handler.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Type", kind)
        handler.send_header("ETag", '"one"')
        handler.send_header("Content-Length", str(len(body) - start))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.end_headers()
        rest = body[start:]
        handler.wfile.write(rest[: self.cut.pop(0)] if self.cut else rest)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("SOUND2SCENE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("sound2scene.download.FIRST_WAIT_S", 0.01)
    web = Host()
    with serving(web.answer, threading.Event()) as port:
        web.root = f"http://127.0.0.1:{port}"
        yield web


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def archive(width: int) -> bytes:
    """A published folder of a small generator for features of a width, as a .tar.gz."""
    torch.manual_seed(0)
    content = saved(OrderedDict(Generator(**SMALL, z_image_dim=width).state_dict()))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("icgan/G_ema_best0.pth")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def small(host: Host, tiny_image_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A model `small` of which only the generator has to be downloaded."""
    host.content["/icgan.tar.gz"] = archive(7)
    published = Published(
        f"{host.root}/icgan.tar.gz", "icgan.tar.gz", "no commercial use", "https://authors.org/page"
    )
    offer(published, tiny_image_encoder, monkeypatch)
    return published


def offer(published: Published, image_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {"image_encoder": str(image_encoder), "audio_encoder": str(image_encoder)}
    part = Part(published, models.import_icgan)
    monkeypatch.setitem(MODELS, "small", Model("for tests", {"generator": part}, folders))


def test_every_model_has_every_network_once_and_tells_where_it_is_found_by_hand() -> None:
    for name, model in MODELS.items():
        assert sorted([*model.parts, *model.folders]) == sorted(models.ROLES), name
        for part in model.parts.values():
            assert part.published.page.startswith("https://")
            assert part.published.licence


def test_the_toy_model_needs_no_network(host: Host) -> None:
    assert obtain("toy")["generator"] == Path(MODELS["toy"].folders["generator"])
    assert all(models.lies_here("toy", role) for role in models.ROLES)
    assert host.asked == []


def test_the_second_run_needs_no_network_and_the_licence_is_printed_once(
    host: Host, small: Published, tiny_image_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = obtain("small")
    told = capsys.readouterr().err
    assert "no commercial use" in told
    assert small.address in told
    card = artifacts.read_card(found["generator"])
    assert artifacts.encoder_of(card, "") == artifacts.read_card(tiny_image_encoder).fingerprint
    host.content.clear()
    assert obtain("small") == found
    assert capsys.readouterr().err == ""
    assert host.asked == ["/icgan.tar.gz"]


def test_a_broken_download_goes_on_where_it_ended(host: Host, small: Published) -> None:
    host.cut = [40_000]
    obtain("small")
    kept = 2 * download.CHUNK_BYTES
    assert host.asked == ["/icgan.tar.gz", f"/icgan.tar.gz bytes={kept}-"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("moved", "HTTP 404"), ("page", "a web page, not a file"), ("noise", "not a readable")],
)
def test_what_cannot_be_had_names_the_page_and_the_option_in_one_line(
    host: Host, small: Published, fault: str, reason: str
) -> None:
    if fault == "moved":
        host.content.clear()
    elif fault == "page":
        host.pages.add("/icgan.tar.gz")
    else:
        host.content["/icgan.tar.gz"] = b"noise" * 1000
    with pytest.raises(InputError, match=reason) as caught:
        obtain("small")
    told = str(caught.value)
    assert "\n" not in told
    assert "https://authors.org/page" in told
    assert "sound2scene models small --generator FILE" in told
    assert not models.lies_here("small", "generator")


@pytest.mark.parametrize("is_right", [True, False])
def test_a_known_checksum_is_asked_of_the_download(
    host: Host, small: Published, tiny_image_encoder: Path, monkeypatch: pytest.MonkeyPatch, is_right: bool
) -> None:
    sha256 = hashlib.sha256(host.content["/icgan.tar.gz"]).hexdigest() if is_right else "0" * 64
    offer(replace(small, sha256=sha256), tiny_image_encoder, monkeypatch)
    if is_right:
        obtain("small")
    else:
        with pytest.raises(InputError, match="not the expected 0000"):
            obtain("small")
    assert models.lies_here("small", "generator") is is_right


def test_a_file_that_was_fetched_by_hand_takes_the_place_of_the_download(
    host: Host, small: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "by_hand.tar.gz"
    path.write_bytes(host.content.pop("/icgan.tar.gz"))
    assert cli.main(["models", "small", "--generator", str(path)]) == 0
    assert "generator: " in capsys.readouterr().out
    obtain("small")
    assert host.asked == []
    assert cli.main(["models", "small", "--generator", str(tmp_path / "none.tar.gz")]) == 2
    assert "none.tar.gz" in capsys.readouterr().err
    assert models.lies_here("small", "generator")
    assert cli.main(["models", "toy", "--generator", str(path)]) == 2


def test_an_unknown_model_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match="lists toy, sound2scene-vggsound"):
        obtain("nonsense")


@pytest.mark.slow
@pytest.mark.parametrize("training", first([True, False]))
def test_the_paper_model_comes_in_the_layouts_in_which_it_is_published_and_draws(
    host: Host,
    audio_state: OrderedDict[str, Tensor],
    swav_state: OrderedDict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    training: bool,
) -> None:
    audio = {f"module.{name}": tensor for name, tensor in audio_state.items()} if training else audio_state
    swav = {"epoch": 1, "state_dict": swav_state, "optimizer": {}, "amp": {}} if training else swav_state
    host.content = {"/swav": saved(swav), "/audio": saved(audio), "/icgan": archive(2048)}
    model = MODELS["sound2scene-vggsound"]
    paths = {"image_encoder": "/swav", "audio_encoder": "/audio", "generator": "/icgan"}
    parts = {
        role: replace(part, published=replace(part.published, address=f"{host.root}{paths[role]}?id=7"))
        for role, part in model.parts.items()
    }
    monkeypatch.setitem(MODELS, "sound2scene-vggsound", replace(model, parts=parts))
    found = obtain("sound2scene-vggsound")
    assert host.asked == ["/swav", "/audio", "/icgan"]
    assert not artifacts.training_folder(found["generator"]).exists()
    scene = SoundToScene(found["audio_encoder"], found["generator"], "cpu")
    drawn = scene.draw(scene.encode(torch.randn(1, 160_000) / 10), draws=2)
    assert drawn.shape == (1, 2, 3, 64, 64)


def test_another_image_encoder_makes_the_others_anew(
    host: Host, small: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_image_encoder: Path
) -> None:
    def copied(
        source: Any, folder: Any, /, *, image_encoder: str | None = None, published: Published
    ) -> Path:
        return artifacts.copy(tiny_image_encoder, folder)

    part = Part(small, copied)
    generator = Part(small, models.import_icgan)
    known = {"audio_encoder": str(tiny_image_encoder)}
    monkeypatch.setitem(MODELS, "small", Model("", {"image_encoder": part, "generator": generator}, known))
    obtain("small")
    made: list[str] = []
    monkeypatch.setattr(models, "_make", lambda name, role, found, given: made.append(role))
    obtain("small", {"image_encoder": tmp_path})
    assert made == ["image_encoder"]
    states = iter([None, "another"])
    monkeypatch.setattr(models, "_fingerprint", lambda folder: next(states, "another"))
    obtain("small", {"image_encoder": tmp_path})
    assert made == ["image_encoder", "image_encoder", "generator"]
