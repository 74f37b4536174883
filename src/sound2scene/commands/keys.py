"""List the keys of a recipe with type, value and meaning."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sound2scene.commands.parser import Command

if TYPE_CHECKING:
    from sound2scene.commands.recipe_keys import Key

SHARED = "trainer.yaml"


def keys(recipes: list[Path], *, match: str | None = None) -> int:
    """List the keys of a recipe with type, value and meaning; status 1 if none matches.

    Args:
        recipes: Recipes, by their paths or names, each on top of those before it and all on top of
            experiments/trainer.yaml.
        match: Only keys that have this text in their name or meaning.
    """
    from pytorch_lightning import Trainer

    from sound2scene.commands import recipe_keys
    from sound2scene.commands.recipe import Run
    from sound2scene.commands.recipe_names import path_of

    paths = [path_of(str(recipe)) for recipe in recipes]
    found = list(recipe_keys.keys(merged([*_shared(paths[0]), *paths]), Run, Trainer))
    wanted = (match or "").lower()
    shown = [key for key in found if wanted in key.name.lower() or wanted in key.meaning.lower()]
    if not shown:
        print(f"sound2scene: none of {len(found)} keys has {match!r} in name or meaning", file=sys.stderr)
        return 1
    print(laid_out(shown, shutil.get_terminal_size().columns))
    return 0


def merged(paths: Sequence[Path]) -> dict[str, object]:
    """Recipes on top of each other, as `fit` reads them: another class takes no arguments over.

    Raises:
        InputError: If one cannot be read or is no recipe.
    """
    import yaml

    from sound2scene.types import InputError

    whole: dict[str, object] = {}
    for path in paths:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); name a recipe") from None
        except (ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: no recipe in YAML and UTF-8 ({reason}); mend the file") from None
        if not isinstance(content, dict):
            raise InputError(f"{path}: no recipe, which has keys; name another file")
        whole = _on_top(whole, content)
    return whole


def laid_out(found: Sequence[Key], width: int) -> str:
    """A line with key, type and value, and below it what the key means, within so many columns."""
    longest = max(len(key.name) for key in found)
    column = min(longest, max(width // 2, 20)) + 2
    lines: list[str] = []
    for key in found:
        head = f"{key.name:<{column - 2}}  {key.kind} = {key.value}"
        lines += textwrap.wrap(head, max(width, 20), subsequent_indent=" " * 6, break_long_words=True)
        lines += textwrap.wrap(key.meaning, max(width, 20), initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _shared(recipe: Path) -> list[Path]:
    """What all recipes share, beside the stages' folders or where the command is called."""
    for path in (recipe.resolve().parent.parent / SHARED, Path("experiments") / SHARED):
        if path.is_file():
            return [path]
    return []


def _on_top(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    whole = dict(below)
    if "class_path" in above and above["class_path"] != below.get("class_path"):
        whole.pop("init_args", None)
    for name, value in above.items():
        before = whole.get(name)
        both = (before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else None
        whole[name] = _on_top(*both) if both else value
    return whole


COMMAND: Command = keys
