"""Checks of notebook 10: question answering."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from encoder_course.check.base import Exercise, Misconception

Words = list[str]
Offsets = Sequence[tuple[int, int]]


# ---- 10.1: the F1 of two answers


def _f1_with(
    shared: Callable = lambda a, b: (Counter(a) & Counter(b)).total(),
    mean: Callable = lambda precision, recall: 2 * precision * recall / (precision + recall),
    both_empty: float = 1.0,
) -> Callable[[Words, Words], float]:
    """F1 with another count of shared words, another mean, or another value for no answer."""

    def f1(predicted: Words, true: Words) -> float:
        if not predicted or not true:
            return both_empty if predicted == true else 0.0
        common = shared(predicted, true)
        return mean(common / len(predicted), common / len(true)) if common else 0.0

    return f1


def _of_sets(predicted: Words, true: Words) -> float:
    if not predicted or not true:
        return float(predicted == true)
    common = len(set(predicted) & set(true))
    return 2 * common / (len(set(predicted)) + len(set(true)))


def _one_empty_counts(predicted: Words, true: Words) -> float:
    return 1.0 if not predicted or not true else _f1_with()(predicted, true)


f1 = Exercise(
    number="10.1",
    title="F1 of two answers",
    difficulty=2,
    minutes=10,
    reference=_f1_with(),
    cases=lambda: {
        "one word of two, one word in all": (["black", "cat"], ["cat"]),
        "two of two, three in all": (["black", "cat"], ["black", "cat", "sat"]),
        "a word said twice": (["cat", "cat", "sat"], ["cat", "on", "mat", "sat"]),
        "nothing in common": (["dog"], ["cat"]),
        "no answer, and rightly so": ([], []),
        "no answer where there is one": ([], ["cat"]),
        "an answer where there is none": (["cat"], []),
    },
    misconceptions=(
        Misconception(
            "sets",
            "a word said twice counts once on your side: words must be counted as often as they"
            " occur",
            _of_sets,
        ),
        Misconception(
            "every mention",
            "a word said twice, and once in the true answer, is shared only once",
            _f1_with(shared=lambda a, b: sum(word in b for word in a)),
        ),
        Misconception(
            "precision",
            "how much of the *true* answer was found makes no difference to your number",
            _f1_with(mean=lambda precision, recall: precision),
        ),
        Misconception(
            "recall",
            "a long answer that holds the true one somewhere gets full marks: too many words must"
            " cost something",
            _f1_with(mean=lambda precision, recall: recall),
        ),
        Misconception(
            "arithmetic mean",
            "this is the ordinary average of the two shares; theirs is the harmonic one, which the"
            " smaller share pulls down",
            _f1_with(mean=lambda precision, recall: (precision + recall) / 2),
        ),
        Misconception(
            "geometric mean",
            "this is the root of the product of the two shares; theirs is the harmonic mean",
            _f1_with(mean=lambda precision, recall: (precision * recall) ** 0.5),
        ),
        Misconception(
            "union",
            "you divide what is shared by all the words of both together, which is another measure"
            " (Jaccard's) and always the smaller one",
            _f1_with(mean=lambda p, r: 1 / (1 / p + 1 / r - 1)),
        ),
        Misconception(
            "silence is wrong",
            "no answer where there is none is right, and gets full marks",
            _f1_with(both_empty=0.0),
        ),
        Misconception(
            "silence is right",
            "no answer is right only where there is none: two empty sides, not one",
            _one_empty_counts,
        ),
    ),
    spoilers=("Counter(", "/ (len("),
)


# ---- 10.2: how many spans there are

spans = Exercise(
    number="10.2",
    title="how many spans",
    difficulty=1,
    minutes=5,
    reference=27,
    misconceptions=(
        Misconception(
            "all pairs",
            "that counts every pair of a start and an end, also those that end before they start",
            100,
        ),
        Misconception(
            "no limit",
            "that counts long spans, too: of ten tokens, one may start at the first and end at the"
            " last",
            55,
        ),
        Misconception(
            "no end",
            "the last tokens cannot start as many spans as the others: the text ends",
            30,
        ),
        Misconception(
            "no single tokens",
            "a span of one token is a span: it starts and ends at the same place",
            17,
        ),
        Misconception(
            "one too long",
            "at most three tokens: from the first to the fourth there are four",
            34,
        ),
    ),
)


# ---- 10.3: the best span


def _best_with(allowed: Callable, scores: Callable = lambda s, e: s[:, None] + e) -> Callable:
    """The best pair under another rule of which pairs are allowed, or another score of a pair."""

    def best(start: Tensor, end: Tensor, longest: int) -> tuple[int, int]:
        i, j = torch.meshgrid(*[torch.arange(len(start))] * 2, indexing="ij")
        table = scores(start, end).masked_fill(~allowed(i, j, longest), -torch.inf)
        first, last = divmod(int(table.argmax()), len(start))
        return first, last

    return best


def _allowed(i: Tensor, j: Tensor, longest: int) -> Tensor:
    return (i <= j) & (j < i + longest)


def _start_first(start: Tensor, end: Tensor, longest: int) -> tuple[int, int]:
    first = int(start.argmax())
    return first, first + int(end[first : first + longest].argmax())


def _end_first(start: Tensor, end: Tensor, longest: int) -> tuple[int, int]:
    last = int(end.argmax())
    low = max(0, last - longest + 1)
    return low + int(start[low : last + 1].argmax()), last


def _swapped(start: Tensor, end: Tensor, longest: int) -> tuple[int, int]:
    first, last = sorted((int(start.argmax()), int(end.argmax())))
    return first, last


best_span = Exercise(
    number="10.3",
    title="the best span",
    difficulty=3,
    minutes=15,
    reference=_best_with(_allowed),
    cases=lambda: {
        "the best end stands before the best start": (
            torch.tensor([0.0, 1.0, 5.0, 0.5, 2.0]),
            torch.tensor([0.0, 6.0, 2.5, 4.0, 1.0]),
            3,
        ),
        "the best pair is too long": (
            torch.tensor([4.0, 0.0, 3.0, -1.0, 0.0, 2.5]),
            torch.tensor([1.0, 2.0, 0.0, 1.5, 5.0, 0.0]),
            3,
        ),
        "four tokens are one too many": (
            torch.tensor([3.0, 0.0, 0.0, 1.0]),
            torch.tensor([0.0, 0.5, 0.5, 4.0]),
            3,
        ),
        "one token is best": (
            torch.tensor([0.0, -1.0, 7.0, 0.0]),
            torch.tensor([0.0, 1.0, 3.0, 2.5]),
            2,
        ),
        "all scores are below zero": (
            torch.tensor([-3.0, -1.0, -4.0, -2.0]),
            torch.tensor([-5.0, -2.0, -1.0, -6.0]),
            3,
        ),
    },
    misconceptions=(
        Misconception(
            "apart",
            "you take the best start and the best end each for itself: the end may stand before the"
            " start",
            lambda start, end, longest: (int(start.argmax()), int(end.argmax())),
        ),
        Misconception(
            "swapped",
            "where the end stands before the start you exchange the two: that span starts at an"
            " end, and nobody scored it so",
            _swapped,
        ),
        Misconception(
            "start first",
            "you settle the start and then look for the end: a slightly worse start may have a much"
            " better end",
            _start_first,
        ),
        Misconception(
            "end first",
            "you settle the end and then look for the start: a slightly worse end may have a much"
            " better start",
            _end_first,
        ),
        Misconception(
            "no limit",
            "your span may be as long as it likes",
            _best_with(lambda i, j, longest: i <= j),
        ),
        Misconception(
            "any order",
            "your span may end before it starts, as long as it is not too long",
            _best_with(lambda i, j, longest: (i - j).abs() < longest),
        ),
        Misconception(
            "one too long",
            "your spans may be one token longer than `longest`",
            _best_with(lambda i, j, longest: (i <= j) & (j <= i + longest)),
        ),
        Misconception(
            "two tokens at least",
            "a span of one token is never found",
            _best_with(lambda i, j, longest: (i < j) & (j < i + longest)),
        ),
        Misconception(
            "end left out",
            "your last token is one too far: as if the end were not part of the span",
            lambda start, end, longest: (
                lambda pair: (pair[0], pair[1] + 1)
            )(_best_with(_allowed)(start, end, longest)),
        ),
        Misconception(
            "product",
            "you multiply scores that may be negative: two very bad ones then make a very good one",
            _best_with(_allowed, lambda s, e: s[:, None] * e),
        ),
    ),
    spoilers=("triu", "tril", "[:, None] +"),
)  # fmt: skip


# ---- 10.4: where an answer lies in a window


def _inside(offsets: Offsets, start: int, end: int) -> list[int]:
    return [t for t, (a, b) in enumerate(offsets) if a < end and b > start]


def _targets(offsets: Offsets, start: int, end: int) -> tuple[int, int]:
    real = [t for t, (a, b) in enumerate(offsets) if b > a]
    if offsets[real[0]][0] > start or offsets[real[-1]][1] < end:
        return 0, 0
    inside = _inside(offsets, start, end)
    return inside[0], inside[-1]


def _partly(offsets: Offsets, start: int, end: int) -> tuple[int, int]:
    inside = _inside(offsets, start, end)
    return (inside[0], inside[-1]) if inside else (0, 0)


def _touching(offsets: Offsets, start: int, end: int) -> tuple[int, int]:
    if _targets(offsets, start, end) == (0, 0):
        return 0, 0
    inside = [t for t, (a, b) in enumerate(offsets) if b > a and a <= end and b > start]
    return inside[0], inside[-1]


def _exact(offsets: Offsets, start: int, end: int) -> tuple[int, int]:
    first = [t for t, (a, b) in enumerate(offsets) if b > a and a == start]
    last = [t for t, (a, b) in enumerate(offsets) if b > a and b == end]
    return (first[0], last[0]) if first and last else (0, 0)


def _end_excluded(offsets: Offsets, start: int, end: int) -> tuple[int, int]:
    first, last = _targets(offsets, start, end)
    return (first, last + 1) if last else (0, 0)


# "Lagos, 1 May (2027)" in one window, and its end alone in another.
_WHOLE = [(0, 0), (0, 5), (5, 6), (7, 8), (9, 12), (13, 14), (14, 16), (16, 18), (18, 19), (0, 0)]
_TAIL = [(0, 0), (9, 12), (13, 14), (14, 16), (16, 18), (18, 19), (0, 0)]
_HEAD = [(0, 0), (0, 5), (5, 6), (7, 8), (9, 12), (0, 0)]

targets = Exercise(
    number="10.4",
    title="an answer in a window",
    difficulty=2,
    minutes=12,
    reference=_targets,
    cases=lambda: {
        "1 May, in the whole text": (_WHOLE, 7, 12),
        "2027, two tokens in brackets": (_WHOLE, 14, 18),
        "Lagos, at character 0": (_WHOLE, 0, 5),
        "202, which ends inside a token": (_WHOLE, 14, 17),
        "1 May, and the window begins at May": (_TAIL, 7, 12),
        "May (2027), and the window ends at May": (_HEAD, 9, 19),
        "Lagos, and the window begins later": (_TAIL, 0, 5),
    },
    misconceptions=(
        Misconception(
            "half an answer",
            "where a window holds a part of the answer, you train on that part: half an answer is"
            " a wrong answer",
            _partly,
        ),
        Misconception(
            "touching",
            "a token that begins where the answer ends is not part of it",
            _touching,
        ),
        Misconception(
            "borders must agree",
            "an answer whose border lies inside a token gets no place: then the whole token is"
            " taken",
            _exact,
        ),
        Misconception(
            "end excluded",
            "characters exclude their end, but the two places here are both inside the answer",
            _end_excluded,
        ),
        Misconception(
            "characters",
            "these are places of characters: the model scores tokens",
            lambda offsets, start, end: (
                (start, end) if _targets(offsets, start, end) != (0, 0) else (0, 0)
            ),
        ),
        Misconception(
            "from the first word",
            "you count from the first token of the text, and [CLS] stands before it",
            lambda offsets, start, end: tuple(
                max(0, place - 1) for place in _targets(offsets, start, end)
            ),
        ),
    ),
    spoilers=("< end and", "enumerate(offsets)"),
)


# ---- 10.5: the best that a threshold can do


def _curve(margins: np.ndarray, answered: np.ndarray, silent: np.ndarray) -> list[float]:
    cuts = [-np.inf, *sorted(set(margins.tolist()))]
    return [float(np.where(margins > cut, answered, silent).mean()) for cut in cuts]


threshold = Exercise(
    number="10.5",
    title="the best that a threshold can do",
    difficulty=3,
    minutes=15,
    reference=lambda margins, answered, silent: max(_curve(margins, answered, silent)),
    cases=lambda: {
        "six questions": (
            np.array([3.0, -1.0, 2.0, 0.5, -2.0, 1.0]),
            np.array([1.0, 0.0, 0.5, 0.0, 1.0, 1.0]),
            np.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0]),
        ),
        "two margins alike": (
            np.array([1.0, 1.0, 2.0, 0.0, 3.0]),
            np.array([0.0, 1.0, 1.0, 0.0, 0.0]),
            np.array([1.0, 0.0, 0.0, 1.0, 1.0]),
        ),
        "all is to be answered": (
            np.array([-3.0, -2.0, -1.0]),
            np.array([0.5, 1.0, 1.0]),
            np.array([0.0, 0.0, 0.0]),
        ),
        "nothing is to be answered": (
            np.array([1.0, 2.0]),
            np.array([0.0, 0.0]),
            np.array([1.0, 1.0]),
        ),
    },
    misconceptions=(
        Misconception(
            "answer everything",
            "this is the score without any threshold",
            lambda margins, answered, silent: float(answered.mean()),
        ),
        Misconception(
            "keep silent",
            "this is the score of a reader that never says anything",
            lambda margins, answered, silent: float(silent.mean()),
        ),
        Misconception(
            "oracle",
            "you choose for each question by itself whether to answer, which takes knowing the"
            " truth: one threshold must do for all",
            lambda margins, answered, silent: float(np.maximum(answered, silent).mean()),
        ),
        Misconception(
            "wrong side",
            "you answer *below* the threshold, where the reader is least sure",
            lambda margins, answered, silent: max(_curve(-margins, answered, silent)),
        ),
        Misconception(
            "threshold zero",
            "zero is one threshold of many, and the score there is not the best one",
            lambda margins, answered, silent: float(
                np.where(margins > 0, answered, silent).mean()
            ),
        ),
        Misconception(
            "ties",
            "you put questions with the same margin on different sides: no threshold can do that",
            lambda margins, answered, silent: max(
                float(np.r_[silent[order][:k], answered[order][k:]].mean())
                for order in [np.argsort(margins, kind="stable")]
                for k in range(len(order) + 1)
            ),
        ),
        Misconception(
            "always something",
            "you never try the threshold below all margins, at which everything is answered",
            lambda margins, answered, silent: max(_curve(margins, answered, silent)[1:]),
        ),
        Misconception(
            "never silent",
            "you never try the threshold above all margins, at which nothing is answered",
            lambda margins, answered, silent: max(_curve(margins, answered, silent)[:-1]),
        ),
        Misconception(
            "sum",
            "this is a sum over the questions: a mean is asked for",
            lambda margins, answered, silent: max(_curve(margins, answered, silent)) * len(margins),
        ),
        Misconception(
            "place of the best",
            "this is the threshold itself: the score there is asked for",
            lambda margins, answered, silent: float(
                sorted([margins.min() - 1.0, *margins])[
                    int(np.argmax(_curve_all(margins, answered, silent)))
                ]
            ),
        ),
    ),
    spoilers=("np.where(", "max("),
)  # fmt: skip


def _curve_all(margins: np.ndarray, answered: np.ndarray, silent: np.ndarray) -> list[float]:
    cuts = sorted([margins.min() - 1.0, *margins])
    return [float(np.where(margins > cut, answered, silent).mean()) for cut in cuts]
