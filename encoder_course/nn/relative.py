"""Positions as T5 tells them: a number for each distance and head, added to the scores."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class RelativeBias(nn.Module):
    """A table of `buckets` distances by H heads, learned. All layers of a stack share it.

    `both_sides`: half of the buckets for keys on the left of a query, half for those on its right;
    a decoder, which sees no right side, spends all of them on the left. Raffel et al., 2019.
    """

    def __init__(self, heads: int, buckets: int, reach: int, both_sides: bool) -> None:
        super().__init__()
        self.buckets, self.reach, self.both_sides = buckets, reach, both_sides
        self.table = nn.Embedding(buckets, heads)

    def forward(self, length: int) -> Float[Tensor, "H T T"]:
        """The numbers to add to the scores of a row of `length` tokens."""
        places = torch.arange(length, device=self.table.weight.device)
        offsets = places[None, :] - places[:, None]  # (T, S), negative on the left
        numbers = bucket(offsets, self.buckets, self.reach, self.both_sides)
        return self.table(numbers).permute(2, 0, 1)


def bucket(
    offsets: Int[Tensor, "..."], buckets: int, reach: int, both_sides: bool
) -> Int[Tensor, "..."]:
    """The bucket of each offset (key minus query, in tokens), from 0 to ``buckets - 1``.

    On each side, the first half of the buckets hold one distance each; the others hold more and
    more of them, evenly in the logarithm, up to `reach` and beyond.
    """
    side = torch.zeros_like(offsets)
    if both_sides:
        buckets //= 2
        side = (offsets > 0) * buckets
        distance = offsets.abs()
    else:
        distance = (-offsets).clamp(min=0)
    exact = buckets // 2
    # In float32 and in this order: some distances lie on a border, and T5's weights know the side.
    growth = torch.log(distance.clamp(min=1).float() / exact) / math.log(reach / exact)
    far = (exact + (growth * (buckets - exact)).long()).clamp(max=buckets - 1)
    return side + torch.where(distance < exact, distance, far)
