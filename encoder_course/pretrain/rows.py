"""From documents to the rows that pretraining reads, and to the masks of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from encoder_course.progress import track
from encoder_course.text.batching import chunks
from encoder_course.text.masking import mask_tokens
from encoder_course.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Vocabulary:
    """The few facts about a tokenizer that masking needs."""

    size: int  # V
    mask_id: int
    special_below: int  # ids below this one are special tokens


def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    """Read those facts off a tokenizer whose special tokens come first, as ours do."""
    specials = {tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id}
    specials |= {tokenizer.sep_id, tokenizer.mask_id}
    return Vocabulary(len(tokenizer), tokenizer.mask_id, max(specials) + 1)


def tokenize_rows(
    texts: Sequence[str], tokenizer: Tokenizer, length: int, progress: bool = True
) -> Int[Tensor, "R T"]:
    """Tokenize documents and pack them into full rows of `length` tokens."""
    rows: list[list[int]] = []
    for start in track(range(0, len(texts), 1024), "tokenize", progress):
        rows.extend(tokenizer.ids(texts[start : start + 1024], special=False))
    return chunks(rows, length, tokenizer.cls_id, tokenizer.sep_id)


def draw_masks(
    rows: Int[Tensor, "B T"], vocab: Vocabulary, rate: float, seed: int, step: int
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Inputs and labels of one step; the same seed and step always draw the same masks.

    No state is carried from step to step, so a run that is resumed, or split over processes,
    sees exactly the masks that an undisturbed one sees.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    maskable = rows >= vocab.special_below
    return mask_tokens(
        rows,
        maskable,
        vocab.mask_id,
        vocab.size,
        generator,
        rate,
        special_below=vocab.special_below,
    )


def step_rows(count: int, batch_rows: int, seed: int, step: int) -> Int[Tensor, " B"]:
    """Which rows step `step` reads: every row once per epoch, in an order of that epoch's own.

    ValueError when there are fewer rows than one batch needs.
    """
    per_epoch = count // batch_rows
    if per_epoch == 0:
        raise ValueError(f"a batch needs {batch_rows} rows but there are only {count}")
    epoch, place = divmod(step, per_epoch)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(count, generator=generator)
    return order[place * batch_rows : (place + 1) * batch_rows]


def count_steps(tokens: float | int, batch_rows: int, length: int) -> int:
    """How many steps read `tokens` tokens in rows of `length`; at least one."""
    return max(1, round(tokens / (batch_rows * length)))
