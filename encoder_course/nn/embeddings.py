"""From token ids to the first hidden state: token, position and segment vectors, summed."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from encoder_course.config import EncoderConfig
from encoder_course.nn.norm import make_norm
from encoder_course.nn.positions import sinusoidal
from encoder_course.shapes import check_ids


class Embeddings(nn.Module):
    """Look up each token's vector and add, where the model has them, position and segment.

    Rotary, ALiBi and bucketed positions act inside attention: with them nothing is added here.
    Devlin et al., 2018.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.max_len = config.max_len
        self.token = nn.Embedding(config.vocab_size, config.dim, padding_idx=config.pad_id)
        self.position = None
        if config.positions == "learned":
            self.position = nn.Embedding(config.max_len, config.dim)
        elif config.positions == "sinusoidal":
            self.position = nn.Embedding.from_pretrained(sinusoidal(config.max_len, config.dim))
        self.segment = nn.Embedding(config.segments, config.dim) if config.segments else None
        self.norm = make_norm(config) if config.embedding_norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        ids: Int[Tensor, "..."],
        places: Int[Tensor, "..."],
        segments: Int[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "... D"]:
        """`places` holds each token's position in its row; both are (B, T), or (N,) packed.

        ValueError for an id, a position or a segment that the tables do not have.
        """
        check_ids(ids, self.token.num_embeddings)
        hidden = self.token(ids)
        if self.position is not None:
            hidden = hidden + self.position(places)
        if self.segment is not None:
            if segments is None:
                hidden = hidden + self.segment.weight[0]
            else:
                if segments.shape != ids.shape:
                    raise ValueError(
                        f"segments are {tuple(segments.shape)} but the tokens {tuple(ids.shape)}"
                    )
                check_ids(segments, self.segment.num_embeddings)
                hidden = hidden + self.segment(segments)
        elif segments is not None:
            raise ValueError("segments were given, but this encoder has no segment embeddings")
        return self.dropout(self.norm(hidden))
