"""The server behind the page: its temporary folder, what it lets be read, and turns for visitors."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from sound2scene.demo.limits import LARGEST_BYTES
from sound2scene.demo.studio import Studio
from sound2scene.types import InputError

WAITING = 32  # visitors in the queue; the next one is told to come back
_FORM_BYTES = 2**16  # what an upload has beside the file
_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class Guard:
    """Refuses a request that is too large before it is read, and any that would fetch from another host.

    Gradio looks at the size of an upload while it writes it, and fetches addresses for whoever asks.

    Args:
        app: What answers the others.
    """

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "http" and (status := self._refused(scope)):
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)

    @staticmethod
    def _refused(scope: _Scope) -> int:
        path = scope["path"].lower()
        if "proxy=" in path or "file=http:" in path or "file=https:" in path:
            return 403
        length = dict(scope["headers"]).get(b"content-length", b"0")
        is_large = not length.isdigit() or int(length[:20]) > LARGEST_BYTES + _FORM_BYTES
        return 413 if is_large else 0


@contextmanager
def serving(
    studio: Studio,
    sounds: Sequence[Path],
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = False,
) -> Iterator[str]:
    """The page, as long as the context lasts; all that visitors hand in is gone then.

    Args:
        studio: Draws.
        sounds: Sounds to choose from.
        host: Address of this machine on which it answers.
        port: Port; by default the first free one from 7860.
        browser: Open it in a browser.

    Yields:
        Address of the page.

    Raises:
        InputError: If gradio is not installed, or the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="sound2scene-demo-", ignore_cleanup_errors=True) as temporary:
        folder = os.path.realpath(temporary)
        with _environment(GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED="False"):
            blocks, settings = _page(studio, Path(folder), sounds)
            try:
                _, address, _ = blocks.launch(
                    server_name=host, server_port=port, inbrowser=browser, **settings
                )
            except OSError as error:
                where = f"{host}:{port}" if port else host
                raise InputError(
                    f"demo: cannot answer on {where} ({error}); choose another --host or --port"
                ) from None
            try:
                yield str(address)
            finally:
                blocks.close(verbose=False)


def _page(studio: Studio, folder: Path, sounds: Sequence[Path]) -> tuple[Any, dict[str, Any]]:
    """The page, and how it is launched."""
    try:
        import gradio as gr
    except ImportError:
        raise InputError("demo: gradio is not installed; pip install 'sound2scene[demo]'") from None
    from sound2scene.demo.page import CSS, FONTS, page

    blocks = page(studio, folder, sounds).queue(max_size=WAITING, default_concurrency_limit=1, api_open=False)
    settings = {
        "share": False,
        "quiet": True,
        "prevent_thread_lock": True,
        "footer_links": [],
        "allowed_paths": [],
        "max_file_size": LARGEST_BYTES,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "css": CSS,
        "theme": gr.themes.Default(**FONTS),
        "app_kwargs": {"middleware": [(Guard, (), {})]},
    }
    return blocks, settings


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Variables of the environment, which are as before afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
