"""Artifacts on the Hugging Face hub, by `hf://owner/name`, through the hub's own library.

What is asked for lies in that library's cache afterwards (`HF_HOME`), and works without a network then. A hub
that says nothing for as long as `HF_HUB_ETAG_TIMEOUT` says, by default 10 s, counts as one without a route.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

from sound2scene.types import InputError

# The name by which the hub counts parameters; `export` writes it.
WEIGHTS = "model.safetensors"
CARD = "card.json"
_NAME = r"[\w-][\w.-]*"
# A Path makes one slash of two.
_ADDRESS = re.compile(
    rf"hf:/{{1,2}}(?P<repository>{_NAME}/{_NAME})(?:@(?P<revision>{_NAME}))?"
    rf"(?:/(?P<folder>{_NAME}(?:/{_NAME})*))?"
)


def is_address(path: str | os.PathLike[str]) -> bool:
    """Whether a path is meant for the hub."""
    return Path(path).as_posix().startswith("hf:/")


def snapshot(address: str | os.PathLike[str]) -> Path:
    """The folder of an artifact on the hub, downloaded if need be: its card and weights, nothing else.

    Args:
        address: `hf://owner/name`, `hf://owner/name@revision` or either with `/folder` behind it.

    Raises:
        InputError: If it is no such address, or there is no such repository, revision or artifact, or the hub
            cannot be reached and the artifact is not in the cache.
    """
    return _snapshot(Path(address).as_posix())


@cache
def _snapshot(named: str) -> Path:
    """The folder of an address; the hub is asked once, so that all of a process comes from one revision."""
    found = _ADDRESS.fullmatch(named)
    if found is None:
        raise InputError(f"{named}: no address on the hub; write hf://owner/name[@revision][/folder]")
    shown = named.replace("hf:/", "hf://", 1) if not named.startswith("hf://") else named
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    inside = f"{found['folder']}/" if found["folder"] else ""
    answers = _answers(found["repository"])
    try:
        folder = snapshot_download(
            found["repository"],
            revision=found["revision"],
            allow_patterns=[inside + CARD, inside + WEIGHTS],
            library_name="sound2scene",
            local_files_only=not answers,
        )
    except LocalEntryNotFoundError:
        raise InputError(f"{shown}: the hub cannot be reached, and no copy is here; try again") from None
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{shown}: not to be had ({reason}); check owner, name and revision") from None
    return Path(folder, *inside.split("/"))


def _answers(repository: str) -> bool:
    """Whether the hub says anything of a repository in time, be it that there is none.

    The library itself waits as long as the system does for a name or a connection, to each address in turn:
    more than a minute where packets are lost. So a thread asks, and nobody waits for that.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    said, done = threading.Event(), threading.Event()

    def ask() -> None:
        with suppress(Exception):  # connections fail in many ways
            with suppress(HfHubHTTPError):
                HfApi().model_info(repository, timeout=constants.HF_HUB_ETAG_TIMEOUT)
            said.set()
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    done.wait(constants.HF_HUB_ETAG_TIMEOUT)
    return said.is_set()
