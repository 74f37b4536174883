import pytest

from sound2scene.commands.prediction import trainer_of
from sound2scene.types import InputError


def test_a_trainer_of_predictions_is_one_process_that_writes_nothing() -> None:
    trainer = trainer_of([], accelerator="cpu")
    assert trainer.world_size == 1
    assert not trainer.loggers
    assert not trainer.checkpoint_callbacks


@pytest.mark.parametrize("machine", [{"accelerator": "abacus"}, {"accelerator": "cpu", "devices": "many"}])
def test_a_machine_that_is_not_there_is_one_line(machine: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        trainer_of([], **machine)
    assert str(caught.value).startswith("--accelerator ")
    assert "\n" not in str(caught.value)


TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "RANK": "0", "LOCAL_RANK": "0"}
SLURM = {"SLURM_PROCID": "0", "SLURM_NODEID": "0", "SLURM_LOCALID": "0"}


@pytest.mark.parametrize(
    ("started", "message"),
    [
        (TORCHRUN, r"does not match the world size \(4\)"),
        (
            SLURM | {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2"},
            r"`--ntasks-per-node=2` does not match",
        ),
        # As after `--ntasks 4` alone.
        (SLURM | {"SLURM_NTASKS": "4"}, r"--ntasks-per-node=4"),
    ],
    ids=["torchrun", "tasks of a node", "tasks of a job"],
)
def test_other_processes_than_were_started_are_one_line(
    started: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"--nodes 2: .*{message}") as caught:
        trainer_of([], accelerator="cpu", num_nodes=2)
    assert "\n" not in str(caught.value)
