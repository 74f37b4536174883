"""Tables as text for a terminal, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# What a font of LaTeX has in its mathematics alone.
_SIGNS = {"<": "$<$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart, as a terminal shows them; words on the left, numbers on the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    right = [all(_is_number(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown; a bar or a line break in a cell cannot break it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def comma_separated(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


def latex(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as a LaTeX tabular (of the package booktabs), words in its first column."""
    first, *body = [" & ".join(_escaped(cell) for cell in line) + r" \\" for line in (head, *rows)]
    begin = rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}"
    return "\n".join([begin, r"\toprule", first, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _is_number(text: str) -> bool:
    return not text or text[0] in "-.0123456789"


def _escaped(text: str) -> str:
    escaped = re.sub(r"([#$%&_{}])", r"\\\1", text)
    for sign, command in _SIGNS.items():
        escaped = escaped.replace(sign, command)
    return escaped
