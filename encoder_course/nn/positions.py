"""Four ways to tell an encoder where a token stands, and how each one enters the sum."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sinusoidal(
    length: int, dim: int, theta: float = 10_000.0, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "T D"]:
    """A fixed table of sines and cosines, added to the token vectors.

    Number ``2i`` of a row is ``sin(t / theta**(2i/D))`` and its neighbour ``2i+1`` the cosine of
    the same angle: a clock with D/2 hands, the first turning fastest. ValueError for an odd `dim`.
    Vaswani et al., 2017.
    """
    if dim % 2:
        raise ValueError(f"sines and cosines come in pairs, but dim is {dim}")
    angles = rotary_angles(length, dim, theta)  # (T, D/2)
    table = torch.stack([angles.sin(), angles.cos()], dim=-1)  # (T, D/2, 2)
    return table.flatten(1).to(dtype)  # (T, D)


def rotary_angles(length: int, width: int, theta: float = 10_000.0) -> Float[Tensor, "T half"]:
    """The angle, in radians, by which each pair of numbers is turned at each position."""
    exponents = torch.arange(0, width, 2, dtype=torch.float64) / width
    times = torch.arange(length, dtype=torch.float64)
    return times[:, None] * theta**-exponents


def rotary(
    length: int, width: int, theta: float = 10_000.0, dtype: torch.dtype = torch.float32
) -> tuple[Float[Tensor, "T half"], Float[Tensor, "T half"]]:
    """Cosines and sines for `rotate`, for heads of `width` numbers. Su et al., 2021."""
    angles = rotary_angles(length, width, theta)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(
    heads: Float[Tensor, "B H T K"], cos: Float[Tensor, "T half"], sin: Float[Tensor, "T half"]
) -> Float[Tensor, "B H T K"]:
    """Turn each pair of numbers by its angle, so that a dot product sees only distances.

    Queries and keys are turned, values are not. Number ``i`` is paired with number ``i + K/2``
    (the layout of Hugging Face's models; the paper pairs neighbours, the same up to an order).
    """
    first, second = heads.chunk(2, dim=-1)  # (B, H, T, K/2) each
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def alibi_slopes(heads: int) -> Float[Tensor, " H"]:
    """How strongly each head dislikes distance: ``2**(-8/H), 2**(-16/H), ...``. Press, 2021.

    For a number of heads that is no power of two, the slopes of the next lower power are used,
    filled up from the next higher one, as the paper's authors do.
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    slopes += [2 ** (-4 * (2 * i + 1) / power) for i in range(heads - power)]
    return torch.tensor(slopes, dtype=torch.float32)


def alibi(heads: int, length: int) -> Float[Tensor, "H T T"]:
    """The amount added to the scores: minus slope times distance, the same in both directions."""
    return -alibi_slopes(heads)[:, None, None] * distances(length)


def distances(length: int) -> Int[Tensor, "T T"]:
    """How many tokens lie between each query and each key: ``|t - s|``."""
    places = torch.arange(length)
    return (places[:, None] - places[None, :]).abs()
