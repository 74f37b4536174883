"""The artifacts that commands and Python take where none is named, as seen from a checkout's folder."""

from __future__ import annotations

AUDIO_ENCODER = "artifacts/toy/audio-encoder"  # what `make train-align` leaves
GENERATOR = "experiments/artifacts/toy/generator"  # in git, as is the localizer
IMAGE_ENCODER = "experiments/artifacts/toy/image-encoder"
LOCALIZER = "experiments/artifacts/toy/localizer"
READER = "experiments/artifacts/toy/reader"
