"""What a loader's worker does with a clip of a split, and how clips become a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from sound2scene import images
from sound2scene.data.batches.features import FeatureCache
from sound2scene.data.batches.sampler import Draw, clip_seed
from sound2scene.data.shards.read import ShardDataset
from sound2scene.types import Batch

Field = Literal["image", "waveform"]


class ClipReader(Dataset[dict[str, Any]]):
    """What a loader's worker does with one clip of a split.

    Args:
        shards: The split.
        read: Members to decode.
        image: Picture to tensor (C, H, W), or to random crops (crops, C, h, w) of each resolution.
        sound: Random change of a waveform, or None.
        seed: With the epoch and the clip's position, seeds the random changes.
        features: Cached image features to hand over, or None.
    """

    def __init__(
        self,
        shards: ShardDataset,
        read: Sequence[Field],
        image: Callable[[Any], Tensor | tuple[Tensor, ...]] | None = None,
        sound: nn.Module | None = None,
        seed: int = 0,
        features: FeatureCache | None = None,
    ) -> None:
        self.shards, self.read, self.image, self.sound = shards, set(read), image, sound
        self.seed, self.features = seed, features

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        position = draw.position
        clip: dict[str, Any] = {"position": position}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(clip_seed(self.seed, draw))  # leaves a GPU's generator alone
            if "image" in self.read and self.image is not None:
                picture = images.decode_jpeg(self.shards.member(position, "jpg"), self.shards.where(position))
                seen = self.image(picture)
                clip |= {"image": seen} if isinstance(seen, Tensor) else {"crops": seen}
            if "waveform" in self.read:
                waveform_T = torch.from_numpy(self.shards.waveform(position))
                clip["waveform"] = self.sound(waveform_T) if self.sound else waveform_T
        if self.features is not None:
            clip["z_image"] = torch.tensor(self.features.row(position))
        return clip

    def collate(self, items: list[dict[str, Any]]) -> Batch:
        """Clips to a batch; the crops of a resolution are stacked crop by crop, (crops * B, C, h, w)."""
        position = [item["position"] for item in items]
        fields = items[0].keys() - {"position", "crops"}
        # In a worker this stacks straight into the memory that is handed over: no second copy, no hoarding
        # heap.
        stacked = {name: default_collate([item[name] for item in items]) for name in fields}
        crops = zip(*(item.get("crops", ()) for item in items), strict=True)
        return Batch(
            [self.shards.key(number) for number in position],
            torch.tensor(position),
            self.shards.label_N[position],
            stacked.get("image"),
            stacked.get("waveform"),
            stacked.get("z_image"),
            crops=tuple(torch.stack(same, dim=1).flatten(0, 1) for same in crops) or None,
        )
