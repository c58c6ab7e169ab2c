"""An encoder that listens: Whisper's, from the blocks of the text encoder."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn.block import Block
from encoder_course.nn.encoder import initialise


def audio_config(dim: int, layers: int, heads: int, ff_dim: int, max_len: int) -> EncoderConfig:
    """The shape of the blocks: pre-norm, positions added once at the start, no vocabulary."""
    shape = dict(dim=dim, layers=layers, heads=heads, ff_dim=ff_dim, max_len=max_len)
    return EncoderConfig(
        vocab_size=1, segments=0, positions="none", norm="pre", norm_eps=1e-5, **shape
    )


class AudioEncoder(nn.Module):
    """Log-mel rows (B, 2T, `bands`) to one vector for every two of them (B, T, D).

    Two convolutions over time listen to a few rows at once; the second takes every other place.
    From there on a place in time is a token. Radford et al., 2022. ValueError for more places than
    ``max_len``, or another number of bands.
    """

    def __init__(self, config: EncoderConfig, bands: int = 80) -> None:
        super().__init__()
        self.config = config
        self.bands = bands
        self.near = nn.Conv1d(bands, config.dim, 3, padding=1)
        self.halve = nn.Conv1d(config.dim, config.dim, 3, stride=2, padding=1)
        self.register_buffer("positions", waves(config.max_len, config.dim), persistent=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.blocks.apply(initialise)

    def forward(self, rows: Float[Tensor, "B R M"]) -> Float[Tensor, "B T D"]:
        if rows.shape[-1] != self.bands:
            raise ValueError(f"the rows have {rows.shape[-1]} bands, but {self.bands} are expected")
        hidden = F.gelu(self.near(rows.transpose(1, 2)))  # (B, D, R)
        hidden = F.gelu(self.halve(hidden)).transpose(1, 2)  # (B, T, D)
        if hidden.shape[1] > self.config.max_len:
            raise ValueError(
                f"the sound has {hidden.shape[1]} places, but the encoder knows"
                f" {self.config.max_len}; cut it"
            )
        hidden = hidden + self.positions[: hidden.shape[1]].to(hidden.dtype)
        for block in self.blocks:
            hidden = block(hidden)
        return self.final_norm(hidden)


def waves(length: int, dim: int) -> Float[Tensor, "T D"]:
    """Whisper's positions: sinusoidal, all sines first and then all cosines.

    Wavelengths grow from 2 pi to 20,000 pi, both ends included. ValueError for an odd `dim`, or one
    below 4.
    """
    if dim % 2 or dim < 4:
        raise ValueError(f"dim must be even and at least 4, but it is {dim}")
    exponents = torch.arange(dim // 2, dtype=torch.float64) / (dim // 2 - 1)
    angles = torch.outer(
        torch.arange(length, dtype=torch.float64), torch.exp(-math.log(10_000) * exponents)
    )
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()  # (T, D)
