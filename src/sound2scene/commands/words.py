"""The words of the command line, and the module of each."""

from __future__ import annotations

RECIPES = {
    "fit": "Train a stage from a recipe",
    "validate": "Measure a checkpoint on the held-out split",
    "test": "Measure a checkpoint on the test split",
    "predict": "Write the latents of the held-out sounds",
}
# The module of each word, in `sound2scene.commands`; its `COMMAND` is a function, or several by their words.
COMMANDS = {
    "prepare": "prepare",
    "verify": "verify",
    "hygiene": "hygiene",
    "download": "download",
    "select": "select",
    "moments": "moments",
    "generate": "generate",
    "mix": "mix",
    "volume": "volume",
    "interpolate": "interpolate",
    "alter": "alter",
    "invert": "invert",
    "edit": "edit",
    "control-score": "control_score",
    "evaluate": "evaluate",
    "compare": "compare",
    "publish": "publish",
    "import": "import_published",
    "export": "export",
    "models": "models",
    "sweep": "sweep",
    "ablations": "ablations",
    "runs": "runs",
    "recipes": "recipes",
    "keys": "keys",
    "demo": "demo",
    "completion": "completion",
    "doctor": "doctor",
}
