"""The block: attention, then feed-forward, each added to what was there before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from encoder_course.config import EncoderConfig
from encoder_course.nn.attention import Group, MultiHeadAttention, Sight
from encoder_course.nn.feed_forward import FeedForward
from encoder_course.nn.norm import make_norm


class Block(nn.Module):
    """One layer of an encoder. An encoder is `config.layers` of these.

    Post-norm (BERT): ``norm(hidden + f(hidden))``. Pre-norm: ``hidden + f(norm(hidden))``, which
    leaves a straight road from the last layer to the first. He et al., 2015; Xiong et al., 2020.
    `norm_attention` False leaves out the first norm (ModernBERT's first block has none, because
    the embeddings have just been normalised). With `cross`, tokens read a memory, the vectors of
    another text, between the two parts (Vaswani et al., 2017).
    """

    def __init__(
        self, config: EncoderConfig, norm_attention: bool = True, cross: bool = False
    ) -> None:
        super().__init__()
        self.pre_norm = config.norm == "pre"
        self.attention = MultiHeadAttention(config.dim, config.heads, config.bias)
        self.attention_norm = make_norm(config) if norm_attention else nn.Identity()
        self.cross_attention = self.cross_attention_norm = None
        if cross:
            self.cross_attention = MultiHeadAttention(config.dim, config.heads, config.bias)
            self.cross_attention_norm = make_norm(config)
        self.feed_forward = FeedForward(config.dim, config.ff_dim, config.activation, config.bias)
        self.feed_forward_norm = make_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        hidden: Float[Tensor, "B T D"],
        sight: Sight = Sight(),
        memory: Float[Tensor, "B S D"] | None = None,
        memory_sight: Sight = Sight(),
    ) -> Float[Tensor, "B T D"]:
        """`memory_sight` is what the tokens see of the memory: a mask, and no positions."""
        read = None
        if memory is not None and self.cross_attention is not None:
            read = partial(self.cross_attention, sight=memory_sight, source=memory)
        elif memory is not None:
            raise ValueError("a memory was given, but this block has no cross-attention to read it")
        return self.layer(hidden, lambda tokens: self.attention(tokens, sight), read)

    def packed(self, hidden: Float[Tensor, "N D"], groups: Sequence[Group]) -> Float[Tensor, "N D"]:
        """The same for rows laid end to end; only attention needs to know where rows begin."""
        return self.layer(hidden, lambda tokens: self.attention.packed(tokens, groups))

    def layer(
        self,
        hidden: Tensor,
        attend: Callable[[Tensor], Tensor],
        read: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The equations of the block, for any way to attend."""
        if read is None and self.cross_attention is not None:
            raise ValueError("this block has cross-attention, but it was given no memory to read")
        if self.pre_norm:
            hidden = hidden + self.dropout(attend(self.attention_norm(hidden)))
            if read is not None:
                hidden = hidden + self.dropout(read(self.cross_attention_norm(hidden)))
            return hidden + self.dropout(self.feed_forward(self.feed_forward_norm(hidden)))
        hidden = self.attention_norm(hidden + self.dropout(attend(hidden)))
        if read is not None:
            hidden = self.cross_attention_norm(hidden + self.dropout(read(hidden)))
        return self.feed_forward_norm(hidden + self.dropout(self.feed_forward(hidden)))

    def weights(
        self, hidden: Float[Tensor, "B T D"], sight: Sight = Sight()
    ) -> Float[Tensor, "B H T T"]:
        """The attention weights of this block on this input."""
        tokens = self.attention_norm(hidden) if self.pre_norm else hidden
        return self.attention.weights(tokens, sight)
