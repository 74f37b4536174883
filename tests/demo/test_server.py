"""The page in a real browser, with the toy networks; one browser and one server for all of it."""

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from sound2scene.types import InputError

# Server, networks and browser share the machine for minutes, and beside other tests have stood still.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed (extra `demo`)"),
]
REPOSITORY = Path(__file__).resolve().parents[2]
SOUNDS = REPOSITORY / "experiments" / "sounds"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WAIT_MS = 60_000
DRAWN = "button.thumbnail-item img"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page as the command serves it: a process of its own, apart from the browser's driver."""
    command = [sys.executable, "-m", "sound2scene.cli", "demo", "--no-browser", "--device", "cpu"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = server.stdout.readline()
        assert told.endswith(": the page; Ctrl-C ends it\n"), told
        yield told.partition(": the page")[0]
        server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1200, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(WAIT_MS)
    opened = context.new_page()
    opened.goto(address)
    opened.get_by_role("button", name="Draw", exact=True).wait_for()
    yield opened
    context.close()


def status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def upload(page: Any, path: Path, name: str = "sound") -> None:
    page.locator(f"#{name} input[type=file]").set_input_files(path)


def drawn(page: Any) -> list[str]:
    page.locator(DRAWN).first.wait_for()
    return [str(one.get_attribute("src")) for one in page.locator(DRAWN).all()]


def change(page: Any, name: str, value: str) -> list[str]:
    """Set a slider, and wait for other pictures."""
    before = drawn(page)
    field = page.locator(f"#{name} input[type=number]")
    field.fill(value)
    field.press("Enter")
    page.wait_for_function(
        "([was, which]) => { const now = document.querySelector(which); return now && now.src !== was }",
        arg=[before[0], DRAWN],
    )
    return drawn(page)


def test_a_sound_is_drawn_controls_draw_anew_and_the_result_can_be_taken_home(
    page: Any, address: str, tmp_path: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    upload(page, SOUNDS / "bell.flac")
    assert len(drawn(page)) == 4
    for name, value in (("seed", "7"), ("truncation", "0.5"), ("volume", "-20")):
        change(page, name, value)
    with page.expect_download() as taken:
        page.get_by_text("Latent and noise (safetensors)").first.click()
    taken.value.save_as(tmp_path / "latent")
    assert {name: len(one.shape) for name, one in load_file(tmp_path / "latent").items()} == {
        "z_D": 1,
        "noise_JZ": 2,
    }
    with page.expect_download() as taken:
        page.get_by_text("Pictures (PNG)").first.click()
    taken.value.save_as(tmp_path / "strip")
    assert Image.open(tmp_path / "strip").size == (4 * 64, 64)
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    shown_HWC = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    assert len(np.unique(shown_HWC.reshape(-1, 3), axis=0)) > 500  # pictures, and no empty page
    hosts = {url.split("/")[2] for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {address.rstrip("/").split("/")[2]}


def test_a_second_sound_and_a_picture_change_what_is_drawn(page: Any, tmp_path: Path) -> None:
    page.get_by_role("button", name="bell.flac").first.click()
    drawn(page)
    page.get_by_text("Mix with a second sound").click()
    upload(page, SOUNDS / "rain.flac", "other")
    change(page, "share", "0.2")
    page.get_by_text("Blend with a picture").click()
    Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / "seen.png")
    upload(page, tmp_path / "seen.png", "picture")
    change(page, "blend", "0.9")


def test_a_picture_is_edited_by_volume_beside_what_it_was(
    page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sound2scene.control.search import Effort
    from sound2scene.demo import studio

    monkeypatch.setattr(studio, "EFFORT", Effort(3, 1, 3))
    Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / "seen.png")
    page.get_by_role("tab", name="Edit a picture by volume").click()
    page.get_by_role("button", name="Edit", exact=True).click()
    words = page.locator("[role=alert]:visible")
    words.wait_for()
    assert "needs a picture and a sound; give both" in words.inner_text()
    upload(page, tmp_path / "seen.png", "edit-picture")
    upload(page, SOUNDS / "rain.flac", "edit-sound")
    page.locator("#edit-sound").get_by_label("Clear", exact=True).wait_for()
    page.locator("#edit-picture img").wait_for()
    page.get_by_role("button", name="Edit", exact=True).click()
    assert len(drawn(page)) == 2
    assert page.get_by_text("as drawn").count() == 1


def test_what_is_no_sound_is_said_on_the_page_in_place_of_pictures(page: Any, tmp_path: Path) -> None:
    upload(page, SOUNDS / "bell.flac")
    drawn(page)
    (tmp_path / "<b>words.wav").write_text("no sound")
    page.get_by_label("Clear", exact=True).first.click()
    upload(page, tmp_path / "<b>words.wav")
    words = page.locator("#message [role=alert]").first
    words.wait_for()
    assert "not a sound that libsndfile or FFmpeg reads" in words.inner_text()
    assert page.locator(DRAWN).count() == 0


def test_two_visitors_at_once_both_get_their_pictures(page: Any, browser: Any, address: str) -> None:
    with browser.new_context() as context:
        other = context.new_page()
        other.goto(address)
        other.get_by_role("button", name="Draw", exact=True).wait_for(timeout=WAIT_MS)
        upload(page, SOUNDS / "bell.flac")
        upload(other, SOUNDS / "rain.flac")
        assert len(drawn(page)) == len(drawn(other)) == 4


@pytest.mark.parametrize(
    "path",
    [
        f"file={REPOSITORY / 'setup.cfg'}",
        "file=setup.cfg",
        "file=/etc/passwd",
        f"file={tempfile.gettempdir()}",
        "file=http://127.0.0.1:1/",
        "FILE=HTTPS://127.0.0.1:1/",
        "proxy=http://127.0.0.1:1/",
    ],
)
def test_nothing_outside_the_temporary_folder_is_readable(address: str, path: str) -> None:
    assert status(f"{address}gradio_api/{path}") in (403, 404)


def test_an_upload_beyond_the_limit_is_refused_before_it_is_sent(address: str) -> None:
    import http.client

    host = address.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(2**30))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_port_that_is_taken_is_one_line(address: str) -> None:
    from sound2scene.demo.server import serving

    port = int(address.rstrip("/").rsplit(":", 1)[1])
    with (
        pytest.raises(InputError, match=rf"cannot answer on 127\.0\.0\.1:{port} "),
        serving(None, [], port=port),
    ):
        pass


def test_the_temporary_folder_and_the_variables_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    from sound2scene.demo.server import serving

    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with serving(None, []):
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        assert folder.is_dir()
    assert not folder.exists()
    assert "GRADIO_TEMP_DIR" not in os.environ
