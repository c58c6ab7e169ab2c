"""A second look at what a search found: by matching tokens, or by any reranker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.search import Search


@runtime_checkable
class Scorer(Protocol):
    """Says how well texts answer a question; larger is better. `Reranker` is one."""

    def scores(self, question: str, texts: Sequence[str]) -> Float[Tensor, " B"]:
        """One number for each text."""


class TokenMatch:
    """Compares token with token: for each token of the question its nearest one in the text.

    The score is the mean of those largest cosines. It sees single words, which a mean over all
    tokens blurs, needs no training, and the tokens of a text could be encoded beforehand. Late
    interaction; Khattab and Zaharia, 2020, who train the encoder for it, which is not done here.
    """

    def __init__(self, encoder: SentenceEncoder) -> None:
        self.encoder = encoder

    def scores(self, question: str, texts: Sequence[str]) -> Float[Tensor, " B"]:
        asked, *read = self.tokens([question, *texts])
        asked = asked[1:-1]  # without [CLS] and [SEP]
        best = [(asked @ tokens.T).amax(dim=1).mean() for tokens in read]
        return torch.stack(best) if best else torch.empty(0)

    @torch.inference_mode()
    def tokens(self, texts: Sequence[str]) -> list[Float[Tensor, "T D"]]:
        """The vectors of all tokens of each text, each of length 1."""
        ids = self.encoder.tokenizer.ids(texts, max_len=self.encoder.max_len)
        rows = [torch.tensor(row) for row in ids]
        vectors: list[Any] = [None] * len(rows)
        for places, hidden in self.encoder.encoder.packed_batches(rows):
            for place, tokens in zip(places, hidden, strict=True):
                vectors[place] = F.normalize(tokens, dim=-1)
        return vectors


class RerankedSearch(Search):
    """A search whose first `depth` documents are scored once more, by something slower.

    Every document keeps 1 / (`constant` + its rank) of the search, and those read again get
    `weight` / (`constant` + their rank by `scorer`) on top: reciprocal rank fusion, so that a weak
    scorer can help without taking over. Nothing that the search did not find can come back.
    ValueError for a `depth` below 1 or a negative `weight`.
    """

    floor = 0.0

    def __init__(
        self,
        search: Search,
        scorer: Scorer,
        depth: int = 30,
        weight: float | int = 1,
        constant: int = 60,
    ) -> None:
        super().__init__()
        if depth < 1 or weight < 0:
            raise ValueError(f"depth must be 1 or more and weight 0 or more: {depth} and {weight}")
        self.search = search
        self.scorer = scorer
        self.depth = depth
        self.weight = weight
        self.constant = constant
        self.documents = search.documents

    def index(self, texts: list[str], progress: bool = True) -> None:
        self.search.index(texts, progress)

    def scores(self, question: str) -> Float[Tensor, " B"]:
        first = self.search.scores(question)
        order = first.argsort(descending=True, stable=True)
        order = order[first[order] > self.search.floor]
        shares = torch.zeros_like(first)
        shares[order] = 1 / (self.constant + torch.arange(1, len(order) + 1)).to(first)
        again = order[: self.depth]
        texts = [self.text(place) for place in again.tolist()]
        best = again[self.scorer.scores(question, texts).argsort(descending=True, stable=True)]
        extra = self.weight / (self.constant + torch.arange(1, len(best) + 1)).to(first)
        shares[best] += extra
        return shares

    def text(self, place: int) -> str:
        """The prose of one document."""
        document = self.documents[place]
        return document if isinstance(document, str) else document.text
