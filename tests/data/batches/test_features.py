import io
import os
import resource
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from forked import run
from sound2scene import files
from sound2scene.data.batches import features
from sound2scene.data.batches.features import FeatureCache
from sound2scene.types import InputError

CLIPS = 10
IMAGES = torch.arange(CLIPS * 3.0).view(CLIPS, 3, 1, 1).expand(-1, -1, 4, 4)


@pytest.fixture(autouse=True)
def _blocks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "BLOCK", 4)


def cache(
    folder: Path, encoder: str = "e", preset: str = "squeeze", data: str = "d", clips: int = CLIPS
) -> FeatureCache:
    return FeatureCache(folder, encoder, preset, data, clips)


def encode(image_BCHW: Tensor) -> Tensor:
    return image_BCHW.mean((2, 3)) * 2


def pictures(found: FeatureCache, blocks: list[int]) -> Iterator[Tensor]:
    return (IMAGES[list(found.positions(block))] for block in blocks)


def fill(found: FeatureCache, encoder: features.Encode = encode, chunk: int = 3) -> None:
    blocks = found.missing()
    found.fill(pictures(found, blocks), blocks, encoder, chunk)


def test_rows_are_what_the_encoder_gives(tmp_path: Path) -> None:
    found = cache(tmp_path)
    assert found.missing() == [0, 1, 2]
    fill(found)
    assert found.missing() == []
    rows_ND = torch.stack([torch.tensor(found.row(position)) for position in range(CLIPS)])
    assert torch.equal(rows_ND, encode(IMAGES))
    assert rows_ND.dtype == torch.float32
    blocks = [torch.tensor(found.rows(block)) for block in range(found.blocks)]
    assert torch.equal(torch.cat(blocks), rows_ND)


def test_pictures_are_encoded_in_chunks_without_gradient(tmp_path: Path) -> None:
    weight, sizes = torch.ones(3, requires_grad=True), []

    def with_weight(image_BCHW: Tensor) -> Tensor:
        sizes.append(len(image_BCHW))
        z_BD = encode(image_BCHW) * weight
        assert not z_BD.requires_grad
        return z_BD

    fill(cache(tmp_path), with_weight, chunk=3)
    assert sizes == [3, 1, 3, 1, 2]


def test_another_encoder_preset_or_data_is_another_cache(tmp_path: Path) -> None:
    first = cache(tmp_path)
    others = [cache(tmp_path, encoder="f"), cache(tmp_path, preset="icgan64"), cache(tmp_path, data="e")]
    others += [cache(tmp_path, clips=CLIPS - 1), cache(tmp_path, encoder="", preset="e\nsqueeze")]
    fill(first)
    assert len({found.folder for found in [first, *others]}) == 6
    assert all(found.missing() for found in others)
    assert cache(tmp_path).missing() == []


def fill_and_die(folder: Path) -> None:
    features.BLOCK = 4
    calls = 0

    def dying(image_BCHW: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return encode(image_BCHW)

    fill(cache(folder), dying, chunk=4)


def test_a_killed_computation_goes_on_with_the_blocks_that_are_missing(tmp_path: Path) -> None:
    assert run(fill_and_die, tmp_path).status == -signal.SIGKILL
    found = cache(tmp_path)
    assert found.missing() == [2]
    stamps = {path: path.stat().st_mtime_ns for path in found.folder.iterdir()}
    assert len(stamps) == 2
    fill(found)
    assert stamps.items() <= {path: path.stat().st_mtime_ns for path in found.folder.iterdir()}.items()
    assert torch.equal(torch.tensor(found.row(9)), encode(IMAGES)[9])


def test_a_block_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(file: object, _: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(features.np, "save", run_out)
    found = cache(tmp_path)
    with pytest.raises(InputError, match="No space left"):
        fill(found)
    assert list(found.folder.iterdir()) == []
    assert found.missing() == [0, 1, 2]


def test_what_a_kill_left_is_swept_and_what_another_process_writes_is_not(tmp_path: Path) -> None:
    found = cache(tmp_path)
    found.folder.mkdir()
    old, fresh = (found.folder / f".{name}{files.PARTIAL}" for name in ("old", "fresh"))
    for path in (old, fresh):
        path.write_bytes(b"half")
    killed_s = time.time() - files.STALE_S - 60
    os.utime(old, (killed_s, killed_s))
    fill(found)
    assert list(found.folder.glob(f".*{files.PARTIAL}")) == [fresh]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused_and_not_written(value: float, tmp_path: Path) -> None:
    def broken(image_BCHW: Tensor) -> Tensor:
        return torch.where(encode(image_BCHW) == 2 * 15, value, encode(image_BCHW))  # 15 is in clip 5

    found = cache(tmp_path)
    with pytest.raises(InputError, match="NaN or infinity among clips 4 to 7; train it again"):
        fill(found, broken)
    assert found.missing() == [1, 2]


def test_a_pickle_in_the_cache_is_refused(tmp_path: Path) -> None:
    found = cache(tmp_path)
    fill(found)
    np.save(next(found.folder.glob("000001.npy")), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        found.row(5)


def test_a_large_cache_does_not_hold_a_file_for_every_block(tmp_path: Path) -> None:
    found = cache(tmp_path, clips=4 * 400)
    for block in range(400):
        found.write(block, torch.full((4, 2), float(block)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(380, soft), hard))
    try:
        assert [found.row(4 * block)[0] for block in range(400)] == list(range(400))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


GOOD = np.ones((4, 3), np.float32)
DAMAGES = {
    "empty": (b"", "damaged"),
    "garbage": (b"garbage" * 100, "damaged"),
    "truncated": (saved(GOOD)[:-5], "damaged"),
    "half a header": (saved(GOOD)[:40], "damaged"),
    "a pickle": (b"\x80\x04K\x01.", "damaged"),
    "objects": (saved(np.array([{"a": 1}], dtype=object)), "damaged"),
    "another width": (saved(np.ones((4, 2), np.float32)), "holds float32 numbers of shape"),
    "other rows": (saved(np.ones((5, 3), np.float32)), "holds float32 numbers of shape"),
    "one axis": (saved(np.ones(4, np.float32)), "holds float32 numbers of shape"),
    "no axis": (saved(np.float32(1)), "holds float32 numbers of shape"),
    "float64": (saved(GOOD.astype(np.float64)), "holds float64 numbers"),
    "NaN": (saved(GOOD * np.nan), "holds NaN or infinity"),
    "infinity": (saved(GOOD / 0), "holds NaN or infinity"),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_is_named_in_a_warning_and_computed_again_alone(damage: str, tmp_path: Path) -> None:
    fill(cache(tmp_path))
    data, complaint = DAMAGES[damage]
    path = cache(tmp_path).folder / "000001.npy"
    path.write_bytes(data)
    found = cache(tmp_path)
    with pytest.warns(UserWarning, match=rf"000001\.npy: {complaint}.*; it is computed again"):
        assert found.missing() == [1]
    with pytest.warns(UserWarning, match="computed again"):
        fill(found)
    assert found.missing() == []
    rows_ND = torch.stack([torch.tensor(found.row(position)) for position in range(CLIPS)])
    assert torch.equal(rows_ND, encode(IMAGES))


def test_a_cache_that_is_fine_stays_and_is_looked_through_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache(tmp_path))
    found = cache(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in found.folder.iterdir()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found.missing() == []
        monkeypatch.setattr(found, "_damage", None)
        assert found.missing() == []
    assert {path: path.stat().st_mtime_ns for path in found.folder.iterdir()} == stamps


def test_ranks_look_through_their_own_blocks(tmp_path: Path) -> None:
    found = cache(tmp_path)
    assert [found.missing(rank, 2) for rank in (0, 1)] == [[0, 2], [1]]


def test_blocks_of_another_width_than_the_encoder_has_are_computed_again(tmp_path: Path) -> None:
    fill(cache(tmp_path))
    found = FeatureCache(tmp_path, "e", "squeeze", "d", CLIPS, width=5)
    with pytest.warns(UserWarning, match="not float32 of"):
        assert found.missing() == [0, 1, 2]


def test_a_full_disk_and_a_folder_that_cannot_be_made_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        fill(cache(tmp_path / "file" / "cache"))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", refuse)
    with pytest.raises(InputError, match=r"000000\.npy: cannot be written \(No space left") as caught:
        fill(cache(tmp_path))
    assert "\n" not in str(caught.value)
    assert list(cache(tmp_path).folder.iterdir()) == []


def test_a_block_that_goes_while_it_is_used_is_one_line(tmp_path: Path) -> None:
    found = cache(tmp_path)
    fill(found)
    (found.folder / "000002.npy").unlink()
    with pytest.raises(InputError, match=r"000002\.npy: cannot be read .*; run again, it is computed anew"):
        found.row(9)


def test_each_block_of_a_large_cache_is_opened_once_and_none_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cache(tmp_path, clips=4 * 400)
    for block in range(400):
        found.write(block, torch.full((4, 2), float(block)))
    opened: list[object] = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda path, **how: opened.append(path) or load(path, **how))
    files_before = len(os.listdir("/dev/fd"))
    for _ in range(2):
        assert [found.row(4 * block + 1)[1] for block in range(400)] == list(range(400))
    assert len(opened) == 400
    assert len(os.listdir("/dev/fd")) == files_before


def test_rows_cannot_be_changed_by_accident(tmp_path: Path) -> None:
    found = cache(tmp_path)
    fill(found)
    with pytest.raises(ValueError, match="read-only"):
        found.row(0)[0] = 1


def test_a_block_of_other_numbers_is_one_line(tmp_path: Path) -> None:
    found = cache(tmp_path)
    fill(found)
    np.save(found.folder / "000001.npy", np.ones((4, 3)))
    with pytest.raises(InputError, match=r"000001\.npy: cannot be read \(holds float64 numbers"):
        found.row(5)
