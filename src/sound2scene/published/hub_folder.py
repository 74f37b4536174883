"""An artifact as a folder for the Hugging Face hub: card, weights under the hub's name, and a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sound2scene import artifacts, defaults, files, hub
from sound2scene.card import Card
from sound2scene.types import InputError

PAGE = "README.md"


def write_hub_folder(
    artifact: str | os.PathLike[str], folder: str | os.PathLike[str], figures: str = ""
) -> Path:
    """Write what `hf upload` puts on the hub, all or nothing; `hf://owner/name` loads it from there.

    Args:
        artifact: Folder of the artifact.
        folder: New folder to write.
        figures: The page's table of figures, in Markdown.

    Returns:
        The folder.

    Raises:
        InputError: If there is no artifact, its weights and card do not match, or the folder is there already
            or cannot be written.
    """
    target = Path(folder)
    if target.exists():
        raise InputError(f"{target}: is there already; choose a new folder")
    network = artifacts.load(artifact, fold=False)  # nothing damaged goes out
    count = sum(parameter.numel() for parameter in network.parameters())
    card, source = artifacts.read_card(artifact), defaults.located(artifact)
    with files.writing(target), files.replacing_folder(target) as partial:
        shutil.copyfile(artifacts.weights_of(source), partial / hub.WEIGHTS)
        files.write(partial / hub.CARD, card.to_json(), sync=True)
        files.write(partial / PAGE, _page(card, target.name, count, figures), sync=True)
    return target


def _page(card: Card, name: str, parameters: int, figures: str) -> str:
    """The model card: a head that the hub reads, and what a reader wants to know."""
    from huggingface_hub import ModelCardData

    head = ModelCardData(
        library_name="sound2scene",
        license="other",
        license_name="as-stated-below" if card.licence else "not-stated",
        tags=["audio-visual", "sound-to-image", card.kind],
    )
    data = card.origin.notes.get("data", "not told")
    lines = [
        f"---\n{head.to_yaml()}\n---\n",
        f"# {name}\n",
        f"A network of sound2scene, kind *{card.kind}*: `{card.class_path}`, {parameters:,} parameters.\n",
        f'    from sound2scene import artifacts\n    network = artifacts.load("hf://OWNER/{name}")\n',
        "Commands take the same address where they take an artifact.\n",
        f"## Data\n\nTrained on: {data}.\n",
        *_coverage(card.origin.notes.get("coverage")),
        f"## Figures\n\n{figures.strip() or 'None are stated.'}\n",
        f"## Licence\n\n{card.licence or 'Not stated.'}\n",
        "## Origin\n",
        *(f"- {what}: {value}" for what, value in _origin(card)),
    ]
    return "\n".join(lines) + "\n"


def _coverage(splits: object) -> Iterator[str]:
    """How much of its source the dataset held, which much of the web's data is no longer."""
    if not isinstance(splits, Mapping) or not splits:
        return
    yield "| split | clips | of |\n|---|---|---|"
    for split, counts in splits.items():
        yield f"| {split} | {counts.get('clips', '')} | {counts.get('expected', '')} |"
    yield ""


def _origin(card: Card) -> Sequence[tuple[str, str]]:
    origin = card.origin
    told = {
        "belongs to image encoder": origin.notes.get("image_encoder"),
        "pixels or spectrogram": card.preset,
        "commit": origin.commit,
        "training data (fingerprint)": origin.data_fingerprint,
        "imported from": origin.source and origin.source.get("address"),
        "written": origin.created,
        "weights (fingerprint)": card.fingerprint,
    }
    return [(what, f"`{value}`") for what, value in told.items() if value]
