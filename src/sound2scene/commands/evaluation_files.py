"""What `evaluate` writes: the result, and beside it a picture of sounds, real pictures and drawn ones."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from sound2scene import files
from sound2scene.commands.evaluation_run import REAL, Evaluated, MethodFigures, Wanted
from sound2scene.commands.picture_record import made_here
from sound2scene.evaluation.result import FORMAT, LeftOut, Result, WrittenMethod, written
from sound2scene.figures.evaluation import draw_methods
from sound2scene.figures.page import DPI


def write(output: Path, protocol: str, wanted: Wanted, found: Evaluated) -> None:
    """Write both, each whole or not at all.

    Args:
        output: The result.
        protocol: Name or file of the protocol.
        wanted: What was asked for.
        found: What came of it.

    Raises:
        InputError: If they cannot be written.
    """
    files.make_folder(output.parent)
    columns = {one.method.label: one.pictures for one in found.methods if one.method.word.kind != REAL}
    figure = draw_methods(
        found.split, columns, f"protocol {protocol}, seed {wanted.protocol.seed}, first draw"
    )
    picture = output.with_suffix(".png")
    with files.replacing(picture) as partial:
        figure.savefig(partial, format="png", dpi=DPI)
    result = _result(protocol, wanted, found)
    files.write(output, json.dumps(result, indent=1, allow_nan=False) + "\n")


def _result(protocol: str, wanted: Wanted, found: Evaluated) -> Result:
    split = found.split
    return {
        "format": FORMAT,
        **made_here(),
        "protocol": {
            "name": Path(protocol).stem,
            "fingerprint": found.protocol_fingerprint,
            "settings": msgspec.to_builtins(wanted.protocol),
        },
        "data": {
            "shards": wanted.shards,
            "split": split.split,
            "fingerprint": split.fingerprint,
            "clips": len(found.positions),
            "classes": len(split.classes),
            "coverage": split.folder.coverage(),
            "left_out": [LeftOut(key=key, reason=reason) for key, reason in wanted.left_out.items()],
        },
        "networks": {
            name: {
                "protocol": network.protocol,
                "source": wanted.protocol.networks[name].source,
                "fingerprint": network.fingerprint,
            }
            for name, network in found.networks.items()
        },
        "methods": [_method(one) for one in found.methods],
    }


def _method(one: MethodFigures) -> WrittenMethod:
    return {
        "name": one.method.label,
        "kind": one.method.word.kind,
        "settings": one.method.word.settings,
        "fingerprints": one.method.method.fingerprints,
        "clips": one.there,
        "absent": [LeftOut(key=clip.key, reason=clip.reason) for clip in one.absent],
        "figures": [written(figure) for figure in one.figures],
    }
