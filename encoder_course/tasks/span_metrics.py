"""How right an answer is: exact match and F1 as SQuAD counts them, and when to keep silent."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from encoder_course.tasks.metrics import Report, accuracy, measure

PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Extract:
    """An answer: `context[start:end]`, or "" from 0 to 0 where there is none.

    `margin` is by how much the best span scored above no answer.
    """

    start: int
    end: int
    text: str
    margin: float


SILENT = Extract(0, 0, "", 0.0)


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation, articles and spare white space (Rajpurkar et al., 2016)."""
    text = text.lower().translate(PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(predicted: str, references: Sequence[str]) -> float:
    """1 where the normalised answer is one of the references, else 0; no references: no answer."""
    return _best(lambda answer, true: float(answer == true), predicted, references)


def f1(predicted: str, references: Sequence[str]) -> float:
    """The best F1, over the references, of the words that answer and reference share.

    No references: 1 for the empty answer and 0 for any other (Rajpurkar et al., 2018).
    """
    return _best(_overlap, predicted, references)


def _best(score: Callable[[str, str], float], predicted: str, references: Sequence[str]) -> float:
    true = [answer for answer in map(normalise_answer, references) if answer] or [""]
    return max(score(normalise_answer(predicted), answer) for answer in true)


def _overlap(predicted: str, true: str) -> float:
    ours, theirs = predicted.split(), true.split()
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * (Counter(ours) & Counter(theirs)).total() / (len(ours) + len(theirs))


def best_threshold(
    margins: Float[np.ndarray, " B"],
    if_answered: Float[np.ndarray, " B"],
    if_silent: Float[np.ndarray, " B"],
) -> float:
    """The margin above which to answer, so that the mean score is largest.

    Each example counts `if_answered` where its margin is above the threshold, else `if_silent`.
    """
    order = np.argsort(margins, kind="stable")
    gains = (if_silent - if_answered)[order]
    cuts = margins[order]
    # Answer everything, or keep silent up to and including the k-th smallest margin.
    totals = np.concatenate([[0.0], np.cumsum(gains)])
    possible = np.append(cuts[:-1] < cuts[1:], True)  # equal margins fall on one side
    totals[1:][~possible] = -np.inf
    best = int(totals.argmax())
    if best == 0:
        return float(cuts[0]) - 1.0
    return float(cuts[best - 1] + cuts[best]) / 2 if best < len(cuts) else float(cuts[-1]) + 1.0


def references(example: Any) -> list[str]:
    """The texts of the answers of a record with `.context` and `.answers`."""
    return [example.context[start:end] for start, end in example.answers]


def scores(
    examples: Sequence[Any], found: Sequence[Extract]
) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]:
    """Exact match and F1 of each example. ValueError where there are not as many answers."""
    if len(examples) != len(found):
        raise ValueError(f"there are {len(examples)} questions but {len(found)} answers")
    pairs = [(x.text, references(e)) for e, x in zip(examples, found, strict=True)]
    return np.array([exact_match(*p) for p in pairs]), np.array([f1(*p) for p in pairs])


def report(
    examples: Sequence[Any],
    found: Sequence[Extract],
    title: str = "",
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Exact match, F1, and how often it is right that there is an answer; with intervals."""
    matches, overlaps = scores(examples, found)
    draws = dict(resamples=resamples, seed=seed)
    there, said = [bool(e.answers) for e in examples], [bool(x.text) for x in found]
    metrics = [
        measure("exact match", np.mean, matches, **draws),
        measure("F1", np.mean, overlaps, **draws),
        measure("answerable", accuracy, there, said, **draws),
    ]
    return Report(metrics, len(examples), title)
