"""BERT under the names of lab 04, with a switch for each wrong idea that people have of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn.attention import attention


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How an encoder computes; all defaults together are BERT (Devlin et al., 2018)."""

    scale: Literal["root of K", "K", "root of D", "none"] = "root of K"  # divides the scores
    exchanged: bool = False  # queries and keys
    mask: Literal["keep", "inverted", "none"] = "keep"
    split: Literal["transpose", "reshape"] = "transpose"  # D numbers to H heads of K
    merge: Literal["transpose", "reshape"] = "transpose"  # and back
    norm: Literal["post", "pre"] = "post"
    eps: float | None = None  # of all norms; None: as configured
    gelu: Literal["none", "tanh"] = "none"  # the approximation
    positions: bool = True
    kinds: bool = True
    shared: bool = False  # one block for all layers


BERT = Rules()


class Attention(nn.Module):
    """Multi-head self-attention; `rules` tell how. Vaswani et al., 2017."""

    def __init__(self, dim: int, heads: int, rules: Rules = BERT) -> None:
        super().__init__()
        self.heads, self.rules = heads, rules
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(
        self, x: Float[Tensor, "B T D"], keep: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T D"]:
        q, k, v = (self.split(project(x)) for project in (self.query, self.key, self.value))
        if self.rules.exchanged:
            q, k = k, q
        values, _ = attention(q * self.factor(*x.shape[-1:]), k, v, self.mask(keep))
        return self.out(self.merge(values))

    def factor(self, dim: int) -> float:
        """What a score is multiplied by, beyond the division by the root of K in `attention`."""
        width = dim / self.heads
        divisors = {"root of K": width**0.5, "K": width, "root of D": dim**0.5, "none": 1.0}
        return width**0.5 / divisors[self.rules.scale]

    def mask(self, keep: Tensor) -> Tensor | None:
        if self.rules.mask == "none":
            return None
        keep = keep[:, None, None, :]  # (B, 1, 1, S)
        return ~keep if self.rules.mask == "inverted" else keep

    def split(self, x: Tensor) -> Float[Tensor, "B H T K"]:
        if self.rules.split == "reshape":
            return x.reshape(len(x), self.heads, x.shape[1], -1)
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def merge(self, values: Tensor) -> Float[Tensor, "B T D"]:
        if self.rules.merge == "reshape":
            return values.reshape(len(values), values.shape[2], -1)
        return values.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    """Widen `dim` numbers to `hidden`, bend, and come back. Hendrycks and Gimpel, 2016."""

    def __init__(self, dim: int, hidden: int, rules: Rules = BERT) -> None:
        super().__init__()
        self.rules = rules
        self.expand, self.contract = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.contract(F.gelu(self.expand(x), approximate=self.rules.gelu))


class Block(nn.Module):
    """Attention, then feed-forward, each added to its input and normalised."""

    def __init__(self, dim: int, heads: int, hidden: int, eps: float, rules: Rules = BERT) -> None:
        super().__init__()
        eps = eps if rules.eps is None else rules.eps
        self.is_pre_norm = rules.norm == "pre"
        self.attention = Attention(dim, heads, rules)
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.feed_forward = FeedForward(dim, hidden, rules)
        self.norm2 = nn.LayerNorm(dim, eps=eps)

    def forward(
        self, x: Float[Tensor, "B T D"], keep: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T D"]:
        if self.is_pre_norm:
            x = x + self.attention(self.norm1(x), keep)
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(x + self.attention(x, keep))
        return self.norm2(x + self.feed_forward(x))


class Encoder(nn.Module):
    """Token, position and kind vectors, a norm, and `config.layers` blocks."""

    def __init__(self, config: EncoderConfig, rules: Rules = BERT) -> None:
        super().__init__()
        self.rules = rules
        self.token = nn.Embedding(config.vocab_size, config.dim)
        self.position = nn.Embedding(config.max_len, config.dim)
        self.kind = nn.Embedding(config.segments, config.dim)
        eps = config.norm_eps if rules.eps is None else rules.eps
        self.norm = nn.LayerNorm(config.dim, eps=eps)
        shape = config.dim, config.heads, config.ff_dim, config.norm_eps
        count = 1 if rules.shared else config.layers
        blocks = [Block(*shape, rules) for _ in range(count)]
        self.blocks = nn.ModuleList(blocks * (config.layers // count))

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"],
        kinds: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        x = self.norm(self.embed(ids, kinds))
        for block in self.blocks:
            x = block(x, keep)
        return x

    def embed(self, ids: Tensor, kinds: Tensor | None) -> Float[Tensor, "B T D"]:
        """The sum that the first norm reads; without `kinds`, all tokens are of kind 0."""
        x = self.token(ids)
        if self.rules.positions:
            x = x + self.position.weight[: ids.shape[1]]
        if self.rules.kinds:
            x = x + self.kind(torch.zeros_like(ids) if kinds is None else kinds)
        return x
