"""Write a dataset's shards from videos, or from pictures and sounds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from sound2scene import defaults
from sound2scene.commands.parser import Command, Option, Output, Seed, Share, Workers
from sound2scene.commands.verify import describe
from sound2scene.data import settings

Count = Annotated[int, Option(between=(0, 1_000_000))]


class Moments(NamedTuple):
    """Which moments of videos become pictures.

    Attributes:
        selection: File of the selected moments.
        frame: Moment of videos that are not selected; by default they are left out, and where nothing is
            selected the middle is taken.
        side_px: Pixels of a picture's short side, at most; the squeeze preset needs 256.
        workers: Processes; by default one per core.
        nodes: Machines that share the work, one command on each; they need a shared disk.
    """

    selection: Path | None = None
    frame: settings.MomentRule | None = None
    side_px: Annotated[int, Option("--side", between=(1, 2**16))] = settings.SHORT_SIDE_PX
    workers: Annotated[int | None, Option(between=(1, 1024))] = None
    nodes: Annotated[int, Option(between=(1, 65_536))] = 1

    def rule(self) -> settings.MomentSettings:
        """As the library takes them."""
        return settings.MomentSettings(self.selection, self.frame, self.side_px)


def toy(
    *,
    shards: Output,
    videos: Annotated[Path, Option(writes=True)] = Path(settings.TOY_VIDEOS),
    frame: settings.ToyMomentRule = settings.TOY_MOMENT,
    localizer: Path = Path(defaults.LOCALIZER),
    train: Count = settings.TOY_TRAIN_CLIPS,
    val: Count = settings.TOY_HELD_OUT_CLIPS,
    test: Count = settings.TOY_HELD_OUT_CLIPS,
    mixed: Annotated[float, Option(between=(0, 1))] = settings.TOY_MIXED,
    seed: Seed = 0,
    workers: Workers = settings.TOY_WORKERS,
) -> int:
    """The procedural toy world: videos with sound, and shards from them.

    Args:
        shards: Folder of the shards.
        videos: Folder of the videos; those that are there are kept.
        frame: Moment of the picture: chosen by the localizer, drawn among its five best, the middle, a random
            or the true one.
        localizer: Artifact of the localizer that chooses.
        train: Training clips.
        val: Validation clips.
        test: Test clips.
        mixed: Clips of two sources for each clip of one, in every split.
        seed: Seed of the world.
        workers: Processes.
    """
    from sound2scene.data import prepare

    clips = {"train": train, "val": val, "test": test}
    chosen = None
    if frame in settings.TOY_BEST:
        # One selection for both rules: what is selected already is not scored again.
        chosen = shards.with_name(f"{shards.name.removesuffix('_top5')}-selection.json")
        _select_toy(videos, (clips, mixed, seed, workers), localizer, chosen)
    return _report(prepare.prepare_toy(shards, videos, frame, chosen, clips, mixed, seed, workers))


def videos(
    videos: Path,
    *,
    shards: Output,
    labels: str | None = None,
    val_share: Share = settings.VIDEOS_VAL_SHARE,
    test_share: Share = settings.VIDEOS_TEST_SHARE,
    moments: Moments,
) -> int:
    """Any folder of videos.

    Args:
        videos: Folder of the videos, searched recursively.
        shards: Folder of the shards.
        labels: A CSV with the columns key, label and, optionally, split; or `folders`: one folder per class.
        val_share: Share of the clips held out for validation.
        test_share: Share of the clips held out for the test, where the labels have no splits.
        moments: Which moments become pictures.
    """
    from sound2scene.commands.machines import joined
    from sound2scene.data import prepare

    rule, workers = moments.rule(), moments.workers
    with joined(moments.nodes) as team:
        folder = prepare.prepare_videos(
            shards, videos, labels, val_share, test_share, workers, rule, team=team
        )
    return _report(folder) if team.is_first else 0


def vggsound(
    source: Path | None = None,
    *,
    shards: Output,
    table: Annotated[Path, Option("--csv", "--table")],
    videos: Path | None = None,
    classes: str | None = None,
    val_share: Share = settings.VGGSOUND_VAL_SHARE,
    moments: Moments,
) -> int:
    """VGGSound in its official splits, from videos, or from images/ and audios/.

    Args:
        source: Folder with images/ and audios/, instead of --videos.
        shards: Folder of the shards.
        table: The table vggsound.csv, plain or gzipped.
        videos: Folder of the videos, searched recursively.
        classes: File with the class names to take, one per line; 50 for those of the paper.
        val_share: Share of the training videos held out for validation.
        moments: Which moments become pictures.
    """
    from sound2scene.commands.machines import joined
    from sound2scene.data import prepare
    from sound2scene.types import InputError

    if (source is None) == (videos is None):
        raise InputError(
            "prepare vggsound: give --videos, or a folder with images/ and audios/, and not both"
        )
    given = source or videos
    assert given is not None
    rule, workers = moments.rule(), moments.workers
    with joined(moments.nodes) as team:
        folder = prepare.prepare_vggsound(shards, given, table, classes, val_share, workers, rule, team=team)
    return _report(folder) if team.is_first else 0


def vegas(
    *,
    shards: Output,
    videos: Path,
    five: bool = False,
    val_share: Share = settings.VEGAS_VAL_SHARE,
    test_share: Share = settings.VEGAS_TEST_SHARE,
    moments: Moments,
) -> int:
    """VEGAS, one folder of videos per class.

    Args:
        shards: Folder of the shards.
        videos: Folder of the class folders.
        five: Take only the five classes of the paper.
        val_share: Share of the clips held out for validation.
        test_share: Share of the clips held out for the test.
        moments: Which moments become pictures.
    """
    from sound2scene.commands.machines import joined
    from sound2scene.data import prepare

    rule, workers = moments.rule(), moments.workers
    with joined(moments.nodes) as team:
        folder = prepare.prepare_vegas(shards, videos, five, val_share, test_share, workers, rule, team=team)
    return _report(folder) if team.is_first else 0


def folder(
    source: Path,
    *,
    shards: Output,
    val_share: Share = settings.FOLDER_VAL_SHARE,
    test_share: Share = settings.FOLDER_TEST_SHARE,
) -> int:
    """Pictures and sounds of the same names in images/ and audios/, or in one such folder per class.

    Args:
        source: Folder of the pairs.
        shards: Folder of the shards.
        val_share: Share of the clips held out for validation.
        test_share: Share of the clips held out for the test.
    """
    from sound2scene.data import prepare

    return _report(prepare.prepare_folder(shards, source, val_share, test_share))


def manifest(
    source: Path, *, shards: Output, val_share: Share = settings.MANIFEST_VAL_SHARE, seed: Seed = 0
) -> int:
    """A CSV of pictures and sounds: a pair in each row, or files of one class, drawn as pairs.

    Args:
        source: The CSV. With a pair in each row it has the columns audio, image, label and, optionally, key
            and split; with a file in each row the columns file, modality (audio or image), class, split
            (train or test) and, optionally, group. Files are named relative to the folder of the CSV.
        shards: Folder of the shards.
        val_share: Share of the groups held out for validation.
        seed: Seed of the draw of pairs, where rows are files.
    """
    from sound2scene.data import prepare

    return _report(prepare.prepare_manifest(shards, source, val_share, seed))


def clean(
    source: str, *, shards: Output, leave_out: list[Path], workers: Workers = settings.TOY_WORKERS
) -> int:
    """A dataset again, without the clips that `sound2scene hygiene` found.

    Args:
        source: Folder or address of the dataset.
        shards: Folder of the new shards.
        leave_out: Files of `sound2scene hygiene`, one for each split.
        workers: Processes.
    """
    from sound2scene.data import prepare
    from sound2scene.data.hygiene import read_hygiene

    return _report(prepare.prepare_clean(shards, source, [read_hygiene(path) for path in leave_out], workers))


def _select_toy(
    folder: Path, world: tuple[Mapping[str, int], float, int, int], localizer: Path, output: Path
) -> None:
    """Write the toy world's videos (clips, mixed ones, seed, workers) and choose a moment of each."""
    from sound2scene.commands.selection_run import scorer_of, select_moments
    from sound2scene.data.toy.world import write_videos
    from sound2scene.data.video.find import find_videos

    write_videos(folder, *world)
    output.parent.mkdir(parents=True, exist_ok=True)
    select_moments(find_videos(folder), scorer_of("localizer", localizer), output, workers=world[-1])


def _report(folder: Path) -> int:
    """Tell what was prepared; status 1 if no clip was."""
    from sound2scene.data.shards.read import Folder
    from sound2scene.data.shards.report import REPORT, coverage_line, read_report

    print(f"{folder}: {describe(folder)}")
    report = read_report(folder)
    for kind, found in report["strays"].items():
        print(f"{found['count']} files left out: {kind}")
    if report["coverage"]:
        print(f"{coverage_line(report['coverage'])}; see {folder / REPORT}")
    if any(split["clips"] for split in Folder(folder).card["splits"].values()):
        return 0
    print(f"sound2scene: no clip could be used; {folder / REPORT} says what was left out", file=sys.stderr)
    return 1


COMMAND: Command = {
    "toy": toy,
    "videos": videos,
    "vggsound": vggsound,
    "vegas": vegas,
    "folder": folder,
    "manifest": manifest,
    "clean": clean,
}
