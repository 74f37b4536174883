"""Read or write the published annotation of moments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from sound2scene.commands.parser import Command, Option, Output


def import_annotation(source: Annotated[Path, Option(metavar="FILE")], *, output: Output) -> None:
    """Make a selection of the published annotation.

    Args:
        source: Published annotation, such as top1_boxes_top10_moments.json.
        output: Selection to write, a JSON file.
    """
    from sound2scene.data.selection.file import Selection

    selection = Selection.load_published(source)
    selection.save(output)
    print(f"{output}: moments of {len(selection.videos)} videos")


def export_annotation(
    source: Annotated[Path, Option(metavar="FILE")],
    *,
    output: Output,
    layout: Literal["list", "mapping"] = "list",
) -> None:
    """Write a selection in the layout of the published annotation.

    Args:
        source: Selection, a JSON file.
        output: Annotation to write, such as top1_boxes_top10_moments.json.
        layout: Whether the mapping of names to moments stands in a list, as published, or alone.
    """
    from sound2scene.data.selection.file import Selection

    selection = Selection.load(source)
    selection.save_published(output, layout)
    print(f"{output}: moments of {len(selection.videos)} videos")


COMMAND: Command = {"import": import_annotation, "export": export_annotation}
