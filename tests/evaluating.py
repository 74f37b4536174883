"""An evaluation of tiny networks on tiny clips, by a protocol that a test writes."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from drawing import tiny_generator, tiny_judge
from sound2scene import artifacts
from sound2scene.models.audio_encoder import AudioEncoder
from tiny import NET, Z_DIM, tiny_dataset, tiny_encoder

CLIPS = 37  # two blocks, the second not full


class Trial(NamedTuple):
    """What an evaluation needs.

    Attributes:
        folder: Where it all lies.
        shards: Dataset of 37 test clips.
        protocol: File of the protocol.
        ours: Word of the paper's method with its artifacts.
        ceiling: Word of pictures from the true z_image by the same generator.
        encoder: Artifact of the image encoder.
    """

    folder: Path
    shards: Path
    protocol: Path
    ours: str
    ceiling: str
    encoder: Path


def tiny_audio_encoder(folder: Path, encoder: Path) -> Path:
    """An audio-encoder artifact with random weights, in the space of that image encoder."""
    torch.manual_seed(1)
    notes = {"image_encoder": artifacts.read_card(encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    return artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder, card=card)


def made_trial(folder: Path, **protocol: Any) -> Trial:
    """Write all of it; `protocol` changes keys of the protocol."""
    shards, encoder = tiny_dataset(folder / "shards", val=CLIPS), tiny_encoder(folder / "image-encoder")
    audio_encoder = tiny_audio_encoder(folder / "audio-encoder", encoder)
    generator = tiny_generator(folder / "generator", encoder)
    settings = {
        "about": "a test",
        "side": 32,
        "networks": {
            "judge": {"kind": "judge", "source": str(tiny_judge(folder / "judge"))},
            "encoder": {"kind": "encoder", "source": str(encoder)},
        },
        "sets": ["judge"],
        "classes": ["judge"],
        "instances": ["encoder"],
        "pairs": ["encoder"],
        "kid_subset": 20,
        "draws": 2,
        "resamples": 20,
        "set_resamples": 5,
    }
    path = folder / "protocol.yaml"
    path.write_text(yaml.safe_dump(settings | protocol))
    ours = f"ours=sound2scene:audio_encoder={audio_encoder},generator={generator}"
    return Trial(folder, shards, path, ours, f"ceiling:generator={generator}", encoder)


def order(trial: Trial, output: Path, *more: str) -> list[str]:
    """Words of the command line behind `sound2scene evaluate METHOD...`."""
    return [
        "--data",
        str(trial.shards),
        "--protocol",
        str(trial.protocol),
        "-o",
        str(output),
        "--image-encoder",
        str(trial.encoder),
        "--cache",
        str(output.parent / "cache"),
        "--workers",
        "0",
        "--accelerator",
        "cpu",
        *more,
    ]
