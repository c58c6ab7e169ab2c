"""Spans of a text, tags of its words, and the tokens that words begin with.

A tag is B-X on the first word of a span of kind X, I-X on its other words, O elsewhere (Ramshaw
and Marcus, 1995).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_WORD = re.compile(r"\w+|[^\w\s]")
_JOINERS = "\u200c\u200d"  # say how the letters of a word are drawn


class Span(NamedTuple):
    """Characters `text[start:end]` and what they are."""

    start: int
    end: int
    label: str


def word_places(text: str) -> list[tuple[int, int]]:
    """Start and end of each word: a run of letters, digits and underscores, or one other sign.

    Marks belong to the letter before them: the vowel signs of Devanagari cut no word in two.
    """
    places: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        touches = bool(places) and places[-1][1] == start
        if touches and (
            _is_mark(text[start]) or _is_mark(text[start - 1]) and text[start].isalnum()
        ):
            start, _ = places.pop()
        places.append((start, end))
    return places


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M") or sign in _JOINERS


def to_tags(words: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[str]:
    """The tag of each word. ValueError for a span that cuts a word or overlaps another span."""
    tags = ["O"] * len(words)
    first = {start: i for i, (start, _) in enumerate(words)}
    last = {end: i for i, (_, end) in enumerate(words)}
    for start, end, label in spans:
        if start not in first or end not in last or start >= end:
            raise ValueError(f"the span {start} to {end} ({label}) does not lie on whole words")
        inside = range(first[start], last[end] + 1)
        if any(tags[i] != "O" for i in inside):
            raise ValueError(f"the span {start} to {end} ({label}) overlaps another one")
        for i in inside:
            tags[i] = f"I-{label}" if i > inside[0] else f"B-{label}"
    return tags


def to_spans(words: Sequence[tuple[int, int]], tags: Sequence[str]) -> tuple[Span, ...]:
    """The spans that tags stand for; an I-X that continues no X begins a span."""
    spans: list[Span] = []
    previous = "O"
    for (start, end), tag in zip(words, tags, strict=True):
        label = tag[2:]
        if tag.startswith("I-") and previous[2:] == label:
            spans[-1] = spans[-1]._replace(end=end)
        elif tag != "O":
            spans.append(Span(start, end, label))
        previous = tag
    return tuple(spans)


def first_tokens(
    words: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]
) -> list[int | None]:
    """For each word the first token that covers a character of it; None where it has none.

    It has none where it was cut off or the tokenizer dropped it (a control character). Words may
    share a token: BERT's has "£1" for the two words of "£1,000". `offsets` are those of `Encoded`:
    special tokens have (0, 0) and cover nothing.
    """
    places: list[int | None] = []
    token = 0
    for start, end in words:
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        covered = token < len(offsets) and offsets[token][0] < end
        places.append(token if covered else None)
    return places
