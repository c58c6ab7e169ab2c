"""Which tokens a masked language model must guess, and what it sees in their place."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

NOT_ASKED = -100
"""Label of positions the model is not asked about: `cross_entropy` ignores it by default."""


def mask_tokens(
    ids: Int[Tensor, "B T"],
    maskable: Bool[Tensor, "B T"],
    mask_id: int,
    vocab_size: int,
    generator: torch.Generator,
    rate: float = 0.15,
    word_ids: Int[Tensor, "B T"] | None = None,
    mixture: tuple[float, float, float] = (0.8, 0.1, 0.1),
    special_below: int = 5,
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Hide tokens as BERT does, and return what the model sees and what it must say.

    Each position of `maskable` (True where a real, not special token stands) is chosen with
    probability `rate`. A chosen one becomes [MASK], a random token with an id of at least
    `special_below`, or stays as it is, with the three probabilities of `mixture`. With `word_ids`
    (the word of each token, at least 0 where maskable) whole words are chosen: all pieces of a
    word or none.

    Returns `inputs` and `labels`, both (B, T); a label is the original id where chosen and -100
    elsewhere. `generator` lives on the device of `ids`. Raises ValueError for shapes that differ,
    a rate or mixture that is no probability, or a vocabulary without ordinary tokens.

    Devlin et al. 2018, BERT, section 3.1; whole words: the 2019 update of their code.
    """
    _check(ids, maskable, word_ids, mask_id, vocab_size, rate, mixture, special_below)
    if word_ids is None:
        draw = _uniform(ids.shape, generator)  # (B, T)
    else:
        draw = _one_draw_per_word(word_ids.masked_fill(~maskable, 0), generator)  # (B, T)
    chosen = (draw < rate) & maskable

    share_mask, share_random, _ = mixture
    kind = _uniform(ids.shape, generator)  # (B, T), decides what a chosen token becomes
    to_mask = chosen & (kind < share_mask)
    to_random = chosen & (kind >= share_mask) & (kind < share_mask + share_random)
    random_ids = torch.randint(
        special_below, vocab_size, ids.shape, generator=generator, device=ids.device
    )

    inputs = ids.masked_fill(to_mask, mask_id)
    inputs = torch.where(to_random, random_ids, inputs)
    labels = ids.masked_fill(~chosen, NOT_ASKED)
    return inputs, labels


def _uniform(shape: torch.Size, generator: torch.Generator) -> Tensor:
    # float64: in float32 a draw has steps of 6e-8, which long runs would notice at small rates.
    return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)


def _one_draw_per_word(word_ids: Int[Tensor, "B T"], generator: torch.Generator) -> Tensor:
    """One uniform number per word of each row, given to all its pieces: (B, T).

    Every word is chosen with the same probability whatever its length, so the expected share of
    chosen tokens is the rate too.
    """
    words = int(word_ids.max()) + 1 if word_ids.numel() else 1
    draws = _uniform(torch.Size((word_ids.shape[0], words)), generator)  # (B, words)
    return draws.gather(1, word_ids)  # (B, T)


def _check(ids, maskable, word_ids, mask_id, vocab_size, rate, mixture, special_below) -> None:
    if maskable.shape != ids.shape:
        raise ValueError(f"ids are {tuple(ids.shape)} but maskable is {tuple(maskable.shape)}")
    if maskable.dtype != torch.bool:
        raise ValueError(f"maskable must be bool but is {maskable.dtype}")
    if word_ids is not None and word_ids.shape != ids.shape:
        raise ValueError(f"ids are {tuple(ids.shape)} but word_ids are {tuple(word_ids.shape)}")
    if word_ids is not None and (word_ids[maskable] < 0).any():
        raise ValueError("word_ids must be 0 or more at every maskable position")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must lie between 0 and 1 but is {rate}")
    if min(mixture) < 0 or abs(sum(mixture) - 1) > 1e-9:
        raise ValueError(f"mixture must be three probabilities that sum to 1 but is {mixture}")
    if not 0 <= special_below < vocab_size:
        raise ValueError(f"special_below is {special_below} but vocab_size is {vocab_size}")
    if not 0 <= mask_id < vocab_size:
        raise ValueError(f"mask_id is {mask_id} but vocab_size is {vocab_size}")
