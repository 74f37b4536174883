import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sound2scene.control.found import Found, Inversions, read_inversions
from sound2scene.types import InputError

PRINTS = {"generator": "a" * 64, "image_encoder": "b" * 64}
ABOUT = {"format": 1, "effort": {}, "pictures": ["p" * 64]} | PRINTS


def found(value: float = 0.5) -> Found:
    return Found(torch.full((4,), value), torch.ones(3), torch.zeros(2), torch.arange(2.0))


def written(path: Path) -> Inversions:
    inversions = Inversions(PRINTS, {"steps": 3}, {"p" * 64: found(), "q" * 64: found(0.1)})
    inversions.write(path)
    return inversions


def test_what_was_written_is_read(tmp_path: Path) -> None:
    before, after = written(tmp_path / "i"), read_inversions(tmp_path / "i")
    assert (after.fingerprints, after.effort, list(after.found)) == (PRINTS, {"steps": 3}, list(before.found))
    for sha256, one in before.found.items():
        assert all(torch.equal(a, b) for a, b in zip(one, after.found[sha256], strict=True))


@pytest.mark.parametrize("name", ["generator", "image_encoder"])
def test_inversions_for_another_network_are_refused(name: str, tmp_path: Path) -> None:
    option = name.replace("_", "-")
    with pytest.raises(InputError, match=rf"was found for {option.replace('-', ' ')} .*give --{option}"):
        written(tmp_path / "i").check(PRINTS | {name: "c" * 64}, tmp_path / "i")


def test_a_picture_that_was_not_inverted_is_named(tmp_path: Path) -> None:
    path = tmp_path / "i"
    assert written(path).of("q" * 64, Path("a.png"), path).z_D[0] == 0.1
    with pytest.raises(InputError, match=r"a\.png: not among the pictures of .*; invert it first"):
        written(path).of("r" * 64, Path("a.png"), path)


@pytest.mark.parametrize(
    ("about", "tensors", "words"),
    [
        (None, {}, "not valid JSON"),
        (ABOUT | {"format": 7}, {}, "format 7, this version reads 1"),
        (ABOUT, {}, "lacks the tensor '0.z_D'"),
        (ABOUT, found(float("nan"))._asdict(), "is no latent"),
        (ABOUT, found()._asdict() | {"noise_Z": torch.ones(1, 3)}, "is no latent"),
    ],
    ids=["nothing", "format", "missing", "nan", "shape"],
)
def test_a_file_that_holds_no_inversions_is_named(
    about: dict[str, object] | None, tensors: dict[str, torch.Tensor], words: str, tmp_path: Path
) -> None:
    told = None if about is None else {"about": json.dumps(about)}
    save_file({f"0.{name}": one for name, one in tensors.items()}, tmp_path / "i", told)
    with pytest.raises(InputError, match=rf"i: .*{re.escape(words)}.*; invert the pictures anew"):
        read_inversions(tmp_path / "i")


def test_no_file_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"bytes")
    for name, words in (("none", "missing"), ("bad", "damaged")):
        with pytest.raises(InputError, match=f"{name}: {words}"):
            read_inversions(tmp_path / name)
