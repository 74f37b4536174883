"""The artifacts that commands and Python take where none is named, as seen from a checkout's folder."""

from __future__ import annotations

# In git; what `make train-align` leaves is artifacts/toy/audio-encoder.
AUDIO_ENCODER = "experiments/artifacts/toy/audio-encoder"
GENERATOR = "experiments/artifacts/toy/generator"
IMAGE_ENCODER = "experiments/artifacts/toy/image-encoder"
LOCALIZER = "experiments/artifacts/toy/localizer"
READER = "experiments/artifacts/toy/reader"
SOUNDS = "experiments/sounds"

# What `make train-manifold`, `train-s2i-audio` and `train-s2i` leave.
MANIFOLD_AUDIO = "artifacts/toy/manifold-audio"
MANIFOLD_AUTOENCODER = "artifacts/toy/manifold-autoencoder"
S2I_AUDIO = "artifacts/toy/s2i-audio"
S2I_GENERATOR = "artifacts/toy/s2i-generator"
