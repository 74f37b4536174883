"""`--model NAME`: the networks of a named model, where no option of its own names another one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from sound2scene import defaults
from sound2scene.commands.parser import Option

Order = TypeVar("Order", bound=tuple[Any, ...])
Model = Annotated[str | None, Option(metavar="NAME")]
_USUAL = {
    "audio_encoder": Path(defaults.AUDIO_ENCODER),
    "generator": Path(defaults.GENERATOR),
    "image_encoder": Path(defaults.IMAGE_ENCODER),
}


def chosen(model: str | None, **given: Path) -> dict[str, Path]:
    """The artifacts to take, by role.

    Args:
        model: Name of a model, which is downloaded where it is not on disk; None takes what is given.
        given: The artifact that the option of each role names; one that was named stays.

    Raises:
        InputError: If there is no such model, or it cannot be had.
    """
    wanted = {role for role, folder in given.items() if folder == _USUAL[role]}
    if model is None or not wanted:
        return given
    from sound2scene.published.models import obtain

    found = obtain(model)
    return {role: found[role] if role in wanted else folder for role, folder in given.items()}


def with_networks(order: Order) -> Order:
    """Options with the artifacts of the model that they name, where no option of its own names another one.

    Args:
        order: A NamedTuple with `model`, and artifacts by their roles.

    Raises:
        InputError: If there is no such model, or it cannot be had.
    """
    options: Any = order
    given = {role: getattr(options, role) for role in _USUAL if role in options._fields}
    replaced: Order = options._replace(**chosen(options.model, **given))
    return replaced
