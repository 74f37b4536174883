"""Choose the moments of videos that show what is heard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sound2scene import defaults
from sound2scene.commands.parser import Admit, Command, Option, Output, Seed

if TYPE_CHECKING:
    from sound2scene.data.selection.file import Selection


def select(
    videos: Path,
    *,
    output: Output,
    scorer: str = "localizer",
    localizer: Path = Path(defaults.LOCALIZER),
    seed: Seed = 0,
    top_k: Annotated[int, Option(at_least=1)] = 10,
    retry_rejected: bool = False,
    workers: Annotated[int, Option(between=(0, 1024))] = 2,
    accelerator: str = "auto",
    devices: str = "auto",
    nodes: Annotated[int, Option(between=(1, 65_536))] = 1,
    admit: Admit = None,
) -> int:
    """Choose the moments of videos that show what is heard; status 1 if no video has one.

    A killed run goes on when it is repeated.

    Args:
        videos: Folder of the videos, searched recursively.
        output: Selection to write, a JSON file; a contact sheet of its name is drawn beside it.
        scorer: Who chooses: localizer, middle, random or the dotted path of a class or an object.
        localizer: Artifact of the localizer.
        seed: Seed of the scorer random.
        top_k: Moments to keep of each video.
        retry_rejected: Try videos again that could not be used.
        workers: Decoding processes per device; 0 decodes in the scoring one.
        accelerator: Kind of device, as Lightning names it: cpu, gpu, auto.
        devices: Number of devices, or auto for all.
        nodes: Machines that share the work.
        admit: Packages of your own whose classes a localizer's card may name; loading one runs its code.
    """
    from sound2scene import artifacts
    from sound2scene.commands.prediction import trainer_of
    from sound2scene.commands.selection_run import foreign_to, scorer_of, select_moments
    from sound2scene.data.video.find import find_videos

    artifacts.admit(*(admit or ()))
    found, who = find_videos(videos), scorer_of(scorer, localizer, seed)
    name = scorer if "." in scorer else None  # two objects of one class are two scorers
    about = foreign_to(localizer, videos) if scorer == "localizer" else ""
    machine = {"accelerator": accelerator, "devices": devices, "num_nodes": nodes}
    # Processes have not met yet; which one is the first, a trainer knows.
    if about and trainer_of([], **machine).is_global_zero:
        print(f"sound2scene: {about}; experiments/localizer/videos.yaml trains one on them", file=sys.stderr)
    chosen = select_moments(found, who, output, top_k, workers, name, retry_rejected, about, **machine)
    return _report(chosen, output)


def _report(chosen: Selection, output: Path) -> int:
    """Tell what was chosen, on the first rank; status 1 if nothing was."""
    from sound2scene.commands.selection_run import describe
    from sound2scene.distributed import world

    if world()[0] > 0:
        return 0
    print(f"{output}: {describe(chosen)}")
    if chosen.videos:
        return 0
    key, (_, reason) = min(chosen.rejected.items())
    print(f"sound2scene: no video can be used, for instance {key}: {reason}", file=sys.stderr)
    return 1


COMMAND: Command = select
