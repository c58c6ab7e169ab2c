"""The encoder: embeddings and a stack of blocks. Tokens in, one vector per token out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from encoder_course.config import EncoderConfig
from encoder_course.nn.attention import Group, Sight
from encoder_course.nn.block import Block
from encoder_course.nn.embeddings import Embeddings
from encoder_course.nn.norm import make_norm
from encoder_course.nn.positions import alibi, distances, rotary
from encoder_course.nn.relative import RelativeBias
from encoder_course.shapes import check_keep


@dataclass(frozen=True)
class EncoderTrace:
    """Everything that `Encoder.inspect` saw on the way."""

    hidden: list[Tensor]  # (B, T, D) after the embeddings and after each block
    weights: list[Tensor]  # (B, H, T, T) of each block


class Encoder(nn.Module):
    """A transformer encoder as `config` describes it: BERT, MiniLM, ModernBERT or ours.

    `cross` gives its blocks cross-attention, for a `Decoder`. Devlin et al., 2018; Warner et al.,
    2024.
    """

    both_sides = True  # whether a token sees what comes after it

    def __init__(self, config: EncoderConfig, cross: bool = False) -> None:
        super().__init__()
        self.config = config
        self.embed = Embeddings(config)
        # A pre-norm model whose embeddings are normalised does not normalise them again.
        twice = config.norm == "pre" and config.embedding_norm
        self.blocks = nn.ModuleList(
            Block(config, norm_attention=not (twice and i == 0), cross=cross)
            for i in range(config.layers)
        )
        self.final_norm = make_norm(config) if config.norm == "pre" else nn.Identity()
        self.relative = None
        if config.positions == "bucketed":
            shape = config.heads, config.buckets, config.bucket_reach
            self.relative = RelativeBias(*shape, self.both_sides)
        self.apply(initialise)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """One vector per token. `keep` is True for real tokens and False for padding.

        ValueError for ids outside the vocabulary, rows longer than ``max_len``, and a mask of
        another type or shape.
        """
        hidden = self.start(ids, keep, segments)
        for layer, block in enumerate(self.blocks):
            hidden = block(hidden, self.sight(layer, ids.shape[1], keep))
        return self.final_norm(hidden)

    @torch.inference_mode()
    def inspect(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> EncoderTrace:
        """Run and keep every hidden state and every attention weight, to look at."""
        hidden = [self.start(ids, keep, segments)]
        weights = []
        for layer, block in enumerate(self.blocks):
            sight = self.sight(layer, ids.shape[1], keep)
            weights.append(block.weights(hidden[-1], sight))
            hidden.append(block(hidden[-1], sight))
        hidden[-1] = self.final_norm(hidden[-1])
        return EncoderTrace(hidden, weights)

    def encode_packed(
        self, rows: Sequence[Int[Tensor, " _"]], budget: int = 1_500
    ) -> list[Float[Tensor, "_ D"]]:
        """The hidden states of rows of any lengths, in their order, with no padding computed.

        (An underscore in a shape is a length that differs from row to row.)
        """
        encoded: list[Tensor] = [torch.empty(0)] * len(rows)
        for places, hidden in self.packed_batches(rows, budget):
            for i, row in zip(places, hidden, strict=True):
                encoded[i] = row
        return encoded

    @torch.inference_mode()
    def packed_batches(
        self,
        rows: Sequence[Int[Tensor, " _"]],
        budget: int = 1_500,
        packed: Callable[[list[Tensor]], Tensor] | None = None,
    ) -> Iterator[tuple[list[int], list[Float[Tensor, "_ D"]]]]:
        """The same a batch at a time, for more text than fits in memory: yields which rows of
        `rows` a batch holds, and their hidden states.

        Rows are sorted by length and laid end to end, about `budget` tokens at a time, so that
        each linear layer sees only real tokens; attention goes through runs of equal length.
        `packed` is another way to compute a batch than `Encoder.packed`.
        """
        packed = packed or self.packed
        rows = [torch.as_tensor(row) for row in rows]
        for row in rows:
            if row.dim() != 1 or not len(row):
                raise ValueError(f"a row must be (T,) with T at least 1, but is {tuple(row.shape)}")
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for batch in batch_starts([len(rows[i]) for i in order], budget):
            places = order[batch]
            hidden = packed([rows[i] for i in places])  # (N, D)
            yield places, list(hidden.split([len(rows[i]) for i in places]))

    def packed(
        self, rows: Sequence[Int[Tensor, " _"]], layers: Sequence[int] | None = None
    ) -> Float[Tensor, "N D"]:
        """The hidden states of rows sorted by length, laid end to end.

        With `layers`, those after these blocks (the first is 1) side by side, (N, layers * D).
        """
        lengths = [len(row) for row in rows]
        self.check_length(max(lengths))
        places = torch.cat([torch.arange(length) for length in lengths])
        ids = torch.cat(list(rows))
        hidden = self.embed(ids, places.to(ids.device))  # (N, D)
        states = [hidden]
        for layer, block in enumerate(self.blocks):
            groups, start = [], 0
            for length, run in itertools.groupby(lengths):
                count = len(list(run))
                groups.append(Group(start, count, length, self.sight(layer, length)))
                start += count * length
            hidden = block.packed(hidden, groups)
            states.append(hidden)
        chosen = (len(self.blocks),) if layers is None else layers
        return torch.cat([self.final_norm(states[layer]) for layer in chosen], dim=-1)

    def start(self, ids: Tensor, keep: Tensor | None, segments: Tensor | None) -> Tensor:
        """Check the input and embed it."""
        if ids.dim() != 2:
            raise ValueError(f"ids must be (B, T), but they are {tuple(ids.shape)}")
        check_keep(keep, tuple(ids.shape))
        self.check_length(ids.shape[1])
        places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        return self.embed(ids, places, segments)

    def check_length(self, length: int) -> None:
        """Raise ValueError for a row that is longer than the encoder's positions."""
        if length > self.config.max_len:
            raise ValueError(
                f"the row has {length} tokens but the encoder has positions for"
                f" {self.config.max_len}; truncate or split it"
            )

    def sight(self, layer: int, length: int, keep: Tensor | None = None) -> Sight:
        """Masks and positions of one layer for rows of `length` tokens."""
        weight = self.embed.token.weight
        fixed = fixed_sight(self.config, self.config.is_local(layer), length)
        rotary = fixed.rotary and tuple(x.to(weight.device, weight.dtype) for x in fixed.rotary)
        bias = None if fixed.bias is None else fixed.bias.to(weight.device, weight.dtype)
        if self.relative is not None:
            bias = self.relative(length)  # (H, T, T)
        near = None if fixed.keep is None else fixed.keep.to(weight.device)
        if keep is not None:
            keep = keep[:, None, None, :]  # (B, 1, 1, S)
            near = keep if near is None else keep & near
        return Sight(keep=near, rotary=rotary, bias=bias)


@lru_cache(maxsize=1024)
@torch.inference_mode(False)
def fixed_sight(config: EncoderConfig, local: bool, length: int) -> Sight:
    """The part of a `Sight` that depends on the length alone, computed once for each length."""
    keep = angles = bias = None
    if local and length > config.local_window // 2:
        keep = distances(length) <= config.local_window // 2  # (T, T)
    if config.positions == "rotary":
        theta = config.local_rope_theta if local else config.rope_theta
        angles = rotary(length, config.head_dim, theta, torch.float64)
    elif config.positions == "alibi":
        bias = alibi(config.heads, length)
    return Sight(keep=keep, rotary=angles, bias=bias)


def batch_starts(lengths: Sequence[int], budget: int) -> list[slice]:
    """Cut rows that stand in order into slices of at most `budget` tokens (one row at least)."""
    slices, start, tokens = [], 0, 0
    for i, length in enumerate(lengths):
        if tokens + length > budget and i > start:
            slices.append(slice(start, i))
            start, tokens = i, 0
        tokens += length
    if start < len(lengths):
        slices.append(slice(start, len(lengths)))
    return slices


def initialise(module: nn.Module) -> None:
    """BERT's start: weights from a normal distribution of width 0.02, biases 0."""
    if isinstance(module, nn.Linear | nn.Embedding) and module.weight.requires_grad:
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
