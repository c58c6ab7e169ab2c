"""From a waveform to a picture of it: how much of each pitch range there is, every 10 ms."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

RATE = 16_000  # samples per second
WINDOW = 400  # samples of a frame: 25 ms
HOP = 160  # samples between two frames: 10 ms
BANDS = 80  # of the mel scale

# Slaney's mel scale: 3 mels for every 200 Hz up to 1,000 Hz, then 27 for every factor of 6.4.
STRAIGHT = 200 / 3  # Hz per mel
BREAK = 1_000.0  # Hz
STEEPNESS = math.log(6.4) / 27  # of the logarithm, per mel


def frames(sound: Float[Tensor, "*B L"]) -> Float[Tensor, "*B T 400"]:
    """Overlapping stretches of the sound, each centred on a multiple of 160 samples.

    The sound is mirrored at both ends, so that the first and the last frame are full, too.
    ValueError for a sound of 200 samples or fewer: it cannot be mirrored.
    """
    if sound.shape[-1] <= WINDOW // 2:
        raise ValueError(
            f"the sound has {sound.shape[-1]} samples, and at least {WINDOW // 2 + 1} are needed"
        )
    rows = sound.reshape(-1, 1, sound.shape[-1])  # (B, 1, L): `pad` mirrors nothing else
    mirrored = F.pad(rows, (WINDOW // 2, WINDOW // 2), mode="reflect")
    return mirrored.unfold(-1, WINDOW, HOP).reshape(*sound.shape[:-1], -1, WINDOW)


def power(sound: Float[Tensor, "*B L"]) -> Float[Tensor, "*B T 201"]:
    """The energy at 0, 40, 80, ... 8,000 Hz in each frame: a short-time Fourier transform.

    Each frame is faded in and out (Hann), then compared with a cosine and a sine of each
    frequency. The two are squared and added, so that the phase does not matter.
    """
    dtype = sound.dtype
    time = torch.arange(WINDOW, dtype=torch.float64)
    fade = 0.5 - 0.5 * torch.cos(2 * math.pi * time / WINDOW)  # (400,)
    turns = 2 * math.pi * torch.outer(time, torch.arange(WINDOW // 2 + 1)) / WINDOW  # (400, 201)
    faded = frames(sound) * fade.to(dtype)  # (*B, T, 400)
    return (faded @ turns.cos().to(dtype)) ** 2 + (faded @ turns.sin().to(dtype)) ** 2


def to_mel(hertz: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
    """Frequency to pitch as the ear has it: in equal steps below 1,000 Hz, in factors above."""
    above = BREAK / STRAIGHT + torch.log(hertz.clamp_min(1.0) / BREAK) / STEEPNESS
    return torch.where(hertz < BREAK, hertz / STRAIGHT, above)


def to_hertz(mel: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
    """The inverse of `to_mel`."""
    above = BREAK * torch.exp(STEEPNESS * (mel - BREAK / STRAIGHT))
    return torch.where(mel < BREAK / STRAIGHT, mel * STRAIGHT, above)


def mel_filters(bands: int = BANDS) -> Float[Tensor, "201 M"]:
    """A triangle over frequency for each band; neighbours overlap by half, each has area 1.

    Slaney, 1998 (Auditory Toolbox). ValueError for fewer than one band.
    """
    if bands < 1:
        raise ValueError(f"there must be at least one band, but {bands} are asked for")
    top = to_mel(torch.tensor(RATE / 2, dtype=torch.float64))
    edges = to_hertz(torch.linspace(0, 1, bands + 2, dtype=torch.float64) * top)  # (M + 2,)
    hertz = torch.linspace(0, RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)[:, None]  # (201, 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return torch.minimum(rising, falling).clamp_min(0) * 2 / (high - low)


def log_mel(sound: Float[Tensor, "*B L"], bands: int = BANDS) -> Float[Tensor, "*B T M"]:
    """The log-mel spectrogram as Whisper takes it: one row of `bands` numbers every 10 ms.

    Logarithms to base 10; what is 80 dB below the loudest is cut off; scaled to about -1 to 1.
    A sound of L samples has L // 160 rows. Radford et al., 2022. ValueError for a sound that is
    not finite, or too short (see `frames`).
    """
    if not sound.isfinite().all():
        raise ValueError("the sound holds numbers that are not finite")
    energy = power(sound)[..., :-1, :] @ mel_filters(bands).to(sound.dtype)  # (*B, T, M)
    logs = energy.clamp_min(1e-10).log10()
    loudest = logs.amax(dim=(-2, -1), keepdim=True)
    return (torch.maximum(logs, loudest - 8.0) + 4.0) / 4.0
