"""BERT's equations once more, for speed on a CPU: the same values from fewer, larger steps.

What it gains and what it does not is in benchmarks/README.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.nn.block import Block
from encoder_course.nn.encoder import Encoder


class PackedLinear:
    """A linear layer whose weights are laid out once in the order in which oneDNN reads them.

    `gelu` bends the result while it is still in the processor's cache.
    """

    def __init__(self, weight: Tensor, bias: Tensor, gelu: bool = False) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
        self.bias = bias.detach()
        # Names as oneDNN has them: "none" for the approximation means the exact form, with erf.
        self.after = ("gelu", [], "none") if gelu else ("none", [], "")

    def __call__(self, hidden: Float[Tensor, "N in"]) -> Float[Tensor, "N out"]:
        return torch.ops.mkldnn._linear_pointwise(hidden, self.weight, self.bias, *self.after)


class FastBlock:
    """One post-norm block: queries, keys and values in one product, residuals added in place."""

    def __init__(self, block: Block) -> None:
        attention, feed_forward = block.attention, block.feed_forward
        three = (attention.query, attention.key, attention.value)
        self.heads = attention.heads
        self.project = PackedLinear(
            torch.cat([linear.weight for linear in three]),
            torch.cat([linear.bias for linear in three]),
        )
        self.output = PackedLinear(attention.output.weight, attention.output.bias)
        self.expand = PackedLinear(feed_forward.expand.weight, feed_forward.expand.bias, gelu=True)
        self.contract = PackedLinear(feed_forward.contract.weight, feed_forward.contract.bias)
        self.attention_norm = block.attention_norm
        self.feed_forward_norm = block.feed_forward_norm

    def __call__(self, hidden: Tensor, runs: Sequence[tuple[int, int]]) -> Float[Tensor, "N D"]:
        mixed = self.mix(self.project(hidden), runs)
        hidden = self.attention_norm(self.output(mixed).add_(hidden))
        wide = self.expand(hidden)  # (N, F)
        return self.feed_forward_norm(self.contract(wide).add_(hidden))

    def mix(self, projected: Float[Tensor, "N three_D"], runs: Sequence[tuple[int, int]]) -> Tensor:
        """Attention within each run of rows of equal length."""
        mixed = []
        for part, (rows, length) in zip(
            projected.split([r * t for r, t in runs]), runs, strict=True
        ):
            qkv = part.view(rows, length, 3, self.heads, -1)  # (B, T, 3, H, K)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, T, K) each
            values = F.scaled_dot_product_attention(q, k, v)
            mixed.append(values.transpose(1, 2).reshape(rows * length, -1))
        return torch.cat(mixed)  # (N, D)


class FastEncoder:
    """A copy of an encoder for inference; it does not follow weights that change afterwards.

    ValueError for an encoder that `suits` refuses.
    """

    def __init__(self, encoder: Encoder) -> None:
        if not suits(encoder):
            raise ValueError(f"only BERT's architecture in float32 on a CPU, not {encoder.config}")
        self.encoder = encoder
        with torch.no_grad():
            self.blocks = [FastBlock(block) for block in encoder.blocks]

    @torch.inference_mode()
    def packed(
        self, rows: Sequence[Int[Tensor, " _"]], layers: Sequence[int] | None = None
    ) -> Float[Tensor, "N D"]:
        """What `Encoder.packed` gives for rows sorted by length, within rounding."""
        lengths = [len(row) for row in rows]
        self.encoder.check_length(max(lengths))
        runs = [(len(list(run)), length) for length, run in itertools.groupby(lengths)]
        places = torch.cat([torch.arange(length) for length in lengths])
        hidden = self.encoder.embed(torch.cat(list(rows)), places)  # (N, D)
        states = [hidden]
        for block in self.blocks:
            states.append(block(states[-1], runs))
        chosen = (len(self.blocks),) if layers is None else layers
        return torch.cat([states[layer] for layer in chosen], dim=-1)


def suits(encoder: Encoder) -> bool:
    """Whether `FastEncoder` can do what this encoder does, on this machine."""
    config, weight = encoder.config, encoder.embed.token.weight
    linears = [module for module in encoder.modules() if isinstance(module, nn.Linear)]
    return (
        (config.norm, config.activation, config.bias) == ("post", "gelu", True)
        and config.positions in ("learned", "sinusoidal", "none")
        and not config.local_window
        and not encoder.training
        and weight.device.type == "cpu"
        and all(linear.weight.dtype == torch.float32 for linear in linears)
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
