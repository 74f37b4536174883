"""`inverted.safetensors`: features and noises of pictures, with the networks for which they were found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypedDict

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sound2scene import files
from sound2scene.records import Record
from sound2scene.types import InputError

INVERTED = "inverted.safetensors"
FORMAT = 1
_REMEDY = "invert the pictures anew, or name another file"


class Found(NamedTuple):
    """What was found for one picture.

    Attributes:
        z_D: Feature, of unit length.
        noise_Z: Noise.
        loss_T: Loss before each step.
        psnr_T: Peak signal-to-noise ratio in dB before each step.
    """

    z_D: Tensor
    noise_Z: Tensor
    loss_T: Tensor
    psnr_T: Tensor


class _About(TypedDict):
    format: int
    generator: str
    image_encoder: str
    effort: dict[str, int]
    pictures: list[str]


_ABOUT = Record(_About, _REMEDY, FORMAT)


class Inversions(NamedTuple):
    """Inversions of some pictures by one pair of networks.

    Attributes:
        fingerprints: Fingerprints of the `generator` and of the `image_encoder`.
        effort: How hard was looked for them; see `sound2scene.control.search.Effort`.
        found: What was found, by the checksum of each picture's file.
    """

    fingerprints: Mapping[str, str]
    effort: Mapping[str, int]
    found: Mapping[str, Found]

    def write(self, path: Path) -> None:
        """Write them, all or nothing.

        Raises:
            InputError: If they cannot be written.
        """
        about: _About = {
            "format": FORMAT,
            "generator": self.fingerprints["generator"],
            "image_encoder": self.fingerprints["image_encoder"],
            "effort": dict(self.effort),
            "pictures": list(self.found),
        }
        tensors = {
            f"{number}.{name}": tensor.cpu().contiguous()
            for number, found in enumerate(self.found.values())
            for name, tensor in found._asdict().items()
        }
        files.write(path, save(tensors, {"about": msgspec.json.encode(about).decode()}))

    def check(self, fingerprints: Mapping[str, str], path: Path) -> None:
        """Refuse what was found for other networks.

        Raises:
            InputError: If a fingerprint differs.
        """
        for name, expected in fingerprints.items():
            if (stated := self.fingerprints.get(name, expected)) != expected:
                raise InputError(
                    f"{path}: was found for {name.replace('_', ' ')} {stated[:12]}, not for {expected[:12]}; "
                    f"give --{name.replace('_', '-')} that one's folder, or invert anew"
                )

    def of(self, sha256: str, picture: Path, path: Path) -> Found:
        """What was found for a picture.

        Args:
            sha256: Checksum of its file.
            picture: Its file, for the message.
            path: File of the inversions, for the message.

        Raises:
            InputError: If there is nothing.
        """
        if sha256 not in self.found:
            raise InputError(
                f"{picture}: not among the pictures of {path}, or changed since; invert it first"
            )
        return self.found[sha256]


def read_inversions(path: Path) -> Inversions:
    """Inversions that were written.

    Raises:
        InputError: If there are none, or the file is damaged or none of these.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing; {_REMEDY}")
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("about", "")
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged ({error}); {_REMEDY}") from None
    about = _ABOUT.parse(text, str(path))
    try:
        found = {
            sha256: Found(*(tensors[f"{number}.{name}"] for name in Found._fields))
            for number, sha256 in enumerate(about["pictures"])
        }
    except KeyError as error:
        raise InputError(f"{path}: lacks the tensor {error}; {_REMEDY}") from None
    fingerprints = {"generator": about["generator"], "image_encoder": about["image_encoder"]}
    for sha256, one in found.items():
        if (
            one.z_D.ndim != 1
            or one.noise_Z.ndim != 1
            or not all(bool(part.isfinite().all()) for part in one[:2])
        ):
            raise InputError(f"{path}: what it holds of picture {sha256[:12]} is no latent; {_REMEDY}")
    return Inversions(fingerprints, about["effort"], found)
