"""Search by meaning: the documents whose vectors point where the question's vector points."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from encoder_course.data.cache import cache_folder
from encoder_course.tasks.embed import SentenceEncoder


@dataclass(frozen=True)
class Hit:
    """One answer: how near (a cosine, from -1 to 1) and what."""

    score: float
    document: Any


class DocumentSearch:
    """Exact search: the question is compared with every document.

    That takes one matrix product, a few milliseconds for tens of thousands of documents. `fit`
    stores the vectors in `cache_dir` (default: the user's cache of this course), so that the same
    documents are encoded only once; without `cache` nothing is written.
    """

    def __init__(
        self,
        encoder: SentenceEncoder,
        cache: bool = True,
        cache_dir: str | Path | None = None,
    ) -> None:
        self.encoder = encoder
        self.folder = cache_folder(cache_dir) / "vectors" if cache else None
        self.documents: Sequence[Any] = ()
        self.vectors = torch.empty(0, encoder.encoder.config.dim)

    def fit(self, documents: Sequence[Any], progress: bool = True) -> DocumentSearch:
        """Encode the documents: strings, or records with their prose in ``.text``."""
        if isinstance(documents, str):
            raise TypeError("fit takes a list of documents, but got one str")
        texts = [document if isinstance(document, str) else document.text for document in documents]
        self.vectors = self.load_or_encode(texts, progress)
        self.documents = documents
        return self

    def query(self, text: str, k: int = 5) -> list[Hit]:
        """The `k` nearest documents (or all, where there are fewer), the nearest first.

        ValueError before `fit`, and for a `k` below 1.
        """
        if not len(self.documents):
            raise ValueError("there is nothing to search: call fit with some documents first")
        if k < 1:
            raise ValueError(f"k must be at least 1, but it is {k}")
        cosines = self.cosines(self.encoder.encode([text])[0])
        best = cosines.topk(min(k, len(self.documents)))
        found = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return [Hit(score, self.documents[i]) for score, i in found]

    def cosines(self, question: Float[Tensor, " D"]) -> Float[Tensor, " B"]:
        """How near each document is to the question."""
        lengths = self.vectors.norm(dim=-1) * question.norm()
        return self.vectors @ question / lengths.clamp_min(1e-12)

    def load_or_encode(self, texts: list[str], progress: bool) -> Float[Tensor, "B D"]:
        """The stored vectors of just these texts by just this encoder, else new ones, stored."""
        if self.folder is None:
            return self.encoder.encode(texts, progress)
        path = self.folder / f"{content_key(self.encoder, texts)}.npz"
        vectors = read_vectors(path, (len(texts), self.vectors.shape[1]))
        if vectors is None:
            vectors = self.encoder.encode(texts, progress)
            write_vectors(path, vectors)
        return vectors


def content_key(encoder: SentenceEncoder, texts: Sequence[str]) -> str:
    """A name that changes with any text, their order, or the encoder."""
    digest = hashlib.blake2b(encoder.fingerprint().encode(), digest_size=16)
    for text in texts:
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big"))  # so that ["ab", "c"] is not ["a", "bc"]
        digest.update(raw)
    return digest.hexdigest()


def read_vectors(path: Path, shape: tuple[int, int]) -> Tensor | None:
    """The vectors of a file, or None where it is missing or damaged (zip files carry checksums)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            vectors = file["vectors"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return torch.from_numpy(vectors) if vectors.shape == shape else None


def write_vectors(path: Path, vectors: Tensor) -> None:
    """Write under another name and move into place, so that no reader meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".unfinished")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, vectors=vectors.cpu().numpy())
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
