import os
import socket

import pytest

from forked import Forked
from sound2scene.commands.machines import joined
from sound2scene.distributed import ALONE, Team, world
from sound2scene.types import InputError

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "RANK": "0", "LOCAL_RANK": "0"}


def tell() -> None:
    with joined(2) as team:
        print(f"machine {team.rank} of {team.ranks}, the first is {team.of_first(team.rank)}")
    print(f"alone again: {world() == (0, 1)}")


def test_two_machines_find_each_other_by_lightnings_own_variables() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    both = [Forked(tell, environment=shared | {"NODE_RANK": rank}) for rank in ("0", "1")]
    for rank, ended in enumerate([one.wait() for one in both]):
        assert ended.status == 0, ended.err
        assert ended.out.splitlines() == [
            f"machine {rank} of 2, the first is 0",
            "alone again: True",
        ]


def test_one_machine_is_alone_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with joined(1) as team:
        assert team == ALONE == Team(0, 1)


def test_another_number_of_processes_than_machines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="--nodes 2"), joined(2):
        pass
