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
from encoder_course.tasks.metrics import Report, measure


@dataclass(frozen=True)
class Hit:
    """One answer: how good (larger is better; what it measures is up to the search) and what."""

    score: float
    document: Any


@dataclass(frozen=True)
class Question:
    """A question and the names of the documents that answer it, any of them; none for a question
    that the documents do not answer. The name of a string is the string itself."""

    text: str
    right: frozenset[str] = frozenset()


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

    def evaluate(
        self, questions: Sequence[Question], k: int = 10, *, resamples: int = 1000, seed: int = 0
    ) -> Report:
        """Where the first right document stands among the best `k` names, as `rank_report` has it.

        Several documents of one name (sections of one object) take one place, the best of them.
        """
        ranks = [self.rank(question, k) for question in questions]
        return rank_report(ranks, k, resamples=resamples, seed=seed)

    def rank(self, question: Question, k: int = 10) -> int:
        """The place of the first right name, counted from 1; 0 where the first `k` are wrong."""
        names = [name_of(hit.document) for hit in self.query(question.text, 10 * k)]
        places = enumerate(list(dict.fromkeys(names))[:k], start=1)
        return next((place for place, name in places if name in question.right), 0)


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
    search the first `depth` documents count, all searches alike unless `weights` says otherwise.
    Reciprocal rank fusion; Cormack, Clarke and Büttcher, 2009, from whom the 60 comes. ValueError
    for another number of weights than of searches.
    """

    floor = 0.0

    def __init__(
        self,
        searches: Sequence[Search],
        weights: Sequence[float | int] | None = None,
        depth: int = 100,
        constant: int = 60,
    ) -> None:
        super().__init__()
        self.searches = list(searches)
        self.weights = [1.0] * len(self.searches) if weights is None else list(weights)
        if len(self.weights) != len(self.searches):
            raise ValueError(
                f"there are {len(self.searches)} searches but {len(self.weights)} weights"
            )
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
        shares = [self.reciprocal_ranks(s.scores(question), s.floor) for s in self.searches]
        return sum(weight * share for weight, share in zip(self.weights, shares, strict=True))

    def reciprocal_ranks(self, scores: Float[Tensor, " B"], floor: float) -> Float[Tensor, " B"]:
        """1 / (constant + rank) for the first `depth` documents above the floor, 0 for others."""
        best = scores.topk(min(self.depth, len(scores)))
        ranks = torch.arange(1, len(best.values) + 1)
        shares = torch.where(best.values > floor, 1 / (self.constant + ranks), 0.0)
        return torch.zeros_like(scores).scatter(0, best.indices, shares)


def name_of(document: Any) -> str:
    """What a document is called in a `Question`."""
    return document if isinstance(document, str) else document.name


def rank_report(
    ranks: Sequence[int], k: int = 10, *, resamples: int = 1000, seed: int = 0
) -> Report:
    """How good a search is, from the place of the right document for each question (0: not found).

    found@1 and found@k: the share of questions with the right document in the first place, and
    among the first k (recall, for one right document). MRR@k: the mean of 1 / place. nDCG@k: the
    mean of 1 / log2(1 + place), which falls more slowly (Järvelin and Kekäläinen, 2002).
    """
    places = np.array(ranks, dtype=np.int64)
    places[places > k] = 0
    gains = {
        "found@1": places == 1,
        f"found@{k}": places > 0,
        f"MRR@{k}": np.divide(1, places, out=np.zeros(len(places)), where=places > 0),
        f"nDCG@{k}": np.where(places > 0, 1 / np.log2(1 + places.clip(min=1)), 0.0),
    }
    metrics = [
        measure(name, np.mean, gain.astype(float), resamples=resamples, seed=seed)
        for name, gain in gains.items()
    ]
    return Report(metrics, len(places))


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
