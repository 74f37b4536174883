"""What others have published about VGGSound's clips: boxes of sources, best moments."""

from __future__ import annotations

import json
from pathlib import Path

from sound2scene.data.vggsound.names import ClipName
from sound2scene.types import InputError

Boxes = tuple[tuple[float, float, float, float], ...]


def read_vggss(path: str | Path) -> dict[str, Boxes]:
    """Boxes of VGG-SS by clip name, `<id>_<start ms>_<end ms>`, in shares of the picture; drawn in the middle frame.

    Source: Chen et al. (CVPR 2021), `metadata/lvs_vggss.json`: a list of `file`, `class` and `bbox`, each box
    (x0, y0, x1, y1). In the published file 12 of the boxes hold a number that has overflown; they are left
    out.

    Raises:
        InputError: If the file is anything else.
    """
    found: dict[str, Boxes] = {}
    try:
        for item in json.loads(Path(path).read_text(encoding="utf-8")):
            boxes = [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in item["bbox"]]
            name = ClipName.parse(item["file"]).in_ms()
            found[name] = found.get(name, ()) + tuple(box for box in boxes if 0 <= min(box) <= max(box) <= 1)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{path}: not VGG-SS's list of file, class and bbox ({error}); check the path"
        ) from None
    return {name: boxes for name, boxes in found.items() if boxes}
