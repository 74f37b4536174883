"""List the recipes that came with the package."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from sound2scene.commands.parser import Command

FILE = "recipes.yaml"
# Keys of an entry, and their columns in the pages of the stages.
COLUMNS = {
    "question": "question",
    "command": "command",
    "needs": "needs",
    "expected": "expected",
    "verified": "last verified",
}
NOTHING = "\N{EN DASH}"
Entry = Mapping[str, str]


def recipes(names: list[str] | None = None, *, form: Literal["text", "markdown"] = "text") -> None:
    """List recipes with their question, what they need, and the figure to expect.

    Each is trained by `sound2scene fit -c NAME`, from any folder.

    Args:
        names: Stages or recipes, as in `align` or `align/toy`; all by default.
        form: Text for a terminal, or the table of a page.
    """
    from sound2scene.types import InputError

    known = entries()
    wanted = names or list(dict.fromkeys(name.partition("/")[0] for name in known))
    chosen: dict[str, Entry] = {}
    for asked in wanted:
        found = {name: entry for name, entry in known.items() if asked in (name, name.partition("/")[0])}
        if not found:
            stages = ", ".join(dict.fromkeys(name.partition("/")[0] for name in known))
            raise InputError(f"recipes {asked}: no such stage or recipe; name one of {stages}")
        chosen |= found
    if form == "markdown":
        print(table(chosen), end="")
        return
    print("\n".join(_laid_out(chosen, shutil.get_terminal_size().columns)))


def entries() -> dict[str, Entry]:
    """What there is to say of each recipe.

    Raises:
        InputError: If the file that says it cannot be read.
    """
    import yaml

    from sound2scene import defaults
    from sound2scene.records import content

    path = defaults.located(f"{defaults.EXPERIMENTS}/{FILE}")
    found: dict[str, Entry] = yaml.safe_load(content(path, "install the package anew"))
    return found


def table(found: Mapping[str, Entry]) -> str:
    """Recipes as a table of Markdown; of those with nothing but questions, of these alone."""
    from sound2scene.tables import markdown

    more = any(len(entry) > 1 for entry in found.values())
    filled = list(COLUMNS) if more else ["question"]
    rows = [[f"`{name}`", *(entry.get(key, NOTHING) for key in filled)] for name, entry in found.items()]
    head, _, *body = markdown(["recipe", *(COLUMNS[key] for key in filled)], rows).splitlines(keepends=True)
    return "".join([head, "|---" * (len(filled) + 1) + "|\n", *body])


def _laid_out(found: Mapping[str, Entry], width: int) -> Iterator[str]:
    for name, entry in found.items():
        yield name
        words = [entry.get("question", "")]
        words += [f"{key}: {_plain(entry[key])}" for key in ("needs", "expected") if key in entry]
        for line in words:
            yield from _wrapped(line, max(width, 40))


def _wrapped(line: str, width: int) -> Sequence[str]:
    return textwrap.wrap(line, width, initial_indent="    ", subsequent_indent="      ")


def _plain(text: str) -> str:
    """Markdown without its marks: what a link leads to lies in the repository."""
    without = re.sub(r"\s*\(\[[^]]*\]\(#[^)]*\)\)", "", text)  # to a table further down the same page
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", without).replace("`", "")


COMMAND: Command = recipes
