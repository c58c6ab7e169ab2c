"""Search by meaning, by words, or by both: three searches with the same verbs."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from encoder_course.data.cache import cache_folder
from encoder_course.tasks.bm25 import BM25, Postings
from encoder_course.tasks.embed import SentenceEncoder


@dataclass(frozen=True)
class Hit:
    """One answer: how good (larger is better; what it measures is up to the search) and what."""

    score: float
    document: Any


class Search(ABC):
    """What all searches can do: `fit` some documents, then `query` them.

    Documents are strings, or records with their prose in ``.text``. A search says how it reads
    them (`index`) and how well each of them fits a question (`scores`).
    """

    floor = -math.inf  # a document whose score is not above it was not found at all

    def __init__(self) -> None:
        self.documents: Sequence[Any] = ()

    def fit(self, documents: Sequence[Any], progress: bool = True) -> Search:
        """Take documents in, in place of those of an earlier call."""
        if isinstance(documents, str):
            raise TypeError("fit takes a list of documents, but got one str")
        texts = [document if isinstance(document, str) else document.text for document in documents]
        self.index(texts, progress)
        self.documents = documents
        return self

    @abstractmethod
    def index(self, texts: list[str], progress: bool = True) -> None:
        """Prepare the texts for `scores`."""

    @abstractmethod
    def scores(self, question: str) -> Float[Tensor, " B"]:
        """How well each document fits the question."""

    def query(self, text: str, k: int = 5) -> list[Hit]:
        """The `k` best documents (or all that were found, where they are fewer), the best first.

        ValueError before `fit`, and for a `k` below 1.
        """
        if not len(self.documents):
            raise ValueError("there is nothing to search: call fit with some documents first")
        if k < 1:
            raise ValueError(f"k must be at least 1, but it is {k}")
        best = self.scores(text).topk(min(k, len(self.documents)))
        found = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return [Hit(score, self.documents[i]) for score, i in found if score > self.floor]


class WordSearch(Search):
    """Documents that share words with the question, by BM25 (see `bm25`). Needs no model."""

    floor = 0.0

    def __init__(self, k1: float = 1.2, b: float = 0.75) -> None:
        super().__init__()
        self.settings = {"k1": k1, "b": b}
        self.bm25 = BM25([], **self.settings)

    def index(self, texts: list[str], progress: bool = True) -> None:
        self.bm25 = BM25([Postings.of(texts)], **self.settings)

    def use(self, documents: Sequence[Any], parts: Sequence[Postings]) -> WordSearch:
        """Take documents whose words were counted before."""
        self.bm25 = BM25(parts, **self.settings)
        self.documents = documents
        return self

    def scores(self, question: str) -> Float[Tensor, " B"]:
        return self.bm25.scores(question)


class DocumentSearch(Search):
    """Documents whose vectors point where the question's vector points; scores are cosines.

    Exact: the question is compared with every document, in one matrix product that takes a few
    milliseconds for tens of thousands. `fit` stores the vectors in `cache_dir` (default: the
    user's cache of this course), so that the same documents are encoded only once; without `cache`
    nothing is written.
    """

    def __init__(
        self,
        encoder: SentenceEncoder,
        cache: bool = True,
        cache_dir: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.folder = cache_folder(cache_dir) / "vectors" if cache else None
        self.vectors = torch.empty(0, encoder.width)

    def index(self, texts: list[str], progress: bool = True) -> None:
        self.vectors = self.load_or_encode(texts, progress)

    def use(self, documents: Sequence[Any], vectors: Float[Tensor, "B D"]) -> DocumentSearch:
        """Take documents that were encoded before."""
        self.vectors = vectors
        self.documents = documents
        return self

    def scores(self, question: str) -> Float[Tensor, " B"]:
        return self.cosines(self.encoder.encode([question])[0])

    def cosines(self, question: Float[Tensor, " D"]) -> Float[Tensor, " B"]:
        """How near each document is to the question's vector."""
        lengths = self.vectors.norm(dim=-1) * question.norm()
        return self.vectors @ question / lengths.clamp_min(1e-12)

    def load_or_encode(self, texts: list[str], progress: bool) -> Float[Tensor, "B D"]:
        """The stored vectors of just these texts by just this encoder, else new ones, stored."""
        if self.folder is None:
            return self.encoder.encode(texts, progress)
        path = self.folder / f"{content_key(self.encoder, texts)}.npz"
        stored = read_arrays(path).get("vectors")
        if stored is not None and stored.shape == (len(texts), self.encoder.width):
            return torch.from_numpy(stored)
        vectors = self.encoder.encode(texts, progress)
        write_arrays(path, vectors=vectors.cpu().numpy())
        return vectors


class HybridSearch(Search):
    """Several searches as one: each document gets 1 / (`constant` + its rank) from each of them.

    Ranks can be added where scores cannot: a cosine and a BM25 score have no common scale. Of each
    search the first `depth` documents count. Reciprocal rank fusion; Cormack, Clarke and
    Büttcher, 2009, from whom the 60 comes.
    """

    floor = 0.0

    def __init__(self, searches: Sequence[Search], depth: int = 100, constant: int = 60) -> None:
        super().__init__()
        self.searches = list(searches)
        self.depth = depth
        self.constant = constant

    def index(self, texts: list[str], progress: bool = True) -> None:
        for search in self.searches:
            search.index(texts, progress)

    def use(self, documents: Sequence[Any]) -> HybridSearch:
        """Take documents that each of the searches already holds."""
        self.documents = documents
        return self

    def scores(self, question: str) -> Float[Tensor, " B"]:
        return sum(self.reciprocal_ranks(s.scores(question), s.floor) for s in self.searches)

    def reciprocal_ranks(self, scores: Float[Tensor, " B"], floor: float) -> Float[Tensor, " B"]:
        """1 / (constant + rank) for the first `depth` documents above the floor, 0 for others."""
        best = scores.topk(min(self.depth, len(scores)))
        ranks = torch.arange(1, len(best.values) + 1)
        shares = torch.where(best.values > floor, 1 / (self.constant + ranks), 0.0)
        return torch.zeros_like(scores).scatter(0, best.indices, shares)


def content_key(encoder: SentenceEncoder, texts: Sequence[str]) -> str:
    """A name that changes with any text, their order, or the encoder."""
    digest = hashlib.blake2b(encoder.fingerprint().encode(), digest_size=16)
    for text in texts:
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big"))  # so that ["ab", "c"] is not ["a", "bc"]
        digest.update(raw)
    return digest.hexdigest()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file; none where it is missing or damaged (zip files carry checksums)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return {}


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write under another name and move into place, so that no reader meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".unfinished")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
