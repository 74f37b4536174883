import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from selected import first
from sound2scene import hub
from sound2scene.types import InputError
from web import serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOAD = "import sys; from sound2scene import artifacts; print(artifacts.read_card(sys.argv[1]).kind)"


@dataclass
class Hub:
    """A hub with one repository, `somebody/net`.

    Attributes:
        root: Its address.
        content: Files of the repository by name.
        asked: Method and path of every request.
    """

    root: str = ""
    content: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        self.asked.append(f"{handler.command} {path}")
        body, name = b"", ""
        if path.startswith("/api/models/somebody/net/revision/"):
            entries = [{"rfilename": name} for name in self.content]
            body = json.dumps({"id": "somebody/net", "sha": COMMIT, "siblings": entries}).encode()
        elif path == f"/api/models/somebody/net/tree/{COMMIT}":
            files = [
                {"type": "file", "path": name, "oid": name, "size": len(content)}
                for name, content in self.content.items()
            ]
            body = json.dumps(files).encode()
        elif path.startswith(f"/somebody/net/resolve/{COMMIT}/"):
            name = path.partition(f"{COMMIT}/")[2]
            body = self.content[name]
        else:
            handler.send_response(404)
            handler.send_header("X-Error-Code", "RepoNotFound")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream" if name else "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", f'"{name}"')
        handler.send_header("X-Repo-Commit", COMMIT)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)


@pytest.fixture
def host(tiny_image_encoder: Path) -> Iterator[Hub]:
    found = Hub()
    weights = (tiny_image_encoder / "weights.safetensors").read_bytes()
    card = (tiny_image_encoder / "card.json").read_bytes()
    found.content = {"card.json": card, "model.safetensors": weights, "pickle.bin": b"never asked for"}
    found.content |= {"small/card.json": card, "small/model.safetensors": weights}
    with serving(found.answer, threading.Event()) as port:
        found.root = f"http://127.0.0.1:{port}"
        yield found


def asked(host: Hub, address: str, home: Path, code: str = LOAD) -> subprocess.CompletedProcess[str]:
    """Ask for an artifact of the hub in a process of its own, which reads the hub's address at its start."""
    environment = os.environ | {"HF_ENDPOINT": host.root, "HF_HOME": str(home), "NO_PROXY": "*"}
    return subprocess.run(
        [sys.executable, "-c", code, address], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.costly
@pytest.mark.parametrize("address", first(["hf://somebody/net@main/small", "hf://somebody/net"]))
def test_an_artifact_of_the_hub_loads_and_needs_no_network_the_next_time(
    host: Hub, address: str, tmp_path: Path
) -> None:
    code = LOAD.replace("read_card(sys.argv[1]).kind", "load(sys.argv[1])")
    first = asked(host, address, tmp_path, code)
    assert first.returncode == 0, first.stderr
    assert "ImageEncoder" in first.stdout
    assert not any("pickle" in path for path in host.asked)
    seen = len(host.asked)
    offline = f"import os; os.environ['HF_HUB_OFFLINE'] = '1'; {LOAD}"
    second = asked(host, address, tmp_path, offline)
    assert second.stdout.split() == ["image-encoder"], second.stderr
    assert len(host.asked) == seen


@pytest.mark.costly
def test_a_repository_that_is_not_there_is_named(host: Hub, tmp_path: Path) -> None:
    done = asked(host, "hf://somebody/else", tmp_path)
    assert "InputError: hf://somebody/else: not to be had" in done.stderr
    assert "check owner, name and revision" in done.stderr


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    done = asked(Hub(root="http://127.0.0.1:9"), "hf://somebody/net", tmp_path)
    assert "InputError: hf://somebody/net: the hub cannot be reached, and no copy is here" in done.stderr


@pytest.mark.costly
def test_a_hub_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "2")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections wait in its queue for ever
        root = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = asked(Hub(root=root), "hf://somebody/net", tmp_path)
    assert "InputError: hf://somebody/net: the hub cannot be reached, and no copy is here" in done.stderr


@pytest.mark.parametrize(
    "address", ["hf://one", "hf://a/b/../../c", "hf://a/b@", "hf://a/b?x", "hf://a/b@x@y"]
)
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="no address on the hub"):
        hub.snapshot(address)


def test_paths_of_folders_are_no_addresses() -> None:
    assert hub.is_address(Path("hf://owner/name"))
    assert not hub.is_address("artifacts/hf/name")
    assert not hub.is_address(Path("hf"))
