"""Texts as rows of numbers, computed once: what a classifier on a frozen encoder learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from encoder_course.data.cache import cache_folder
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.search import read_arrays, write_arrays

KEY_BYTES = 16  # of the hash that stands for a text on disk


class Features:
    """The vector of each text; a text that was asked for before is not encoded again.

    Vectors are kept in memory, and with `cache` also in one file for each encoder, in `cache_dir`
    (default: the user's cache of this course). The file is named by the content of the encoder, so
    that a changed weight or setting makes another one; one that is damaged is written anew. The
    encoder must not change while it is used here.
    """

    def __init__(
        self, encoder: SentenceEncoder, *, cache: bool = True, cache_dir: str | Path | None = None
    ) -> None:
        self.encoder = encoder
        self.rows: dict[bytes, np.ndarray] = {}
        self.path: Path | None = None
        if cache:
            self.path = cache_folder(cache_dir) / "features" / f"{encoder.fingerprint()}.npz"
            self.rows = self.stored()

    def __call__(self, texts: Sequence[str], progress: bool = False) -> Float[Tensor, "B D"]:
        """One vector per text, in the order of the texts; no texts are (0, D)."""
        if isinstance(texts, str):
            raise TypeError("features are of a list of texts, but got one str")
        keys = [text_key(text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self.rows}
        if new:
            vectors = self.encoder.encode(list(new.values()), progress).cpu().numpy()
            self.rows.update(zip(new, vectors, strict=True))
            self.store()
        if not keys:
            return torch.empty(0, self.encoder.width)
        return torch.from_numpy(np.stack([self.rows[key] for key in keys]))

    def stored(self) -> dict[bytes, np.ndarray]:
        """The rows of the file; none where it is missing, damaged or of another shape."""
        arrays = read_arrays(self.path)
        keys, vectors = arrays.get("keys"), arrays.get("vectors")
        if keys is None or vectors is None:
            return {}
        if vectors.shape != (len(keys), self.encoder.width) or keys.shape[1:] != (KEY_BYTES,):
            return {}
        return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}

    def store(self) -> None:
        """Write the rows, and those that another process has written since, in one step."""
        if self.path is None:
            return
        self.rows = self.stored() | self.rows
        keys = np.frombuffer(b"".join(self.rows), dtype=np.uint8).reshape(-1, KEY_BYTES)
        write_arrays(self.path, keys=keys, vectors=np.stack(list(self.rows.values())))


def text_key(text: str) -> bytes:
    """A short name for a text."""
    return hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest()
