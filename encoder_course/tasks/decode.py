"""The best sequence of tags that is one: I-X stands only after B-X or I-X."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def allowed(tags: Sequence[str]) -> tuple[Bool[Tensor, " L"], Bool[Tensor, "L L"]]:
    """Which tags may come first, and which (column) may follow which (row)."""
    first = torch.tensor([not tag.startswith("I-") for tag in tags])
    follows = torch.tensor(
        [
            [not after.startswith("I-") or before[2:] == after[2:] for after in tags]
            for before in tags
        ]
    )
    return first, follows


def count_transitions(
    sequences: Iterable[Sequence[str]], tags: Sequence[str], extra: float = 0.5
) -> Float[Tensor, "L L"]:
    """The log-probability that a tag (row) is followed by another (column), by counting.

    `extra` is added to each count, so that what was never seen is improbable and not impossible.
    """
    number = {tag: i for i, tag in enumerate(tags)}
    counts = torch.full((len(tags), len(tags)), extra)
    for sequence in sequences:
        for before, after in pairwise(sequence):
            counts[number[before], number[after]] += 1
    return (counts / counts.sum(dim=1, keepdim=True)).log()


def viterbi(
    scores: Float[Tensor, "W L"],
    tags: Sequence[str],
    transitions: Float[Tensor, "L L"] | None = None,
) -> list[str]:
    """The allowed sequence with the highest sum of scores, one tag per word; Viterbi, 1967.

    `scores` are log-probabilities of the tags of each word. With `transitions` each step from a tag
    (row) to the next (column) adds its own score.
    """
    if not len(scores):
        return []
    first, follows = allowed(tags)
    penalty = scores.new_zeros(follows.shape) if transitions is None else transitions
    penalty = penalty.masked_fill(~follows, -torch.inf)
    best = scores[0].masked_fill(~first, -torch.inf)  # of all ways to each tag of this word
    came_from = []
    for score in scores[1:]:
        best, previous = (best[:, None] + penalty).max(dim=0)  # (L,) each
        best = best + score
        came_from.append(previous)
    path = [int(best.argmax())]
    for previous in reversed(came_from):
        path.append(int(previous[path[-1]]))
    return [tags[i] for i in reversed(path)]


def different(places: Sequence[int | None]) -> list[int]:
    """Each token that words begin with, once."""
    return list(dict.fromkeys(place for place in places if place is not None))


def spread(places: Sequence[int | None], tags: Mapping[int, str]) -> list[str]:
    """The tag of each word from those of the tokens it begins with (see `bio.first_tokens`).

    A word that shares the token of the word before is in the same span. One without a token is
    inside a span where the next word is, and O elsewhere. What was allowed stays allowed.
    """
    found: list[str | None] = []
    for before, place in zip([None, *places], places, strict=False):
        tag = None if place is None else tags[place]
        if place is not None and place == before and tag != "O":
            tag = f"I{tag[1:]}"
        found.append(tag)
    following = "O"
    for i in reversed(range(len(found))):
        found[i] = following = found[i] or (following if following.startswith("I-") else "O")
    return found
