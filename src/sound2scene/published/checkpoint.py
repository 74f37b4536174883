"""A published checkpoint as a local file, whether it lies here or on the web."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sound2scene.download import fetched
from sound2scene.types import InputError


@dataclass(frozen=True)
class Published:
    """Where a published checkpoint lies, and what is known of its terms of use.

    Attributes:
        address: The authors' own http or https address.
        name: File name in the cache.
        licence: Notice for the card.
        page: Where a browser finds it.
        sha256: Its checksum, where its authors or others told it.
        size_bytes: Its size, where that is known.
    """

    address: str
    name: str
    licence: str
    page: str = ""
    sha256: str | None = None
    size_bytes: int | None = None


@contextmanager
def obtained(source: str | os.PathLike[str], published: Published) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The checkpoint as a local file, and where it came from, for a block that reads it.

    A download that the block refuses by an InputError is not kept.

    Args:
        source: A file, an http or https address, or "published" for the authors' address.
        published: What "published" stands for.

    Raises:
        InputError: If there is no such file, or it cannot be downloaded.
    """
    address = published.address if source == "published" else os.fspath(source)
    with ExitStack() as stack:
        if re.match(r"https?://", address):
            name, sha256 = None, None
            if address == published.address:
                name, sha256 = published.name, published.sha256
            path = stack.enter_context(fetched(address, name, sha256))
        else:
            path = Path(address)
            if not path.is_file():
                raise InputError(f"{path}: no such file; give a checkpoint, its http address, or 'published'")
            address = path.name
        yield path, described(path, address)


def described(path: Path, address: str) -> dict[str, Any]:
    """A file as a card tells where weights are from: its address or name, sha256 and bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"address": address, "sha256": digest, "bytes": path.stat().st_size}
