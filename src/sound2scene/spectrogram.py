"""Spectrogram presets: 16 kHz waveforms to standardised log spectrograms, in one batched call on any device.

Both presets measure power density in the same unit and share one floor, because the floor is what lets
loudness through. The standardisation removes the constant that a gain adds to the logarithm, so a gain
survives only through the floor, the clipping at +-1 and the 16-bit quantisation. Figures 5 and 7 of the paper
depend on all three.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sound2scene.types import CLIP_SAMPLES, SAMPLE_RATE_HZ, InputError

DENSITY_FLOOR = 1e-7
_SEGMENTS = 128  # transformed at once: their intermediates fit into a CPU core's cache


class Spectrogram(nn.Module, ABC):
    """Log power density per clip, standardised over all its bins and frames.

    Attributes:
        name: Name of the preset, as written on an artifact's card.
        shape: Shape (F, T) of a clip of 10 s; other lengths have another T.
    """

    name: str
    shape: tuple[int, int]
    _window: Tensor

    def __init__(self, window: Tensor, density_floor: float) -> None:
        super().__init__()
        # The window carries the density's scale in units of the floor; 2 makes up for negative frequencies.
        scale = (2 / (SAMPLE_RATE_HZ * window.square().sum() * density_floor)) ** 0.5
        self.register_buffer("_window", (window * scale).float(), persistent=False)

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """Input of the audio encoder for a batch of waveforms.

        Args:
            waveform_BT: 16 kHz mono sound in [-1, 1].

        Returns:
            spectrogram_BFT, float32, with mean 0 and population standard deviation 1 per clip; a silent clip
                is all zeros.

        Raises:
            InputError: If the module was cast to half precision.
        """
        return self._in_chunks(waveform_BT, standardise=True)

    def log_density(self, waveform_BT: Tensor) -> Tensor:
        """The spectrogram before standardisation: log(1 + S / floor), at least 0."""
        return self._in_chunks(waveform_BT, standardise=False)

    def log_density_within(self, window_NT: Tensor, first_N: Tensor) -> Tensor:
        """The same for windows of one sound, which may overlap.

        Args:
            window_NT: The windows.
            first_N: Sample of the sound at which each begins, int64.
        """
        return self.log_density(window_NT)

    def _in_chunks(self, waveform_BT: Tensor, *, standardise: bool) -> Tensor:
        self._check_precision()
        # Intermediates of two clips fit into a CPU core's cache; elsewhere the limit only bounds memory.
        clips = 2 if waveform_BT.device.type == "cpu" else 32
        with torch.autocast(waveform_BT.device.type, enabled=False):
            for number, chunk_BT in enumerate(torch.split(waveform_BT.float(), clips)):
                chunk_BFT = self._log_density(chunk_BT, standardise)
                if number == 0:
                    log_BFT = chunk_BFT.new_empty(len(waveform_BT), *chunk_BFT.shape[1:])
                # One by one, since torch transposes in blocks that fit a cache only where there are two axes.
                for clip in range(len(chunk_BFT)):
                    log_BFT[number * clips + clip] = chunk_BFT[clip]
        return log_BFT

    def _check_precision(self) -> None:
        if self._window.dtype != torch.float32:
            raise InputError(
                f"spectrogram {self.name}: cast to {self._window.dtype}; "
                "use a mixed precision, not a true half"
            )

    def _log_density(self, waveform_BT: Tensor, standardise: bool) -> Tensor:
        # log(1 + S / floor) rather than log(S + floor): the standardisation removes the constant anyway,
        # silence becomes exactly 0 (a deviation near 0 would blow up rounding noise), and values near the
        # floor keep their digits.
        log_BFT = self._density_in_floors(waveform_BT).add_(1).log_()
        if standardise:
            log_BFT -= log_BFT.mean((1, 2), keepdim=True)
            log_BFT = log_BFT / (log_BFT.square().mean((1, 2), keepdim=True).sqrt() + 1e-9)
        return log_BFT

    def _power(self, windowed_BTS: Tensor) -> Tensor:
        """Squared magnitude (B, T, F) of the transform of windowed segments (B, T, samples)."""
        squared_BTF2 = torch.view_as_real(torch.fft.rfft(windowed_BTS)).square_()
        return squared_BTF2[..., 0] + squared_BTF2[..., 1]

    @abstractmethod
    def _density_in_floors(self, waveform_BT: Tensor) -> Tensor:
        """Power density divided by the floor: a new tensor (B, F, T), which the caller may overwrite."""


class PaperSpectrogram(Spectrogram):
    """The published one: log(S + 1e-7), S = `scipy.signal.spectrogram(x, 16000, nperseg=512, noverlap=353)`.

    It is that of the loaders released with VGGSound and Sound2Scene. SciPy's defaults amount to a periodic
    Tukey window (0.25), segments without their mean, and a one-sided density in which bins 1 to 255 are
    doubled. On the published sounds float32 here and float64 there differ by at most 3e-5.
    """

    name = "paper"
    shape = (257, 1004)
    _SEGMENT, _HOP = 512, 512 - 353

    def __init__(self, density_floor: float = DENSITY_FLOOR) -> None:
        samples = torch.arange(self._SEGMENT, dtype=torch.float64)
        ramp = torch.minimum(samples, self._SEGMENT - samples).clamp(max=self._SEGMENT / 8)
        super().__init__(0.5 - 0.5 * torch.cos(ramp * torch.pi / (self._SEGMENT / 8)), density_floor)

    def _density_in_floors(self, waveform_BT: Tensor) -> Tensor:
        # Removing the clip's mean changes nothing, as each segment loses its own below, but it saves digits.
        waveform_BT = waveform_BT - waveform_BT.mean(1, keepdim=True)
        segments_BTS = waveform_BT.unfold(1, self._SEGMENT, self._HOP)
        mean_BT1 = segments_BTS.mean(2, keepdim=True)
        windowed_BTS = (segments_BTS * self._window).addcmul_(mean_BT1, self._window, value=-1)
        density_BTF = self._power(windowed_BTS)
        density_BTF[..., :: self._SEGMENT // 2] *= 0.5
        return density_BTF.mT


class LogMelSpectrogram(Spectrogram):
    """128 mel bands (Slaney's scale and area), Hann window of 64 ms, hop 10 ms; floor and unit of `paper`.

    A band is the mean power density under its triangle, so that the floor of 1e-7 is as loud as in `paper`.
    """

    name = "log_mel"
    shape = (128, 1 + CLIP_SAMPLES // 160)
    _SEGMENT, _HOP = 1024, 160

    def __init__(self, density_floor: float = DENSITY_FLOOR) -> None:
        from torchaudio.functional import melscale_fbanks

        super().__init__(torch.hann_window(self._SEGMENT, dtype=torch.float64), density_floor)
        with torch.device("cpu"):  # a network that is built without memory first looks at no values
            bands_FM = melscale_fbanks(
                self._SEGMENT // 2 + 1,
                0.0,
                SAMPLE_RATE_HZ / 2,
                self.shape[0],
                SAMPLE_RATE_HZ,
                norm="slaney",
                mel_scale="slaney",
            )
        bin_width_hz = SAMPLE_RATE_HZ / self._SEGMENT
        self._bands_FM: Tensor
        self.register_buffer("_bands_FM", bands_FM * bin_width_hz, persistent=False)

    def _density_in_floors(self, waveform_BT: Tensor) -> Tensor:
        return self._bands(self._segments(waveform_BT)).mT

    def _segments(self, waveform_BT: Tensor) -> Tensor:
        half = self._SEGMENT // 2
        return pad(waveform_BT, (half, half), mode="reflect").unfold(1, self._SEGMENT, self._HOP)

    def _bands(self, segments_BTS: Tensor) -> Tensor:
        return self._power(segments_BTS * self._window) @ self._bands_FM

    def log_density_within(self, window_NT: Tensor, first_N: Tensor) -> Tensor:
        """The same for windows of one sound; segments that several share are transformed once.

        Windows of 0.5 s at every tenth of a second share two thirds of theirs. The others reach beyond an end
        of their window, which is mirrored there.
        """
        self._check_precision()
        segments_NTS = self._segments(window_NT.float())
        windows, count = segments_NTS.shape[:2]
        half, device = self._SEGMENT // 2, window_NT.device
        middle_T = torch.arange(count, device=device) * self._HOP
        is_inside_T = (middle_T >= half) & (middle_T + half <= window_NT.shape[1])
        sample_NT = (first_N - first_N.min()).to(device)[:, None] + middle_T
        place_NT = torch.arange(windows * count, device=device).view(windows, count)
        name_NT = torch.where(is_inside_T, sample_NT, -1 - place_NT)
        name_U, which_NT = torch.unique(name_NT, return_inverse=True)
        place_U = torch.empty_like(name_U).scatter_(0, which_NT.flatten(), place_NT.flatten())
        with torch.autocast(device.type, enabled=False):
            parts = [
                self._bands(segments_NTS[place_P // count, place_P % count])
                for place_P in torch.split(place_U, _SEGMENTS)
            ]
        return torch.cat(parts).add_(1).log_()[which_NT].mT


PRESETS: dict[str, Callable[[], Spectrogram]] = {"paper": PaperSpectrogram, "log_mel": LogMelSpectrogram}


def spectrogram(name: str) -> Spectrogram:
    """Build a preset by the name that recipes and artifact cards use.

    Args:
        name: Name of the preset: `paper` (257 x 1004) or `log_mel` (128 x 1001).

    Returns:
        A module without parameters or saved state: waveform_BT to spectrogram_BFT, float32.

    Raises:
        InputError: If no preset has this name.
    """
    if name not in PRESETS:
        raise InputError(f"unknown spectrogram preset {name!r}; choose one of: {', '.join(PRESETS)}")
    return PRESETS[name]()
