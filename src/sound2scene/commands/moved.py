"""Old names in a recipe, each answered by the new one in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CLASSES = {
    "sound2scene.data.module.": "sound2scene.data.clips.",
    "sound2scene.data.picture_folder.": "sound2scene.data.pictures.",
    "sound2scene.data.sources.": "sound2scene.data.datasets.",
    "sound2scene.data.video_sources.VGGSoundVideosDataModule": "sound2scene.data.datasets.VGGSoundDataModule",
    "sound2scene.data.video_sources.VEGASVideosDataModule": "sound2scene.data.datasets.VEGASDataModule",
    "sound2scene.data.video_sources.": "sound2scene.data.datasets.",
    "sound2scene.data.video_splits.": "sound2scene.data.splits.",
    "sound2scene.data.videos.VideoDataModule": "sound2scene.data.videos.MomentsDataModule",
}
KEYS = {
    "run.monitor": "run.best.monitor",
    "run.export": "run.publish (the artifact itself lies in the run folder)",
    "model.init_args.cache": "data.init_args.features.cache",
    "model.init_args.phases.neighbours": "data.init_args.read.init_args.neighbours",
    "data.init_args.image_preset": "data.init_args.read.init_args.preset",
    "data.init_args.image_augment": "data.init_args.read.init_args.augment (crops for ReadCrops)",
    "data.init_args.sound_augment": "data.init_args.read.init_args.augment",
}
# Keys that only some stages have lost.
OF_STAGES = {
    ("AlignStage", "model.init_args.image_encoder"): "data.init_args.features.image_encoder",
    ("GanStage", "model.init_args.image_encoder"): "data.init_args.features.image_encoder",
    ("AlignStage", "model.init_args.generator"): (
        "model.init_args.drawing, with class_path sound2scene.methods.sound2scene.FrozenGenerator and the "
        "folder as init_args.generator"
    ),
}


def answer(arguments: Sequence[str]) -> str | None:
    """What an old name in a command line or its recipes is called now; None where there is none.

    Args:
        arguments: The command line: `-c FILE`, `--config FILE`, `--key value`, `--key=value`.
    """
    found = list(_pairs(arguments))
    classes = {(where, key): str(value) for where, key, value in found if key.endswith("class_path")}
    stage = next((name for (_, key), name in classes.items() if key == "model.class_path"), "")
    for where, key, value in found:
        for old, new in CLASSES.items():
            if key.endswith("class_path") and str(value).startswith(old):
                return f"{where}: {value} is now {str(value).replace(old, new, 1)}"
        told = KEYS.get(key) or OF_STAGES.get((stage.rpartition(".")[2], key))
        if told:
            return f"{where}: {key} is now {told}"
        if key == "data.init_args.read" and (isinstance(value, list) or str(value).startswith("[")):
            return f"{where}: {key} is now a class of sound2scene.data.reading, such as ReadPairs"
        owner = classes.get((where, f"{key.removesuffix('init_args.monitor')}class_path"), "")
        if key.endswith(".init_args.monitor") and owner.startswith("sound2scene.callbacks."):
            return f"{where}: {key}: pictures and reports follow run.best; remove the key"
    return None


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Where it stands, dotted key and value, of everything that a command line and its recipes set."""
    words = list(arguments)
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        value = value if equals else words[position + 1] if position + 1 < len(words) else ""
        if name in ("-c", "--config"):
            yield from ((value, key, entry) for key, entry in _entries(_read(value), ""))
        elif name.startswith("--"):
            yield "command line", name[2:], value


def _read(path: str) -> Any:
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _entries(content: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield f"{prefix}{key}", value
            yield from _entries(value, f"{prefix}{key}.")
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _entries(value, f"{prefix}{number}.")
