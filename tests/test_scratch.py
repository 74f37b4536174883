import errno
import os
from pathlib import Path

import pytest
import torch

from sound2scene import scratch
from sound2scene.scratch import LEAST_BYTES, Scratch
from sound2scene.types import InputError


def own_kib(kind: str) -> int:
    """What Linux counts as this process's memory of a kind."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bool])
def test_a_matrix_is_zero_and_keeps_what_is_written(tmp_path: Path, mapped: bool, dtype: torch.dtype) -> None:
    room = Scratch(tmp_path) if mapped else scratch.IN_MEMORY
    first, second = (room.zeros(1200, 1000, dtype=dtype) for _ in range(2))
    assert first.shape == (1200, 1000)
    assert first.dtype == dtype
    assert not first.any()
    first[3:7] = 1
    assert first.sum() == 4000
    assert not second.any()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")
def test_a_large_matrix_is_no_memory_of_the_process(tmp_path: Path) -> None:
    before = own_kib("Pss_Anon") + own_kib("Pss_Shmem")
    matrix = Scratch(tmp_path).zeros(64, 2**18)
    matrix.fill_(1)
    assert own_kib("Pss_Anon") + own_kib("Pss_Shmem") - before < 8 * 1024  # of 64 MiB
    assert matrix.sum() == 2**24


def test_files_have_no_name(tmp_path: Path) -> None:
    kept = Scratch(tmp_path).zeros(LEAST_BYTES)
    assert list(tmp_path.iterdir()) == []
    assert len(kept) == LEAST_BYTES


def test_a_view_outlives_its_matrix(tmp_path: Path) -> None:
    view = Scratch(tmp_path).zeros(LEAST_BYTES)[:5]
    assert view.tolist() == [0.0] * 5


def test_nothing_has_no_rows(tmp_path: Path) -> None:
    assert Scratch(tmp_path).zeros(0, 7).shape == (0, 7)


def test_a_full_disk_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        InputError, match=r"no room for 4 MiB of features .No space left on device.; free some"
    ):
        Scratch(tmp_path).zeros(LEAST_BYTES)


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert len(Scratch(tmp_path / "new" / "cache").zeros(LEAST_BYTES)) == LEAST_BYTES


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/cache: no room .*Not a directory"):
        Scratch(tmp_path / "file" / "cache").zeros(LEAST_BYTES)
