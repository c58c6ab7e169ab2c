"""The block: attention, then feed-forward, each added to what was there before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from encoder_course.config import EncoderConfig
from encoder_course.nn.attention import Group, MultiHeadAttention, Sight
from encoder_course.nn.feed_forward import FeedForward


class Block(nn.Module):
    """One layer of an encoder. An encoder is `config.layers` of these.

    Post-norm (BERT): ``norm(hidden + f(hidden))``. Pre-norm: ``hidden + f(norm(hidden))``, which
    leaves a straight road from the last layer to the first. He et al., 2015; Xiong et al., 2020.
    `norm_attention` False leaves out the first norm (ModernBERT's first block has none, because
    the embeddings have just been normalised).
    """

    def __init__(self, config: EncoderConfig, norm_attention: bool = True) -> None:
        super().__init__()
        norm = nn.LayerNorm(config.dim, eps=config.norm_eps, bias=config.bias)
        self.pre_norm = config.norm == "pre"
        self.attention = MultiHeadAttention(config.dim, config.heads, config.bias)
        self.attention_norm = norm if norm_attention else nn.Identity()
        self.feed_forward = FeedForward(config.dim, config.ff_dim, config.activation, config.bias)
        self.feed_forward_norm = nn.LayerNorm(config.dim, eps=config.norm_eps, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, hidden: Float[Tensor, "B T D"], sight: Sight = Sight()
    ) -> Float[Tensor, "B T D"]:
        return self.layer(hidden, lambda tokens: self.attention(tokens, sight))

    def packed(self, hidden: Float[Tensor, "N D"], groups: Sequence[Group]) -> Float[Tensor, "N D"]:
        """The same for rows laid end to end; only attention needs to know where rows begin."""
        return self.layer(hidden, lambda tokens: self.attention.packed(tokens, groups))

    def layer(self, hidden: Tensor, attend: Callable[[Tensor], Tensor]) -> Tensor:
        """The equations of the block, for any way to attend."""
        if self.pre_norm:
            hidden = hidden + self.dropout(attend(self.attention_norm(hidden)))
            return hidden + self.dropout(self.feed_forward(self.feed_forward_norm(hidden)))
        hidden = self.attention_norm(hidden + self.dropout(attend(hidden)))
        return self.feed_forward_norm(hidden + self.dropout(self.feed_forward(hidden)))

    def weights(
        self, hidden: Float[Tensor, "B T D"], sight: Sight = Sight()
    ) -> Float[Tensor, "B H T T"]:
        """The attention weights of this block on this input."""
        tokens = self.attention_norm(hidden) if self.pre_norm else hidden
        return self.attention.weights(tokens, sight)
