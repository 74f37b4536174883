"""Print versions, devices, media libraries, what is missing and the remedy.

Every finding is taken from the thing itself (a codec is opened, a package is imported), because a version
number alone does not show that torchaudio and torch were built for different CUDA versions.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from sound2scene.commands.parser import Command, Option

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Status = Literal["ok", "note", "missing"]
PACKAGE = "sound2scene"
REINSTALL = "make install, or pip install '{}'"
# Compiled parts that can be present, in range, and still not load.
COMPILED = ("torch", "torchvision", "torchaudio")
CODECS: tuple[tuple[str, Literal["r", "w"]], ...] = (
    ("h264", "r"),
    ("aac", "r"),
    ("mp3", "r"),
    ("libx264", "w"),
    ("aac", "w"),
)
FREE_DISK_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        area: What it is about: python, packages, devices, media, tracking or disk.
        name: The thing looked at.
        found: What was found there, in words.
        status: ``ok``; ``note`` for what only some work needs; ``missing`` for what everything needs.
        remedy: What to do about it; empty where nothing is to be done.
    """

    area: str
    name: str
    found: str
    status: Status = "ok"
    remedy: str = ""


def report() -> list[Finding]:
    """Look at python, packages, devices, media libraries, tracking and disk; as slow as `import torch`."""
    return [*_python(), *_packages(), *_devices(), *_media(), _tracking(), disk(Path.cwd())]


def doctor(*, as_json: Annotated[bool, Option("--json")] = False) -> int:
    """Print what this machine has, what it lacks and the remedy; status 1 if anything is missing.

    Args:
        as_json: Print a JSON list of findings instead of a table.
    """
    findings = report()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        print("\n".join(_table(findings)))
    return int(any(finding.status == "missing" for finding in findings))


def requirement(wanted: Requirement) -> Finding:
    """Compare one installed package with the range it must lie in."""
    from importlib import metadata

    remedy = REINSTALL.format(wanted)
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return Finding("packages", wanted.name, "not installed", "missing", remedy)
    if not wanted.specifier.contains(version, prereleases=True):
        return Finding("packages", wanted.name, f"{version}, outside {wanted.specifier}", "missing", remedy)
    return Finding("packages", wanted.name, version)


def importable(module: str) -> Finding | None:
    """Load a compiled package; a finding only where it fails."""
    try:
        importlib.import_module(module)
    except Exception as error:  # A library that does not load raises OSError, ImportError, RuntimeError ...
        words = " ".join(str(error).split())[:160]
        return Finding(
            "packages", f"import {module}", f"{type(error).__name__}: {words}", "missing", "make install"
        )
    return None


def codec(name: str, mode: Literal["r", "w"]) -> Finding:
    """Open one FFmpeg codec for reading or writing, as PyAV ships it."""
    import av

    title = f"{name} {'decoder' if mode == 'r' else 'encoder'}"
    try:
        av.Codec(name, mode)
    except ValueError:  # PyAV's UnknownCodecError
        remedy = "install PyAV from its wheel, which bundles FFmpeg: make install"
        return Finding("media", title, "not in this FFmpeg", "missing", remedy)
    return Finding("media", title, "present")


def disk(folder: Path, needed_gb: float = FREE_DISK_GB) -> Finding:
    """Free space where data, runs and artifacts are written; shards grow, so little space is a note only."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        remedy = f"free {needed_gb:g} GB, or work in a folder on another disk"
        return Finding("disk", "free here", f"{free_gb:.1f} GB", "note", remedy)
    return Finding("disk", "free here", f"{free_gb:.1f} GB")


def _python() -> Iterator[Finding]:
    from importlib import metadata

    from packaging.specifiers import SpecifierSet

    version = platform.python_version()
    try:
        about = metadata.metadata(PACKAGE)
    except metadata.PackageNotFoundError:
        yield Finding("python", PACKAGE, "not installed", "missing", "make install, or pip install -e .")
        return
    yield Finding("python", PACKAGE, about["Version"])
    supported = SpecifierSet(about["Requires-Python"])
    if supported.contains(version, prereleases=True):
        yield Finding("python", "python", f"{version} on {platform.platform()}, {sys.executable}")
    else:
        yield Finding(
            "python", "python", f"{version}, outside {supported}", "missing", f"install Python {supported}"
        )


def _packages() -> Iterator[Finding]:
    from importlib import metadata

    from packaging.requirements import Requirement

    try:
        lines = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # `_python` has said so
        lines = []
    for wanted in map(Requirement, lines):
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield requirement(wanted)
    yield from filter(None, map(importable, COMPILED))


def _devices() -> Iterator[Finding]:
    yield Finding("devices", "processor", f"{os.cpu_count()} cores{_memory()}")
    try:
        import torch
    except Exception:  # `_packages` has said so
        return
    yield Finding("devices", "torch threads", str(torch.get_num_threads()))
    built_for = torch.version.cuda
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield Finding(
            "devices", f"cuda:{index}", f"{device.name}, {device.total_memory / 1e9:.0f} GB, CUDA {built_for}"
        )
    if not torch.cuda.is_available():
        yield _no_cuda(built_for)
    if torch.backends.mps.is_available():
        yield Finding("devices", "mps", "available")


def _no_cuda(built_for: str | None) -> Finding:
    if shutil.which("nvidia-smi") is None:
        return Finding("devices", "cuda", "none")
    remedy = f"the installed torch is built for CUDA {built_for}: check the driver with nvidia-smi"
    return Finding("devices", "cuda", "a driver, but no device that torch can use", "note", remedy)


def _media() -> Iterator[Finding]:
    if broken := [finding for finding in map(importable, ("soundfile", "av")) if finding]:
        yield from broken
        return
    import av
    import soundfile

    formats = ", ".join(
        name for name in ("WAV", "FLAC", "OGG", "MP3") if name in soundfile.available_formats()
    )
    yield Finding("media", "libsndfile", f"{soundfile.__libsndfile_version__} ({formats})")
    versions = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    found = ", ".join(f"{name} {versions[name]}" for name in ("libavformat", "libavcodec", "libswresample"))
    yield Finding("media", "FFmpeg in PyAV", found)
    yield from (codec(name, mode) for name, mode in CODECS)


def _tracking() -> Finding:
    mode = os.environ.get("WANDB_MODE")
    found = (
        f"WANDB_MODE={mode}"
        if mode
        else "WANDB_MODE is not set: a recipe that asks for W&B writes offline, no account"
    )
    return Finding("tracking", "W&B", found)


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return ""
    return f", {size / 1e9:.0f} GB memory"


def _table(findings: list[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.status:<8}{finding.area:<10}{finding.name:<20}{finding.found}"
        if finding.remedy:
            yield f"{'':<18}{'remedy':<20}{finding.remedy}"
    missing = sum(finding.status == "missing" for finding in findings)
    yield f"{missing} missing" if missing else "nothing is missing"


COMMAND: Command = doctor
