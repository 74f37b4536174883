"""Time reading clips from shards against reading the same clips from plain files, through the same loader.

Both read in a new random order: JPEG and FLAC of a clip from a tar by its index, or from two files. On a
local disk with a warm cache the two should come close; what shards save is the file system's work on cold or
remote disks, and hundreds of thousands of files.

Run `python experiments/benchmarks/shards.py`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from alignment_epoch import write_files
from timing import compare, print_table
from torch.utils.data import DataLoader, Dataset

from sound2scene import audio, images
from sound2scene.data.batches.reader import ClipReader
from sound2scene.data.batches.sampler import Draw, EpochSampler
from sound2scene.data.prepare import prepare_folder
from sound2scene.data.shards.read import ShardDataset


class PlainFiles(Dataset[dict[str, Any]]):
    """The members of the shards as separate files."""

    def __init__(self, shards: ShardDataset, folder: Path) -> None:
        self.folder = folder
        self.keys = [shards.key(position) for position in range(len(shards))]
        folder.mkdir()
        for position, key in enumerate(self.keys):
            for kind in ("jpg", "flac"):
                (folder / f"{key}.{kind}").write_bytes(shards.member(position, kind))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        path = self.folder / self.keys[draw.position]
        picture = images.decode_jpeg(path.with_suffix(".jpg").read_bytes(), str(path))
        waveform_T = torch.from_numpy(audio.load(path.with_suffix(".flac")))
        return {"position": draw.position, "image": images.preset("small64")(picture), "waveform": waveform_T}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_files(root / "files", arguments.clips)
        prepare_folder(root / "shards", root / "files", val_share=0.0)
        shards = ShardDataset(root / "shards", "train")
        reader = ClipReader(shards, ["image", "waveform"], images.preset("small64"))
        plain = PlainFiles(shards, root / "plain")
        sampler = EpochSampler(len(shards), 32, 0, 0, 1)

        def epoch(dataset: Dataset[dict[str, Any]]) -> int:
            loader = DataLoader(
                dataset, 32, sampler=sampler, num_workers=arguments.workers, collate_fn=reader.collate
            )
            return sum(len(batch.key) for batch in loader)

        row = compare(lambda: epoch(reader), lambda: epoch(plain), arguments.repeats)
    print(f"epoch of {arguments.clips} clips, {arguments.workers} workers; ours: shards, other: plain files")
    print_table({"JPEG + FLAC per clip": row}, arguments.clips, "clip")


if __name__ == "__main__":
    main()
