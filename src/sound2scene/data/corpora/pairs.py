"""Pictures and sounds of the same names in folders, as jobs for shards.

Two layouts: `images/<name>.jpg` with `audios/<name>.wav` (the published training folder), and the same below
one folder per class.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NotRequired, TypedDict

from sound2scene import audio, images
from sound2scene.data.corpora.corpus import Jobs, check_shares, refuse_clashes, shared_out
from sound2scene.data.shards.shard import safe_key
from sound2scene.folders import PICTURES, listed
from sound2scene.regular import read_regular
from sound2scene.types import Clip, InputError, Rejected


class PairJob(TypedDict):
    """A picture and a sound that become a clip.

    Attributes:
        key: Key of the clip.
        label: Class of the clip, or None.
        image: Path of the picture; None where there is none.
        sound: Path of the sound; None where there is none.
        name: Name that the two files share, where they do.
    """

    key: str
    label: str | None
    image: str | None
    sound: str | None
    name: NotRequired[str]


def make_pair(job: PairJob) -> Clip | Rejected:
    """Read a job's picture and sound; a missing half or an unreadable file rejects the clip."""
    if job["image"] is None or job["sound"] is None:
        half = "image" if job["image"] is None else "sound"
        return Rejected(job["key"], f"no {half} of that name", f"no_{half}")
    picture = Path(job["image"])
    try:
        data = read_regular(picture)
    except OSError as error:
        raise InputError(f"{picture}: cannot be read ({error.strerror}); check the path") from None
    decoded = images.decode_jpeg(data, str(picture))
    # A JPEG goes in as it is; encoding it again would lose detail for nothing. Its suffix may lie.
    jpeg = data if data.startswith(b"\xff\xd8\xff") else images.encode_jpeg(decoded)
    waveform_T = audio.load(job["sound"])
    about = {"image": picture.name, "sound": Path(job["sound"]).name}
    return Clip(job["key"], jpeg, waveform_T, None, job["label"], about)


def holds_pairs(folder: str | Path) -> bool:
    """Whether a folder, or any folder in it, has `images/` and `audios/`; else it may hold videos."""
    root = Path(folder)
    return root.is_dir() and any(
        (sub / "images").is_dir() and (sub / "audios").is_dir() for sub in (root, *_classes(root))
    )


def folder_jobs(
    folder: str | Path, val_share: float, test_share: float, spelling: Callable[[str], str] = str
) -> Jobs[PairJob]:
    """Jobs of a folder with `images/` and `audios/`, or of one such folder per class.

    Args:
        folder: Folder with the pairs.
        val_share: Share of the clips held out for validation, chosen by a hash of the name.
        test_share: Share of the clips held out for the test.
        spelling: Brings a file's name, without suffix, into the form in which pictures and sounds are
            matched.

    Raises:
        InputError: If neither layout is found, or two pictures or two sounds have one name.
    """
    check_shares(val_share, test_share)
    return shared_out(paired(folder, spelling), val_share, test_share)


def paired(folder: str | Path, spelling: Callable[[str], str] = str) -> list[PairJob]:
    """Jobs of a folder of pairs; arguments and errors as for :func:`folder_jobs`."""
    root = Path(folder)
    named = [(root, None)] if (root / "images").is_dir() else [(sub, sub.name) for sub in _classes(root)]
    jobs = [job for sub, label in named for job in _paired(sub, label, spelling)]
    refuse_clashes((job["key"], str(job["image"] or job["sound"])) for job in jobs)
    if not jobs:
        raise InputError(f"{root}: neither images/ and audios/ nor class folders with them; check the path")
    return jobs


def _paired(folder: Path, label: str | None, spelling: Callable[[str], str]) -> list[PairJob]:
    pictures, sounds = (_named(folder / half, spelling) for half in ("images", "audios"))
    prefix = "" if label is None else f"{label}-"
    return [
        {
            "key": safe_key(prefix + name),
            "name": name,
            "image": str(pictures[name]) if name in pictures else None,
            "sound": str(sounds[name]) if name in sounds else None,
            "label": label,
        }
        for name in sorted(pictures.keys() | sounds.keys())
    ]


def _classes(root: Path) -> list[Path]:
    return [Path(entry.path) for entry in listed(root) if entry.is_dir()] if root.is_dir() else []


def _named(folder: Path, spelling: Callable[[str], str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in [Path(entry.path) for entry in listed(folder) if entry.is_file()] if folder.is_dir() else []:
        if folder.name == "images" and path.suffix.lower() not in PICTURES:
            continue
        name = spelling(path.stem)
        if name in found:
            raise InputError(f"{path}: has the name of {found[name].name}; keep one of the two")
        found[name] = path
    return found
