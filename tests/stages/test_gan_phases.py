from dataclasses import replace

import pytest

from sound2scene.stages.gan_phases import Phases
from sound2scene.types import InputError


def test_the_published_phases_are_accepted() -> None:
    phases = Phases()
    assert phases.checked() is phases
    assert (phases.discriminator_steps, phases.accumulate, phases.ema_decay) == (1, 1, 0.9999)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discriminator_steps": 0}, "phases.discriminator_steps is 0; set it to at least 1"),
        ({"accumulate": -1}, "phases.accumulate is -1; set it to at least 1"),
        ({"r1_every": 0}, "phases.r1_every is 0"),
        ({"ema_decay": 1.0}, "phases.ema_decay is 1.0; set it to at least 0 and below 1"),
        ({"pixel_weight": -1.0}, "phases.pixel_weight is -1.0; set it to at least 0"),
        ({"adversarial_start_kimg": 9.0}, "nothing would be learned before; set a pixel_weight"),
        ({"augment": ["zoom"]}, "augment 'zoom' is unknown"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        replace(Phases(), **change).checked()  # type: ignore[arg-type]
