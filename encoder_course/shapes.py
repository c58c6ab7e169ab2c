"""The legend of the course: one letter for each axis of each tensor.

====== ==========================================================
letter axis
====== ==========================================================
``B``  batch: rows (sentences, chunks) processed together
``T``  query positions: the tokens that look
``S``  key positions: the tokens that are looked at (``S = T`` in self-attention)
``D``  model width: numbers per token
``H``  attention heads
``K``  head width, ``K = D / H``
``F``  feed-forward width
``V``  vocabulary: distinct tokens
``C``  classes
``N``  tokens of a packed batch, all rows laid end to end
``M``  masked positions, the ones a masked language model is asked about
====== ==========================================================

Masks are called ``keep``: boolean, True where a position may be attended, and broadcastable to
``(B, H, T, S)``. This is the polarity of PyTorch's ``scaled_dot_product_attention``.
"""

from __future__ import annotations

from torch import Tensor


def check_ids(ids: Tensor, vocab_size: int) -> None:
    """Raise ValueError unless `ids` are whole numbers in ``[0, vocab_size)``.

    An embedding table asked for a row that it does not have stops with an index error deep inside
    PyTorch (on a GPU: with a crash of the whole process), so the question is asked here, by name.
    """
    if ids.is_floating_point() or ids.dtype.is_complex or str(ids.dtype) == "torch.bool":
        raise ValueError(f"token ids must be whole numbers, but these are {ids.dtype}")
    if ids.numel() == 0:
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocab_size:
        worst = low if low < 0 else high
        raise ValueError(
            f"token id {worst} is out of range: the vocabulary has {vocab_size} tokens"
            f" (0 to {vocab_size - 1}); were the ids made by another model's tokenizer?"
        )


def check_keep(keep: Tensor | None, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `keep` is None or a boolean mask of exactly this shape."""
    if keep is None:
        return
    if str(keep.dtype) != "torch.bool":
        raise ValueError(
            f"keep must be boolean (True = may be attended), but it is {keep.dtype};"
            " a 0/1 mask becomes one with mask.bool()"
        )
    if tuple(keep.shape) != tuple(shape):
        raise ValueError(f"keep is {tuple(keep.shape)} but the tokens are {tuple(shape)}")
