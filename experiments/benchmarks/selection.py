"""Time `select` and `prepare` against extracting frames at 10 fps to JPEG with FFmpeg and reading them back.

Both sides use one thread and pass over the same videos in turn, so that the ratio is one of videos per second
and core. Ours decodes a video, scores its steps with a localizer and makes the clip (the chosen frame's JPEG,
10 s of FLAC). The other side is the published recipe: `ffmpeg` to a folder of JPEGs and a WAV, and reading
all of them back at the localizer's size; in the second line it scores them, too.

Run `python experiments/benchmarks/selection.py FOLDER` (of videos; needs the command `ffmpeg`).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import soundfile
import torch
from PIL import Image
from timing import compare, print_table

from sound2scene import artifacts, audio
from sound2scene.data.batches.footage import FootageDataset
from sound2scene.data.video.clip import make_video_clip
from sound2scene.data.video.find import find_videos
from sound2scene.moments import Choice, Moments, Refused, Scorer
from sound2scene.stages.selection import SelectionStage
from sound2scene.types import Clip


def usable(folder: Path, scorer: Scorer) -> FootageDataset:
    """The videos that can be decoded; the names of the others are printed."""
    every = FootageDataset(list(find_videos(folder).items()), scorer.side_px)
    kept = []
    for number, video in enumerate(every.videos):
        found = every[number].found
        if isinstance(found, Refused):
            print(f"left out: {found.reason}")
        else:
            kept.append(video)
    return FootageDataset(kept, scorer.side_px)


def ours(videos: FootageDataset, stage: SelectionStage) -> None:
    """Select and prepare every video."""
    for number, (key, path) in enumerate(videos.videos):
        chosen = stage.predict_step(videos[number], 0).found
        assert isinstance(chosen, Choice)
        job = {"key": key, "label": None, "video": str(path), "moment_s": chosen.moments_s[0], "side_px": 256}
        clip = make_video_clip(job | {"duration_s": chosen.duration_s})
        assert isinstance(clip, Clip)
        audio.encode_flac(clip.waveform_T)


def extracted(videos: FootageDataset, stage: SelectionStage, score: bool) -> None:
    """Extract frames and sound of every video with FFmpeg, read them back, and score them if asked to."""
    for _, path in videos.videos:
        _extract(path, stage.scorer, score)


def _extract(path: Path, scorer: Scorer, score: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-threads",
            "1",
            "-i",
            str(path.absolute()),
            "-filter_threads",
            "1",
        ]
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
    parser.add_argument("--repeats", type=int, default=3, help="passes over the videos")
    options = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        parser.exit(1, "ffmpeg is not on PATH: install it to compare with it\n")
    torch.set_num_threads(1)
    stage = SelectionStage(cast(Scorer, artifacts.load(options.localizer, kind="localizer")))
    videos = usable(options.folder, stage.scorer)
    rows = {}
    for name, score in (("select + prepare", False), ("the same, other side scores too", True)):
        other = partial(extracted, videos, stage, score)
        rows[name] = compare(partial(ours, videos, stage), other, options.repeats)
    print(f"{len(videos)} videos, one thread; other: FFmpeg to JPEG and back")
    print_table(rows, len(videos), "video")


if __name__ == "__main__":
    main()
