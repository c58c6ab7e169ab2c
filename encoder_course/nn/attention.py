"""Attention: every token asks, every token answers, the answers are averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.nn.positions import rotate

# Up to this length a row takes the readable form: in bfloat16 it beats PyTorch's fused kernel on a
# CPU, in training several times over; in float32 it costs up to a quarter (benchmarks/README.md).
EXPLICIT_UP_TO = 256  # tokens


def attention(
    q: Float[Tensor, "B H T K"],
    k: Float[Tensor, "B H S K"],
    v: Float[Tensor, "B H S K"],
    keep: Bool[Tensor, "..."] | None = None,
    bias: Float[Tensor, "..."] | None = None,
) -> tuple[Float[Tensor, "B H T K"], Float[Tensor, "B H T S"]]:
    """Scaled dot-product attention, step by step: returns the new values and the weights.

    `keep` is True where a key may be attended and `bias` is added to the scores; both are
    broadcastable to (B, H, T, S). A query with nothing to keep gets weights and values of 0,
    never NaN. ValueError for a mask of another type or shape. Vaswani et al., 2017.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, H, T, S)
    if bias is not None:
        scores = scores + bias
    if keep is not None:
        check_broadcast(keep, scores.shape)
        scores = scores.masked_fill(~keep, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)  # each query's weights sum to 1
    if keep is not None:
        weights = weights.masked_fill(~keep, 0.0)
    return weights @ v, weights


def fused_attention(
    q: Float[Tensor, "B H T K"],
    k: Float[Tensor, "B H S K"],
    v: Float[Tensor, "B H S K"],
    keep: Bool[Tensor, "..."] | None = None,
    bias: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, "B H T K"]:
    """The same values as `attention` from PyTorch's fused kernel, which keeps no weights.

    Memory grows with T instead of T * S. Dao et al., 2022.
    """
    mask = keep
    if bias is not None:
        mask = bias if keep is None else torch.where(keep, bias, -math.inf)
    if keep is not None:
        check_broadcast(keep, (*q.shape[:-1], k.shape[-2]))
    values = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    if keep is None:
        return values
    return values.masked_fill(~keep.any(dim=-1, keepdim=True), 0.0)


def check_broadcast(keep: Tensor, shape: Sequence[int]) -> None:
    """Raise ValueError unless `keep` is boolean and broadcastable to `shape` (B, H, T, S)."""
    if keep.dtype != torch.bool:
        raise ValueError(f"keep must be boolean (True = may be attended), but it is {keep.dtype}")
    fits = keep.dim() <= len(shape) and all(
        have in (1, want) for have, want in zip(reversed(keep.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(
            f"keep is {tuple(keep.shape)}, which does not spread over the scores {tuple(shape)};"
            " a padding mask (B, S) is given as keep[:, None, None, :]"
        )


@dataclass(frozen=True)
class Sight:
    """What the tokens of a row see of each other, besides the words: masks and positions."""

    keep: Tensor | None = None  # (B, 1, T or 1, S), True = may be attended
    rotary: tuple[Tensor, Tensor] | None = None  # cosines and sines, (T, K/2) each
    bias: Tensor | None = None  # (H, T, S), added to the scores


@dataclass(frozen=True)
class Group:
    """Rows of equal length in a packed batch: tokens `start` to ``start + rows * length``."""

    start: int
    rows: int
    length: int
    sight: Sight

    @property
    def tokens(self) -> slice:
        """Where the group stands among the N tokens."""
        return slice(self.start, self.start + self.rows * self.length)


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each on its own projection of the tokens to K = D / H numbers.

    `dim` is D, `heads` is H. Vaswani et al., 2017.
    """

    def __init__(self, dim: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim {dim} cannot be split into {heads} equal heads")
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=bias)
        self.key = nn.Linear(dim, dim, bias=bias)
        self.value = nn.Linear(dim, dim, bias=bias)
        self.output = nn.Linear(dim, dim, bias=bias)

    def forward(
        self,
        hidden: Float[Tensor, "B T D"],
        sight: Sight = Sight(),
        source: Float[Tensor, "B S D"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Queries come from `hidden`, keys and values from `source` (default: `hidden`).

        ValueError for a source with rotary positions: tokens of two texts have no distance.
        """
        if source is not None and sight.rotary is not None:
            raise ValueError("rotary positions are those of one text, but there is a source")
        source = hidden if source is None else source
        values = self.mix(self.query(hidden), self.key(source), self.value(source), sight)
        return self.output(values)

    def packed(self, hidden: Float[Tensor, "N D"], groups: Sequence[Group]) -> Float[Tensor, "N D"]:
        """Self-attention of rows laid end to end: each group of equal rows on its own."""
        projections = self.query(hidden), self.key(hidden), self.value(hidden)  # (N, D) each
        mixed = torch.empty_like(hidden)
        for group in groups:
            q, k, v = (x[group.tokens].unflatten(0, (group.rows, -1)) for x in projections)
            mixed[group.tokens] = self.mix(q, k, v, group.sight).flatten(0, 1)
        return self.output(mixed)

    def mix(self, q: Tensor, k: Tensor, v: Tensor, sight: Sight) -> Float[Tensor, "B T D"]:
        """Split into heads, attend, and lay the heads side by side again."""
        q, k = self.aim(q, k, sight)
        v = self.split(v)
        if max(q.shape[-2], k.shape[-2]) <= EXPLICIT_UP_TO:
            values, _ = attention(q, k, v, sight.keep, sight.bias)
        else:
            values = fused_attention(q, k, v, sight.keep, sight.bias)
        return values.transpose(1, 2).flatten(2)  # (B, T, D)

    def aim(self, q: Tensor, k: Tensor, sight: Sight) -> tuple[Tensor, Tensor]:
        """Queries and keys by head, turned by their positions where those are rotary."""
        q, k = self.split(q), self.split(k)
        if sight.rotary is not None:
            q, k = rotate(q, *sight.rotary), rotate(k, *sight.rotary)
        return q, k

    def split(self, projected: Float[Tensor, "B T D"]) -> Float[Tensor, "B H T K"]:
        """D numbers per token to H heads of K."""
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def weights(
        self,
        hidden: Float[Tensor, "B T D"],
        sight: Sight = Sight(),
        source: Float[Tensor, "B S D"] | None = None,
    ) -> Float[Tensor, "B H T S"]:
        """The attention weights that `forward` uses on the same input, to look at."""
        source = hidden if source is None else source
        q, k = self.aim(self.query(hidden), self.key(source), sight)
        return attention(q, k, torch.zeros_like(k), sight.keep, sight.bias)[1]
