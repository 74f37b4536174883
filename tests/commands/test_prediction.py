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
