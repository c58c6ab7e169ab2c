"""A decoder: the encoder's blocks, but a token sees only itself and what stands before it."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn.attention import Sight
from encoder_course.nn.encoder import Encoder
from encoder_course.shapes import check_ids, check_keep
from encoder_course.text.masking import NOT_ASKED


class Decoder(Encoder):
    """An encoder whose tokens cannot see the future. Nothing else is different.

    So the vector of a token stays as it is whatever is written after it, and all tokens of a text
    can be asked for their next one at once. With `cross` its blocks read a memory, too, the vectors
    of another text, all of it. Radford et al., 2018; Vaswani et al., 2017.
    """

    both_sides = False

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
        memory: Float[Tensor, "B S D"] | None = None,
        memory_keep: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """One vector per token. `memory_keep` is False on the memory's padding."""
        hidden = self.start(ids, keep, segments)
        if memory is not None:
            check_keep(memory_keep, tuple(memory.shape[:2]))
        seen = None if memory_keep is None else memory_keep[:, None, None, :]  # (B, 1, 1, S)
        for layer, block in enumerate(self.blocks):
            sight = self.sight(layer, ids.shape[1], keep)
            hidden = block(hidden, sight, memory, Sight(keep=seen))
        return self.final_norm(hidden)

    def sight(self, layer: int, length: int, keep: Tensor | None = None) -> Sight:
        """Masks and positions of one layer, with the upper triangle of the mask False."""
        sight = super().sight(layer, length, keep)
        past = causal(length, self.embed.token.weight.device)
        return replace(sight, keep=past if sight.keep is None else sight.keep & past)


def causal(length: int, device: torch.device | None = None) -> Bool[Tensor, "T T"]:
    """True where a query (row) may look at a key (column): at itself and at earlier tokens."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


class CausalLM(nn.Module):
    """A decoder that says which token comes next: GPT.

    The scores are dot products with the token embedding (tied weights), as in GPT-2, which has no
    transform and no bias before them. Radford et al., 2019.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.decoder = Decoder(config)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        keep: Bool[Tensor, "B T"] | None = None,
        labels: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy, in nats, of each token after the first, all at once.

        A label stands at the place of its own token, and the position before it is asked for it.
        `labels` (default: `ids` where `keep` is True) are -100 where nothing is asked. ValueError
        for labels of another shape than `ids`.
        """
        if labels is None:
            labels = ids if keep is None else ids.masked_fill(~keep, NOT_ASKED)
        if labels.shape != ids.shape:
            raise ValueError(
                f"labels are {tuple(labels.shape)} but the tokens are {tuple(ids.shape)}"
            )
        return next_token_loss(self.logits(ids, keep)[:, :-1], labels[:, 1:])

    def logits(
        self, ids: Int[Tensor, "B T"], keep: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T V"]:
        """Scores over the vocabulary: at each position those of the token that comes after it."""
        return F.linear(self.decoder(ids, keep), self.decoder.embed.token.weight)


def next_token_loss(logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]) -> Tensor:
    """Mean surprise at the labels that are not -100; 0 where nothing is asked."""
    answers = labels[labels != NOT_ASKED]  # (M,)
    check_ids(answers, logits.shape[-1])
    total = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=NOT_ASKED, reduction="sum")
    return total / max(len(answers), 1)
