"""Rows of different lengths into rectangles: padding, batches by token budget, packed chunks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor


def pad(
    rows: Sequence[Sequence[int]], pad_id: int, length: int | None = None
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Fill rows up to the longest (or to `length`) with `pad_id`.

    Returns `ids` (B, T) int64 and `keep` (B, T), True on real tokens: the mask the encoder takes.
    Raises ValueError for no rows, or a row longer than `length`.
    """
    if len(rows) == 0:
        raise ValueError("there are no rows to pad")
    lengths = np.array([len(row) for row in rows])
    longest = int(lengths.max())
    if length is None:
        length = longest
    if longest > length:
        raise ValueError(f"a row has {longest} tokens but length is {length}")
    keep = np.arange(length) < lengths[:, None]  # (B, T)
    ids = np.full(keep.shape, pad_id, dtype=np.int64)
    ids[keep] = _flat(rows, int(lengths.sum()))
    return torch.from_numpy(ids), torch.from_numpy(keep)


def length_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group rows of similar length so that each padded batch has at most `budget` tokens.

    Sorting by length is the cheapest speed-up there is: little of a batch is padding. Returns
    lists of indices into `lengths`, shortest rows first. Raises ValueError when one row alone is
    longer than the budget.
    """
    if budget < 1:
        raise ValueError(f"budget must be at least 1 token but is {budget}")
    batches: list[list[int]] = []
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        length = lengths[index]
        if length > budget:
            raise ValueError(f"row {index} has {length} tokens but the budget is {budget}")
        # Rows arrive shortest first, so this row would set the width of the whole batch.
        if batch and length * (len(batch) + 1) > budget:
            batches.append(batch)
            batch = []
        batch.append(index)
    return [*batches, batch] if batch else batches


def chunks(
    rows: Sequence[Sequence[int]], length: int, cls_id: int, sep_id: int
) -> Int[Tensor, "R T"]:
    """Pack tokenized documents one after another into full rows for pretraining.

    The stream is `[CLS] doc [SEP] doc [SEP] ...`; every row starts with [CLS] and continues the
    stream where the row before stopped, so no token is padding; an incomplete last row is dropped.
    `rows` are ids without special tokens. Returns (R, length) int64. Raises ValueError when
    `length` has no room for text or the documents do not fill one row.
    """
    if length < 2:
        raise ValueError(f"length must be at least 2 ([CLS] and one token) but is {length}")
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    total = int(lengths.sum())
    # np.insert puts each [SEP] before the position given: the end of its document.
    stream = np.insert(_flat(rows, total), lengths.cumsum(), sep_id)
    text = length - 1
    count = len(stream) // text
    if count == 0:
        raise ValueError(f"the documents have {len(stream)} tokens but one row needs {text}")
    packed = np.full((count, length), cls_id, dtype=np.int64)  # (R, T)
    packed[:, 1:] = stream[: count * text].reshape(count, text)
    return torch.from_numpy(packed)


def _flat(rows: Sequence[Sequence[int]], total: int) -> Int[np.ndarray, " N"]:
    return np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=total)
