"""A file that would run code when it is unpickled."""

from collections.abc import Callable
from pathlib import Path


class Bomb:
    """Makes a file when it is unpickled.

    Attributes:
        path: File that tells that code ran.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)
