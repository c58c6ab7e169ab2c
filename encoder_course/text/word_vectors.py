"""Word vectors by counting: which tokens stand near which, made small by a singular value split."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor

from encoder_course.shapes import check_ids


def cooccurrences(rows: Int[Tensor, "R T"], vocab_size: int, window: int = 4) -> sparse.csr_matrix:
    """How often each two tokens stand at most `window` places apart: (V, V), symmetric.

    A pair d places apart counts 1/d, as in GloVe (Pennington et al., 2014). ValueError for ids
    outside the vocabulary and for a window without a neighbour in it.
    """
    check_ids(rows, vocab_size)
    if window < 1:
        raise ValueError(f"a window reaches at least 1 place to each side, but it is {window}")
    ids = rows.numpy()
    counts = sparse.csr_matrix((vocab_size, vocab_size), dtype=np.float32)
    for distance in range(1, min(window, ids.shape[1] - 1) + 1):
        left, right = ids[:, :-distance].ravel(), ids[:, distance:].ravel()
        weight = np.full(left.shape, 1 / distance, dtype=np.float32)
        shape = (vocab_size, vocab_size)
        counts = counts + sparse.coo_matrix((weight, (left, right)), shape=shape).tocsr()
    return (counts + counts.T).tocsr()


def ppmi(counts: sparse.csr_matrix, smoothing: float = 0.75) -> sparse.csr_matrix:
    """Positive pointwise mutual information: ``max(0, log p(a, b) / (p(a) p(b)))``, (V, V).

    What is left is how much more often two tokens meet than chance would have them meet.
    `smoothing` is a power on the context frequencies, without which rare words look too
    informative. Levy, Goldberg and Dagan, 2015.
    """
    pairs = counts.tocoo()
    token = np.asarray(counts.sum(axis=1)).ravel()
    context = token**smoothing
    chance = token[pairs.row] / token.sum() * context[pairs.col] / context.sum()
    information = np.log(pairs.data / token.sum() / chance)
    positive = information > 0
    entries = information[positive], (pairs.row[positive], pairs.col[positive])
    return sparse.csr_matrix(entries, shape=counts.shape, dtype=np.float32)


def svd_vectors(matrix: sparse.csr_matrix, dim: int, seed: int = 0) -> Float[Tensor, "V D"]:
    """The `dim` strongest directions of a (V, V) matrix: one short vector per token.

    Columns are weighted by the root of their singular value, which keeps similar tokens close
    without letting the first directions drown the rest. ValueError unless `dim` is 1 to V.
    """
    from sklearn.utils.extmath import randomized_svd

    if not 1 <= dim <= matrix.shape[0]:
        raise ValueError(f"{dim} directions asked for, but the matrix has {matrix.shape[0]} rows")
    left, strength, _ = randomized_svd(matrix, n_components=dim, n_iter=4, random_state=seed)
    return torch.from_numpy(np.ascontiguousarray(left * np.sqrt(strength), dtype=np.float32))


def word_vectors(
    rows: Int[Tensor, "R T"], vocab_size: int, dim: int, window: int = 4, seed: int = 0
) -> Float[Tensor, "V D"]:
    """Count, compare with chance, compress: the three steps above in one call."""
    return svd_vectors(ppmi(cooccurrences(rows, vocab_size, window)), dim, seed)
