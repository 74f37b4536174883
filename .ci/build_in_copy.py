"""Builds the package in a copy of the checkout: setuptools leaves `build` and an `egg-info` where it works.

An editable install needs the checkout itself, and goes to setuptools as it is.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import build_editable, prepare_metadata_for_build_editable

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

# All that a wheel or an archive of sources is made of, apart from what it takes of `experiments`.
PARTS = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", ".ci", "src")

EXPERIMENTS, SHIPPED = "experiments", os.path.join("src", "sound2scene", "shipped")
# Recipes, protocols, artifacts and sounds: what is of use without the repository.
TAKEN = (".yaml", ".json", ".safetensors", ".flac")


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel; see PEP 517."""
    target = os.path.abspath(wheel_directory)
    with _copy():
        return build_meta.build_wheel(target, config_settings)


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Build an archive of sources; see PEP 517."""
    target = os.path.abspath(sdist_directory)
    with _copy():
        return build_meta.build_sdist(target, config_settings)


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    """Write the metadata of the wheel; see PEP 517."""
    target = os.path.abspath(metadata_directory)
    with _copy():
        return build_meta.prepare_metadata_for_build_wheel(target, config_settings)


@contextmanager
def _copy() -> Iterator[None]:
    """Work in a copy of what is in the current folder, without what building and running left there."""
    checkout = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            source, target = os.path.join(checkout, part), os.path.join(folder, part)
            if os.path.isdir(source):
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
            else:
                shutil.copy2(source, target)
        # An archive of sources has its copy already.
        if os.path.isdir(EXPERIMENTS):
            shutil.copytree(EXPERIMENTS, os.path.join(folder, SHIPPED), ignore=_left_out)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(checkout)


def _left_out(folder: str, names: list[str]) -> list[str]:
    """What of a folder of `experiments` is not shipped."""
    if os.path.basename(folder) == "benchmarks":
        return names
    return [
        name for name in names if not name.endswith(TAKEN) and not os.path.isdir(os.path.join(folder, name))
    ]
