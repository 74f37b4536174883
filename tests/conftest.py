"""Fixtures that many tests share: real data and parity numbers where they are, a tiny dataset and encoder."""

import os
import sys
from pathlib import Path

import pytest

# Nothing heavy at the top: the process that hands tests out to others reads this file before it starts them.
REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the fork server import while the first tests run, where a test will need it."""
    if "forked" in sys.modules and not session.config.option.collectonly:
        sys.modules["forked"].prepare()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real sounds, pictures and videos; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SOUND2SCENE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real data at {folder} (set SOUND2SCENE_REAL_DATA)")
    return folder


@pytest.fixture(scope="session")
def parity() -> Path:
    """Folder of numbers measured on the published networks; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SOUND2SCENE_PARITY", REPOSITORY.parent / "shared" / "reference" / "parity"))
    if not (folder / "public.npz").is_file():
        pytest.skip(f"no parity numbers at {folder} (set SOUND2SCENE_PARITY)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread_per_process() -> None:
    """Two processes on two cores are fastest with one thread each; sums come out the same on any machine."""
    import torch

    torch.set_num_threads(1)
    # Or Lightning takes more for the rest of a process in which a test has set up two ranks.
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def tiny_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 18 training, 9 validation and 9 test clips of three classes; to read, not to write to."""
    from tiny import tiny_dataset

    return tiny_dataset(tmp_path_factory.mktemp("tiny") / "shards")


@pytest.fixture(scope="session")
def tiny_image_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image-encoder artifact with random weights."""
    from tiny import tiny_encoder

    return tiny_encoder(tmp_path_factory.mktemp("tiny") / "image-encoder")


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy shards of tones, eight clips of one source and three of two; not to write to."""
    from scoring import tone_shards

    return tone_shards(tmp_path_factory.mktemp("tones") / "shards")
