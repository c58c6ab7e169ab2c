"""Checks of lab 10: a reader that points at its answers."""

from __future__ import annotations

import math
import random
import re
import string
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from encoder_course.check.base import Exercise, Misconception

_SHOWN = 0  # the seed of the cases that a student may see
_NO_SIGNS = str.maketrans("", "", string.punctuation)
_SPACES = str.maketrans(dict.fromkeys(string.punctuation, " "))


# ---- lab10.1: what two answers are compared as


def _normalise_with(
    lower: Callable = str.lower,
    signs: Callable = lambda text: text.translate(_NO_SIGNS),
    articles: Callable = lambda text: re.sub(r"\b(a|an|the)\b", " ", text),
    spaces: Callable = lambda text: " ".join(text.split()),
) -> Callable[[str], str]:
    """The four steps, each of which may be another."""
    return lambda text: spaces(articles(signs(lower(text))))


def _same(text: str) -> str:
    return text


def _normalise_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = random.Random(seed)
    nouns = ["theatre", "banana", "another plan", "Athens", "an atlas", "anthem"]
    one, two, three = draw.sample(nouns, 3)
    day, size = draw.randint(10, 28), draw.randint(2, 9)
    return {
        "an article and a full stop": (f"The {one}.",),
        "articles in the middle and at the end": (f"{two} and a Man, the",),
        "a hyphen and an apostrophe": (f"the well-known King's day, {day}",),
        "white space": (f"  {size}\t thousand\n{three}  ",),
        "an article behind a bracket": (f"(The) {one} (an aside)",),
        "nothing but an article": ("The",),
    }


normalise = Exercise(
    number="lab10.1",
    title="what is compared",
    difficulty=2,
    minutes=12,
    reference=_normalise_with(),
    cases=_normalise_cases,
    hidden=_normalise_cases,
    misconceptions=(
        Misconception(
            "capitals",
            "capital letters are still there, and so are articles that are written with one",
            _normalise_with(lower=_same),
        ),
        Misconception(
            "signs stay",
            "punctuation is still there: an answer with a full stop would be wrong",
            _normalise_with(signs=_same),
        ),
        Misconception(
            "signs become spaces",
            "punctuation turned into white space: what it joined has become two words, and the"
            " published measure drops it without leaving anything",
            _normalise_with(signs=lambda text: text.translate(_SPACES)),
        ),
        Misconception(
            "articles stay",
            "articles are still there",
            _normalise_with(articles=_same),
        ),
        Misconception(
            "articles inside words",
            "words that merely contain the letters of an article have lost them",
            _normalise_with(articles=lambda text: re.sub("the|an|a", " ", text)),
        ),
        Misconception(
            "first article alone",
            "only an article at the beginning goes: they go wherever they stand",
            _normalise_with(articles=lambda text: re.sub(r"^\s*(a|an|the)\b", " ", text)),
        ),
        Misconception(
            "the alone",
            "there are more articles than one",
            _normalise_with(articles=lambda text: re.sub(r"\bthe\b", " ", text)),
        ),
        Misconception(
            "white space",
            "white space still differs: tabs, line breaks, several blanks, blanks at the ends",
            _normalise_with(spaces=_same),
        ),
        Misconception(
            "ends alone",
            "white space at the ends is gone, but not that between the words",
            _normalise_with(spaces=str.strip),
        ),
        Misconception(
            "no white space",
            "the words have grown together: a single blank stays between two",
            _normalise_with(spaces=lambda text: "".join(text.split())),
        ),
        Misconception(
            "articles before signs",
            "an article in brackets stays: it was no word of its own when the articles were taken"
            " out, because the signs still stuck to it",
            lambda text: " ".join(
                w.translate(_NO_SIGNS) for w in text.lower().split() if w not in ("a", "an", "the")
            ).strip(),
        ),
        Misconception(
            "list",
            "you return the words in a list, and a text is asked for",
            lambda text: _normalise_with()(text).split(),
        ),
    ),
    spoilers=("translate", r"\b(", "re.sub", ".join("),
)


# ---- lab10.2: how many windows

window_count = Exercise(
    number="lab10.2",
    title="how many windows",
    difficulty=2,
    minutes=8,
    reference=32,
    misconceptions=(
        Misconception(
            "special tokens or the rest",
            "one too few: either the three special tokens take no room with you, or the last"
            " tokens of the text are in no window",
            31,
        ),
        Misconception(
            "whole length",
            "your windows are filled by the text alone: the question stands in every one of them,"
            " and so do the special tokens",
            30,
        ),
        Misconception(
            "no overlap",
            "you laid the windows end to end: the stride says how far the next one begins from the"
            " beginning of the last",
            6,
        ),
        Misconception(
            "to the last token",
            "you begin windows as long as there is text: but the one that reaches the end is the"
            " last one",
            38,
        ),
        Misconception(
            "part of a move",
            "that is how many strides fit between the ends of the first and the last window: there"
            " is a window before the first move, and a part of a move is a whole window",
            486 / 16,
        ),
        Misconception(
            "stride as overlap",
            "you took the stride for what two windows share: it is how far apart they begin",
            7,
        ),
    ),
)


# ---- lab10.3: the best span of each row


def _rule(
    order: bool = True, limit: int | None = 0, begin: bool = True, stop: bool = True
) -> Callable[[Tensor, Tensor, Tensor, int], Tensor]:
    """The best spans where some of the rules do not hold; `limit` is added to the longest."""

    def best(start: Tensor, end: Tensor, keep: Tensor, longest: int) -> Tensor:
        count = start.shape[1]
        i, j = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
        allowed = torch.ones(len(start), count, count, dtype=torch.bool)
        if order:
            allowed &= i <= j
        if limit is not None:
            allowed &= (j - i).abs() < longest + limit
        if begin:
            allowed &= keep[:, :, None]
        if stop:
            allowed &= keep[:, None, :]
        scores = (start[:, :, None] + end[:, None, :]).masked_fill(~allowed, -torch.inf)
        places = scores.flatten(1).argmax(dim=1)
        return torch.stack([places // count, places % count], dim=1)

    return best


def _apart(start: Tensor, end: Tensor, keep: Tensor, longest: int) -> Tensor:
    pair = [x.masked_fill(~keep, -torch.inf).argmax(dim=1) for x in (start, end)]
    return torch.stack(pair, dim=1)


def _start_first(start: Tensor, end: Tensor, keep: Tensor, longest: int) -> Tensor:
    firsts = start.masked_fill(~keep, -torch.inf).argmax(dim=1)
    rows = []
    for row, first in enumerate(firsts.tolist()):
        after = end[row].masked_fill(~keep[row], -torch.inf)[first : first + longest]
        rows.append([first, first + int(after.argmax())])
    return torch.tensor(rows)


def _span_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = torch.Generator().manual_seed(1000 + seed)
    length = int(torch.randint(9, 13, (), generator=generator))
    start, end = torch.randn(2, 40, length, generator=generator, dtype=torch.float64)
    keep = torch.rand(40, length, generator=generator) < 0.7
    keep[:, 4] = True
    low = torch.full((1, 6), -40.0, dtype=torch.float64)
    return {
        f"40 rows of {length} tokens, spans of at most 3": (start, end, keep, 3),
        "spans of one token": (start[:5], end[:5], keep[:5], 1),
        "all scores are far below zero": (
            low - torch.tensor([[3.0, 1.0, 5.0, 2.0, 9.0, 0.0]], dtype=torch.float64),
            low - torch.tensor([[1.0, 6.0, 0.0, 2.0, 4.0, 0.0]], dtype=torch.float64),
            torch.tensor([[False, True, True, True, True, False]]),
            4,
        ),
    }


best_spans = Exercise(
    number="lab10.3",
    title="the best span of each row",
    difficulty=3,
    minutes=15,
    reference=_rule(),
    cases=_span_cases,
    hidden=_span_cases,
    misconceptions=(
        Misconception(
            "apart",
            "you take the best start and the best end each for itself: some spans end before they"
            " start, some are too long",
            _apart,
        ),
        Misconception(
            "start first",
            "you settle the start and then look for an end: a slightly worse start may have a much"
            " better end",
            _start_first,
        ),
        Misconception(
            "any order",
            "some of your spans end before they start",
            _rule(order=False),
        ),
        Misconception(
            "no limit",
            "some of your spans are longer than `longest`",
            _rule(limit=None),
        ),
        Misconception(
            "one too long",
            "some of your spans have one token more than `longest`: from i to j there are"
            " j - i + 1 tokens",
            _rule(limit=1),
        ),
        Misconception(
            "one too short",
            "your spans never have `longest` tokens: that many are allowed",
            lambda start, end, keep, longest: _rule()(start, end, keep, max(1, longest - 1)),
        ),
        Misconception(
            "no mask",
            "some of your spans start or end where `keep` forbids it: on the question, on [SEP]",
            _rule(begin=False, stop=False),
        ),
        Misconception(
            "starts alone masked",
            "some of your spans *end* where `keep` forbids it",
            _rule(stop=False),
        ),
        Misconception(
            "ends alone masked",
            "some of your spans *start* where `keep` forbids it",
            _rule(begin=False),
        ),
        Misconception(
            "one for all",
            "all rows get the same span: each row of the batch has its own table, and its own best"
            " place in it",
            lambda start, end, keep, longest: _rule()(
                start.mean(0, True), end.mean(0, True), keep.any(0, True), longest
            ).expand(len(start), 2),
        ),
        Misconception(
            "turned round",
            "you return the last token before the first one",
            lambda start, end, keep, longest: _rule()(start, end, keep, longest).flip(1),
        ),
        Misconception(
            "zero for forbidden",
            "where all scores are below zero, a forbidden span wins: a score of 0 is a score like"
            " any other",
            lambda start, end, keep, longest: _zeros(start, end, keep, longest),
        ),
    ),
    spoilers=("triu", "tril", "masked_fill", "flatten(1)"),
)


def _zeros(start: Tensor, end: Tensor, keep: Tensor, longest: int) -> Tensor:
    count = start.shape[1]
    i, j = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
    allowed = (i <= j) & (j < i + longest) & keep[:, :, None] & keep[:, None, :]
    places = ((start[:, :, None] + end[:, None, :]) * allowed).flatten(1).argmax(dim=1)
    return torch.stack([places // count, places % count], dim=1)


# ---- lab10.4: windows that leave nothing out


def _cut(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    firsts = range(0, max(1, length - room + stride), stride)
    return [(first, min(first + room, length)) for first in firsts]


def _found_cut(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    """The broken function of the lab."""
    return [(k * stride, k * stride + room) for k in range((length - room) // stride + 1)]


def _cut_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = random.Random(seed)
    room = draw.randint(7, 9)
    stride = draw.randint(3, 5)
    return {
        f"{room + 2 * stride} tokens fill three windows": (room + 2 * stride, room, stride),
        f"{room + 2 * stride + 1} tokens: one is left over": (room + 2 * stride + 1, room, stride),
        f"{room - 2} tokens: less than a window": (room - 2, room, stride),
        f"{room} tokens: a window exactly": (room, room, stride),
        f"{3 * room + 1} tokens without overlap": (3 * room + 1, room, room),
        f"{4 * room + 2} tokens, stride {stride}": (4 * room + 2, room, stride),
        f"{room + 4} tokens, stride 2": (room + 4, room, 2),
    }


cut_windows = Exercise(
    number="lab10.4",
    title="windows that leave nothing out",
    difficulty=2,
    minutes=12,
    reference=_cut,
    cases=_cut_cases,
    hidden=_cut_cases,
    misconceptions=(
        Misconception(
            "as found",
            "both faults are left: the tail of a text is in no window, and a text shorter than a"
            " window has none at all",
            _found_cut,
        ),
        Misconception(
            "tail lost",
            "the last tokens of a text are in no window, wherever the windows do not fit exactly",
            lambda length, room, stride: (
                [(a, min(b, length)) for a, b in _found_cut(length, room, stride)]
                or [(0, length)]
            ),
        ),
        Misconception(
            "short texts lost",
            "a text shorter than a window gets no window at all",
            lambda length, room, stride: _cut(length, room, stride) if length >= room else [],
        ),
        Misconception(
            "past the end",
            "a window reaches past the end of the text: its last token is not there",
            lambda length, room, stride: [
                (first, first + room) for first, _ in _cut(length, room, stride)
            ],
        ),
        Misconception(
            "superfluous",
            "you begin a window wherever there is text left: some lie wholly inside the one before,"
            " and cost time for nothing",
            lambda length, room, stride: [
                (first, min(first + room, length)) for first in range(0, length, stride)
            ],
        ),
        Misconception(
            "one more",
            "there is one window too many where the windows fit exactly: it repeats the end",
            lambda length, room, stride: [
                (first, min(first + room, length))
                for first in range(0, max(1, length - room + stride + 1), stride)
            ],
        ),
        Misconception(
            "last moved back",
            "you move the last window back until it is full: it begins where no stride leads to",
            lambda length, room, stride: [
                (max(0, min(first, length - room)), last)
                for first, last in _cut(length, room, stride)
            ],
        ),
        Misconception(
            "end to end",
            "your windows do not overlap: each begins a stride after the one before",
            lambda length, room, stride: _cut(length, room, room),
        ),
        Misconception(
            "end included",
            "the second number of each pair is the last token: as everywhere in Python the end is"
            " not included",
            lambda length, room, stride: [(a, b - 1) for a, b in _cut(length, room, stride)],
        ),
    ),
    spoilers=("min(first", "length - room", "math.ceil", "// stride"),
)  # fmt: skip


# ---- lab10.5: one answer from many windows


def _pick_with(worth: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """For each example its window with the largest worth."""

    def pick(spans: Tensor, silence: Tensor, example: Tensor) -> list[int]:
        values = worth(spans, silence)
        found = []
        for number in range(int(example.max()) + 1):
            windows = (example == number).nonzero().flatten()
            found.append(int(windows[values[windows].argmax()]))
        return found

    return pick


_pick = _pick_with(lambda spans, silence: spans - silence)


def _pick_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = torch.Generator().manual_seed(2000 + seed)
    counts = torch.randint(3, 7, (8,), generator=generator)
    example = torch.arange(8).repeat_interleave(counts)
    spans, silence = 3 * torch.randn(2, len(example), generator=generator, dtype=torch.float64)
    order = torch.randperm(len(example), generator=generator)
    return {
        "two texts of two windows": (
            torch.tensor([9.0, 6.0, 4.0, 5.0]),
            torch.tensor([8.0, 1.0, 3.0, 6.0]),
            torch.tensor([0, 0, 1, 1]),
        ),
        f"8 texts of {len(example)} windows": (spans, silence, example),
        "the same, sorted otherwise": (spans[order], silence[order], example[order]),
    }


pick_windows = Exercise(
    number="lab10.5",
    title="one answer from many windows",
    difficulty=3,
    minutes=12,
    reference=_pick,
    cases=_pick_cases,
    hidden=_pick_cases,
    misconceptions=(
        Misconception(
            "bare scores",
            "you compare the scores of the spans themselves: a window in which everything scores"
            " high, silence too, says nothing by it",
            _pick_with(lambda spans, silence: spans),
        ),
        Misconception(
            "least silence",
            "you take the window that is least silent, whatever its span scores",
            _pick_with(lambda spans, silence: -silence),
        ),
        Misconception(
            "most silence",
            "you take the window in which silence scores most: that one says it has no answer",
            _pick_with(lambda spans, silence: silence),
        ),
        Misconception(
            "worst margin",
            "the sign is turned: you take the window that is surest of having no answer",
            _pick_with(lambda spans, silence: silence - spans),
        ),
        Misconception(
            "first window",
            "you always take the first window of a text",
            _pick_with(lambda spans, silence: torch.zeros_like(spans)),
        ),
        Misconception(
            "ratio",
            "you divide by the score of silence: scores may be negative, and only differences of"
            " them mean something",
            _pick_with(lambda spans, silence: spans / silence),
        ),
        Misconception(
            "place in its text",
            "you count the windows of each text from 0: the place in the whole list is asked for",
            lambda spans, silence, example: [
                int((example == number).nonzero().flatten().tolist().index(place))
                for number, place in enumerate(_pick(spans, silence, example))
            ],
        ),
        Misconception(
            "margins",
            "you return how large the best margins are: the windows are asked for",
            lambda spans, silence, example: [
                float((spans - silence)[place]) for place in _pick(spans, silence, example)
            ],
        ),
    ),
    spoilers=("spans - silence", "argmax()", "nonzero"),
)


# ---- lab10.6: how much it may answer


def _coverage(margins: np.ndarray, right: np.ndarray, wanted: float) -> float:
    best = 0.0
    for cut in sorted(set(margins.tolist())):
        answered = margins >= cut
        if right[answered].mean() >= wanted:
            best = max(best, float(answered.mean()))
    return best


def _until_first_failure(margins: np.ndarray, right: np.ndarray, wanted: float) -> float:
    best = 0.0
    for cut in sorted(set(margins.tolist()), reverse=True):
        answered = margins >= cut
        if right[answered].mean() < wanted:
            break
        best = float(answered.mean())
    return best


def _with_ties_split(margins: np.ndarray, right: np.ndarray, wanted: float) -> float:
    order = np.argsort(-margins, kind="stable")
    shares = right[order].cumsum() / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(shares >= wanted)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def _coverage_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = np.random.default_rng(3000 + seed)
    margins = draw.normal(size=80).round(2)
    right = (draw.random(80) < 1 / (1 + np.exp(-1.5 * margins))).astype(float)
    return {
        "the surest is wrong, the next four are right": (
            np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0]),
            np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0]),
            0.8,
        ),
        "two margins alike": (
            np.array([2.0, 1.0, 1.0, -1.0]),
            np.array([1.0, 1.0, 0.0, 0.0]),
            1.0,
        ),
        "never good enough": (np.array([1.0, 2.0]), np.array([0.0, 0.0]), 0.5),
        "margins below zero": (
            np.array([-1.0, -2.0, -3.0, -4.0]),
            np.array([1.0, 1.0, 0.0, 1.0]),
            0.75,
        ),
        "80 questions, 8 of 10 must be right": (margins, right, 0.8),
    }


coverage = Exercise(
    number="lab10.6",
    title="how much it may answer",
    difficulty=3,
    minutes=15,
    reference=_coverage,
    cases=_coverage_cases,
    hidden=_coverage_cases,
    misconceptions=(
        Misconception(
            "first failure",
            "you stop at the first threshold that is not good enough: a lower one may be, because"
            " one early mistake weighs less among many answers",
            _until_first_failure,
        ),
        Misconception(
            "ties",
            "you put questions with the same margin on different sides: no threshold can do that",
            _with_ties_split,
        ),
        Misconception(
            "smallest",
            "you keep the first threshold from above that is good enough, and the one that answers"
            " most is asked for",
            lambda margins, right, wanted: min(
                [
                    float((margins >= cut).mean())
                    for cut in set(margins.tolist())
                    if right[margins >= cut].mean() >= wanted
                ],
                default=0.0,
            ),
        ),
        Misconception(
            "share of right ones",
            "you give the share of questions that are answered *rightly*: what is asked for is how"
            " many may be answered at all",
            lambda margins, right, wanted: max(
                [
                    float((right * (margins >= cut)).mean())
                    for cut in set(margins.tolist())
                    if right[margins >= cut].mean() >= wanted
                ],
                default=0.0,
            ),
        ),
        Misconception(
            "count",
            "this is a number of questions: a share of all of them is asked for",
            lambda margins, right, wanted: _coverage(margins, right, wanted) * len(margins),
        ),
        Misconception(
            "of all questions",
            "you hold the right answers against *all* questions: those that are not answered do"
            " not count here",
            lambda margins, right, wanted: max(
                [
                    float((margins >= cut).mean())
                    for cut in set(margins.tolist())
                    if (right * (margins >= cut)).mean() >= wanted
                ],
                default=0.0,
            ),
        ),
        Misconception(
            "wrong side",
            "you answer the questions with the *smallest* margins",
            lambda margins, right, wanted: _coverage(-margins, right, wanted),
        ),
        Misconception(
            "above zero alone",
            "you never try a threshold below zero: the margin is a difference, and nothing special"
            " happens at zero",
            lambda margins, right, wanted: max(
                [
                    float((margins >= cut).mean())
                    for cut in set(margins.tolist())
                    if cut > 0 and right[margins >= cut].mean() >= wanted
                ],
                default=0.0,
            ),
        ),
        Misconception(
            "more than wanted",
            "where the share is exactly the one that is wanted, that is good enough",
            lambda margins, right, wanted: _coverage(margins, right, math.nextafter(wanted, 2)),
        ),
    ),
    spoilers=("margins >= ", "cumsum", "max("),
)
