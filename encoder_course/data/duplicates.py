"""Find near-duplicate texts with MinHash and banding (Broder, 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SHINGLE = 3  # words that make one shingle
BANDS, ROWS = 12, 5  # 60 hashes; pairs that share 80 % of their shingles almost surely collide
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so multiplying by it loses nothing


def duplicates(texts: Sequence[str], threshold: float = 0.8) -> tuple[list[int], list[int]]:
    """(exact, near): positions of texts that repeat an earlier one, which is kept.

    Exact ones agree word for word, whatever their case and spacing. Near ones share an estimated
    `threshold` of their three-word shingles (Jaccard). Raises ValueError unless 0 < threshold <= 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold} but a similarity lies in (0, 1]")
    words = [text.lower().split() for text in texts]
    first: dict[tuple[str, ...], int] = {}
    exact = [i for i, row in enumerate(words) if first.setdefault(tuple(row), i) != i]
    distinct = [i for i in first.values() if len(words[i]) >= SHINGLE]
    signatures = _signatures([words[i] for i in distinct])
    near = [distinct[row] for row in _repeats(signatures, threshold)]
    return exact, sorted(near)


def _signatures(rows: list[list[str]]) -> np.ndarray:
    """MinHash signatures: for each text, the smallest of its shingles under each of 60 hashes."""
    if not rows:
        return np.zeros((0, BANDS * ROWS), dtype=np.uint64)
    numbers: dict[str, int] = {}
    flat = [numbers.setdefault(word, len(numbers)) for row in rows for word in row]
    generator = np.random.default_rng(0)
    codes = generator.integers(2**64, size=len(numbers), dtype=np.uint64)[flat]
    lengths = np.array([len(row) for row in rows])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])

    shingles = codes.copy()  # a shingle that would run into the next text repeats this text's first
    for step in range(1, SHINGLE):
        shingles = shingles * _MIX ^ np.roll(codes, -step)
    positions = np.arange(len(codes))
    last = np.repeat(starts + lengths - SHINGLE, lengths)
    shingles = shingles[np.where(positions <= last, positions, np.repeat(starts, lengths))]

    signatures = np.empty((len(rows), BANDS * ROWS), dtype=np.uint64)
    factors = generator.integers(2**64, size=BANDS * ROWS, dtype=np.uint64) | np.uint64(1)
    for column, factor in enumerate(factors):
        hashes = shingles * factor
        hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
        signatures[:, column] = np.minimum.reduceat(hashes, starts)
    return signatures


def _repeats(signatures: np.ndarray, threshold: float) -> list[int]:
    """Rows that agree with an earlier kept row in at least `threshold` of their columns.

    Only rows that share a whole band are compared, each with the few kept ones of its buckets.
    """
    weights = _MIX ** np.arange(1, ROWS + 1, dtype=np.uint64)
    bands = (signatures.reshape(-1, BANDS, ROWS) * weights).sum(axis=2)  # one number per band
    crowded = np.zeros(len(bands), dtype=bool)
    for band in bands.T:
        _, inverse, counts = np.unique(band, return_inverse=True, return_counts=True)
        crowded |= counts[inverse] > 1
    buckets: dict[tuple[int, int], list[int]] = {}
    repeats = []
    for row in np.flatnonzero(crowded).tolist():
        signature, keys = signatures[row], list(enumerate(bands[row].tolist()))
        candidates = sorted({other for key in keys for other in buckets.get(key, ())})
        if candidates and (signatures[candidates] == signature).mean(axis=1).max() >= threshold:
            repeats.append(row)
            continue
        for key in keys:
            buckets.setdefault(key, []).append(row)
    return repeats
