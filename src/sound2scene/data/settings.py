"""What DataModules, prepare functions and commands call the settings of a dataset, and their defaults.

Nothing heavy is imported here, so that a command's help is there at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, NamedTuple

MomentRule = Literal["middle", "random"]
ToyMomentRule = Literal["localizer", "localizer_top5", "middle", "random", "true"]

SHORT_SIDE_PX: Final = 256

FOLDER_VAL_SHARE: Final = 0.1
FOLDER_TEST_SHARE: Final = 0.0
MANIFEST_VAL_SHARE: Final = 0.15
VGGSOUND_VAL_SHARE: Final = 0.05
VEGAS_FIVE: Final = True  # the classes of the paper's table
VEGAS_VAL_SHARE: Final = 0.1
VEGAS_TEST_SHARE: Final = 0.2
VIDEOS_VAL_SHARE: Final = 0.1
VIDEOS_TEST_SHARE: Final = 0.0

TOY_VIDEOS: Final = "data/toy/videos"
TOY_MOMENT: Final = "true"
# Among how many of a localizer's best moments one is drawn at random; rules that are not here need none.
TOY_BEST: Final = {"localizer": 1, "localizer_top5": 5}
TOY_TRAIN_CLIPS: Final = 1024
TOY_HELD_OUT_CLIPS: Final = 256  # in each of the splits val and test
TOY_MIXED: Final = 0.25  # clips of two sources for each clip of one, in every split
TOY_WORKERS: Final = 2


class MomentSettings(NamedTuple):
    """Which moments of videos become pictures.

    Attributes:
        selection: File of the selected moments, ours or of the published layout.
        frame: Moment of the videos without a selected one; None leaves them out, and is the middle without a
            selection.
        side_px: Most pixels of a picture's short side; the `squeeze` preset needs 256.
    """

    selection: str | Path | None = None
    frame: MomentRule | None = None
    side_px: int = SHORT_SIDE_PX


MIDDLE: Final = MomentSettings()  # of every video, where nobody has selected moments
