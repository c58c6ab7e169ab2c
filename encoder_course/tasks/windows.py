"""A long text in overlapping windows, each behind its question, and who may answer from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from encoder_course.text.tokenizer import Tokenizer


def windows(length: int, room: int, stride: int) -> list[range]:
    """Stretches of at most `room` tokens, `stride` apart, that together cover `length` tokens.

    ValueError for a stride that would leave tokens out.
    """
    if not 1 <= stride <= room:
        raise ValueError(f"the stride is {stride} tokens but a window has room for {room}")
    beginnings = range(0, max(1, length - room + stride), stride)
    return [range(first, min(first + room, length)) for first in beginnings]


def fullest(parts: Sequence[range]) -> list[range]:
    """The tokens of each window that have more context there than in any other window.

    The context of a token is the smaller of what stands before it and after it in the window; the
    earlier window wins where two have as much. Each token belongs to exactly one window, so its
    score counts once. Devlin et al., 2018, run_squad.py.
    """
    length = max((part.stop for part in parts), default=0)
    tokens: list[list[int]] = [[] for _ in parts]
    for token in range(length):
        around = [min(token - p.start, p.stop - 1 - token) if token in p else -1 for p in parts]
        tokens[around.index(max(around))].append(token)
    return [range(owned[0], owned[-1] + 1) if owned else range(0) for owned in tokens]


@dataclass(frozen=True)
class Window:
    """[CLS] question [SEP] part of the context [SEP], as ids."""

    example: int  # which example it is of
    ids: list[int]
    body: range  # places in `ids` that hold context
    offsets: list[tuple[int, int]]  # characters of the context, for each place of the body
    owned: range  # places in `ids` where an answer of this window may begin


def read(
    tokenizer: Tokenizer,
    questions: Sequence[str],
    contexts: Sequence[str],
    max_len: int,
    stride: int,
) -> list[Window]:
    """The windows of all examples. ValueError for an empty text or too long a question."""
    if isinstance(questions, str) or isinstance(contexts, str):
        raise TypeError("questions and contexts are lists of texts, but one is a str")
    if len(questions) != len(contexts):
        raise ValueError(f"there are {len(questions)} questions but {len(contexts)} contexts")
    if not len(questions):
        return []
    found: list[Window] = []
    asked = tokenizer.encode_batch(questions, special=False)
    given = tokenizer.encode_batch(contexts, special=False)
    for i, (question, context) in enumerate(zip(asked, given, strict=True)):
        for name, tokens in (("question", question), ("context", context)):
            if not len(tokens):
                raise ValueError(f"the {name} of example {i} is empty")
        room = max_len - len(question) - 3
        if room < stride:
            raise ValueError(
                f"the question of example {i} has {len(question)} tokens, which leaves {room}"
                f" of max_len {max_len} for the context, less than the stride of {stride}"
            )
        front = [tokenizer.cls_id, *question.ids, tokenizer.sep_id]
        parts = windows(len(context), room, stride)
        for part, owned in zip(parts, fullest(parts), strict=True):
            ids = [*front, *context.ids[part.start : part.stop], tokenizer.sep_id]
            body = range(len(front), len(ids) - 1)
            shift = body.start - part.start
            mine = range(owned.start + shift, owned.stop + shift) if owned else range(0)
            offsets = context.offsets[part.start : part.stop]
            found.append(Window(i, ids, body, offsets, mine))
    return found


def places(window: Window, answers: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The first and last token of the first answer; [CLS] where the window does not hold it."""
    if not answers:
        return 0, 0
    start, end = answers[0]
    if window.offsets[0][0] > start or window.offsets[-1][1] < end:
        return 0, 0
    inside = [i for i, (a, b) in enumerate(window.offsets) if a < end and b > start]
    return (window.body[inside[0]], window.body[inside[-1]]) if inside else (0, 0)
