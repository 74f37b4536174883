"""Write an artifact in the layout of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from sound2scene.commands.parser import Command, Option


def export(
    artifact: Path,
    *,
    folder: Annotated[Path, Option("-o", "--output", writes=True)],
    to: Literal["hf-folder"] = "hf-folder",
) -> None:
    """Write an artifact in the layout of the Hugging Face hub: safetensors, its card, and a model card.

    Args:
        artifact: Folder of the artifact.
        folder: New folder to write.
        to: The layout.
    """
    from sound2scene import artifacts
    from sound2scene.callbacks import table
    from sound2scene.published.hub_folder import write_hub_folder

    rows = table.rows_of(artifacts.read_card(artifact).metrics)
    written = write_hub_folder(artifact, folder, table.markdown(rows) if rows else "")
    print(f"{written}: `hf upload OWNER/{written.name} {written}` puts it on the hub")


COMMAND: Command = export
