"""Texts as rows of numbers, computed once: what a classifier on a frozen encoder learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.search import DocumentSearch


def features(
    encoder: SentenceEncoder,
    texts: Sequence[str],
    *,
    cache: bool = True,
    cache_dir: str | Path | None = None,
    progress: bool = False,
) -> Float[Tensor, "B D"]:
    """The vector of each text, read from disk where just these texts were encoded before.

    The file is named by the content of the encoder and the texts, so a weight, a setting or a
    letter that changes makes another file, and a damaged one is written anew. It lies in
    `cache_dir` (default: the user's cache of this course), where `DocumentSearch` keeps its own;
    without `cache` nothing is written.
    """
    if isinstance(texts, str):
        raise TypeError("features takes a list of texts, but got one str")
    return DocumentSearch(encoder, cache, cache_dir).load_or_encode(list(texts), progress)
