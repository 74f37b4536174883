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

import torch
from alignment_epoch import write_files
from timing import compare, print_table
from torch import Tensor
from torch.utils.data import DataLoader

from sound2scene import images
from sound2scene.data.batches.reader import ClipReader, open_picture, shared_stack
from sound2scene.data.batches.sampler import Draw, EpochSampler
from sound2scene.data.prepare import prepare_folder
from sound2scene.data.reading import Reading
from sound2scene.data.shards.read import ShardDataset
from sound2scene.protocols import Pictures, Sounds


class BothReader(ClipReader[tuple[Tensor, Tensor]]):
    """Decodes the picture and the sound of each clip.

    Args:
        split: Clips with sounds.
    """

    split: Sounds
    kinds = ("jpg", "flac")

    def __init__(self, split: Sounds) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        picture = open_picture(self.split, draw.position)
        return images.preset("small64")(picture), torch.from_numpy(self.split.waveform(draw.position))

    def collate(self, items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Clips to a batch."""
        pictures, waveforms = zip(*items, strict=True)
        return shared_stack(pictures), shared_stack(waveforms)


class ReadBoth(Reading):
    """Pictures with sounds, which no stage needs: a loader that decodes all there is."""

    def training(self, split: Pictures, features: object, seed: int) -> BothReader:
        """Reader of both."""
        assert isinstance(split, Sounds)
        return BothReader(split)

    def evaluation(self, split: Pictures, features: object) -> BothReader:
        """Reader of both."""
        return self.training(split, features, 0)


class PlainFiles(ShardDataset):
    """The members of the shards as separate files.

    Args:
        shards: Folder of the shards.
        files: Folder to write the files to.
    """

    def __init__(self, shards: Path, files: Path) -> None:
        super().__init__(shards, "train")
        self.files = files
        files.mkdir()
        for position in range(len(self)):
            for kind in ("jpg", "flac"):
                (files / f"{self.key(position)}.{kind}").write_bytes(super().member(position, kind))

    def member(self, position: int, kind: str) -> bytes:
        """Bytes of a file."""
        return (self.files / f"{self.key(position)}.{kind}").read_bytes()


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
        shards = BothReader(ShardDataset(root / "shards", "train"))
        plain = BothReader(PlainFiles(root / "shards", root / "plain"))
        sampler = EpochSampler(len(shards), 32, 0, 0, 1)

        def epoch(reader: BothReader) -> int:
            loader = DataLoader(
                reader, 32, sampler=sampler, num_workers=arguments.workers, collate_fn=reader.collate
            )
            return sum(len(image_BCHW) for image_BCHW, _ in loader)

        row = compare(lambda: epoch(shards), lambda: epoch(plain), arguments.repeats)
    print(f"epoch of {arguments.clips} clips, {arguments.workers} workers; ours: shards, other: plain files")
    print_table({"JPEG + FLAC per clip": row}, arguments.clips, "clip")


if __name__ == "__main__":
    main()
