"""Measure `select` and `prepare` against extracting every 10-fps frame to JPEG with FFmpeg and reading it back.

Both sides use one thread and read the same videos, in turn. Ours decodes a video, scores its steps with a localizer and
makes the clip (the chosen frame's JPEG, 10 s of FLAC). The other side is the published recipe: `ffmpeg` to a folder of
JPEGs and a WAV, and reading all of them back at the localizer's size; in the second line it scores them, too.

Run `python experiments/benchmarks/selection.py FOLDER` (of videos; needs the command `ffmpeg`).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import cast

import numpy as np
import soundfile
import torch
from PIL import Image
from timing import compare, print_table

from sound2scene import artifacts, audio
from sound2scene.data import video
from sound2scene.data.selection import find_videos
from sound2scene.data.video_clips import make_video_clip
from sound2scene.data.videos import read_moments
from sound2scene.moments import Moments, Scorer
from sound2scene.stages.selection import best_moments


def usable(folder: Path, scorer: Scorer) -> list[Path]:
    """The videos that can be decoded; the others are named."""
    found = []
    for path in find_videos(folder).values():
        try:
            video.decode(path, scorer.side_px)
            found.append(path)
        except video.VideoError as error:
            print(f"left out: {error}")
    return found


def ours(paths: Iterator[Path], scorer: Scorer) -> None:
    """Select and prepare one video."""
    path = next(paths)
    moments = read_moments("a", path, scorer.side_px)
    chosen = best_moments(scorer, moments, len(moments.second_S) / 10, 10)
    job = {"key": "a", "label": None, "video": str(path), "moment_s": chosen.moments_s[0], "side_px": 256}
    clip = make_video_clip(job | {"duration_s": chosen.duration_s})
    audio.encode_flac(clip.waveform_T)  # type: ignore[union-attr]


def extracted(paths: Iterator[Path], scorer: Scorer, score: bool) -> None:
    """Extract one video's frames and sound with FFmpeg, read them back, and score them if asked to."""
    path = next(paths)
    with tempfile.TemporaryDirectory() as folder:
        command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path.absolute()), "-filter_threads", "1"]
        pictures = ["-r", "10", "-threads", "1", f"{folder}/%03d.jpg"]
        subprocess.run([*command, *pictures, "-ac", "1", "-ar", "16000", f"{folder}/sound.wav"], check=True)
        frames = []
        for file in sorted(Path(folder).glob("*.jpg")):
            with Image.open(file) as image:
                frames.append(np.asarray(image.convert("RGB").resize((scorer.side_px, scorer.side_px))))
        waveform_T, _ = soundfile.read(f"{folder}/sound.wav", dtype="float32")
    if score:
        frames_SCHW = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        second_S = torch.arange(len(frames), dtype=torch.float64) / 10
        scorer.score(Moments("a", second_S, frames_SCHW, torch.from_numpy(waveform_T)))


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--localizer", default="experiments/artifacts/toy/localizer")
    parser.add_argument("--repeats", type=int, default=25, help="videos timed")
    options = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        parser.exit(1, "ffmpeg is not on PATH: install it to compare with it\n")
    torch.set_num_threads(1)
    scorer = cast(Scorer, artifacts.load(options.localizer, kind="localizer"))
    paths = usable(options.folder, scorer)
    rows = {}
    for name, score in (("select + prepare", False), ("the same, other side scores too", True)):
        one, other = cycle(paths), cycle(paths)
        rows[name] = compare(partial(ours, one, scorer), partial(extracted, other, scorer, score), options.repeats)
    print(f"{len(paths)} videos, one thread; other: FFmpeg to JPEG and back")
    print_table(rows, 1, "video")


if __name__ == "__main__":
    main()
