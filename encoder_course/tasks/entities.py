"""How well spans are found, and what kind of mistakes are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from encoder_course.tasks.metrics import Metric, measure
from encoder_course.text.bio import Span

KINDS = ("boundary", "type", "missed", "invented")


@dataclass(frozen=True)
class Mistake:
    """One span that was not found as it is.

    "boundary": the right label on other characters. "type": another label on characters that
    overlap. "missed" and "invented": a span where the other side has none.
    """

    kind: str
    text: str
    true: Span | None
    predicted: Span | None

    def __str__(self) -> str:
        sides = [
            "nothing" if span is None else f"{self.text[span.start : span.end]!r} ({span.label})"
            for span in (self.true, self.predicted)
        ]
        return f"{self.kind}: {sides[0]} was tagged as {sides[1]}"


def mistakes(text: str, true: Sequence[Span], predicted: Sequence[Span]) -> list[Mistake]:
    """The mistakes of one text; each span stands in one of them at most.

    Spans that overlap are paired, those with the same label and the most characters first.
    """
    missed = [span for span in true if span not in set(predicted)]
    invented = [span for span in predicted if span not in set(true)]
    pairs = [(t, p) for t in missed for p in invented if t.start < p.end and p.start < t.end]
    pairs.sort(key=lambda pair: (pair[0].label != pair[1].label, -overlap(*pair)))
    found = []
    for t, p in pairs:
        if t in missed and p in invented:
            missed.remove(t)
            invented.remove(p)
            found.append(Mistake("boundary" if t.label == p.label else "type", text, t, p))
    found += [Mistake("missed", text, span, None) for span in missed]
    return found + [Mistake("invented", text, None, span) for span in invented]


def overlap(a: Span, b: Span) -> int:
    """How many characters two spans share."""
    return min(a.end, b.end) - max(a.start, b.start)


def entity_metrics(
    true: Sequence[Sequence[Span]],
    predicted: Sequence[Sequence[Span]],
    labels: Sequence[str],
    **draws: Any,
) -> list[Metric]:
    """Precision, recall and F1 over all spans, then the F1 of each label, with intervals.

    A span counts as right when its start, its end and its label are right (Tjong Kim Sang and
    De Meulder, 2003). Whole texts are drawn for the intervals; `draws` are `bootstrap`'s settings.
    """
    counts = span_counts(true, predicted, labels)
    metrics = [
        measure(name, statistic, counts.sum(axis=1), **draws)
        for name, statistic in (("precision", precision), ("recall", recall), ("F1", f1))
    ]
    each = [measure(f"F1 {name}", f1, counts[:, i], **draws) for i, name in enumerate(labels)]
    return metrics + each


def span_counts(
    true: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]], labels: Sequence[str]
) -> Int[np.ndarray, "B C 3"]:
    """For each text and label: how many spans are right, predicted, true."""
    counts = np.zeros((len(true), len(labels), 3), dtype=np.int64)
    number = {label: i for i, label in enumerate(labels)}
    for row, wanted, found in zip(counts, true, predicted, strict=True):
        for column, spans in enumerate((set(wanted) & set(found), found, wanted)):
            for span in spans:
                row[number[span.label], column] += 1
    return counts


def precision(counts: Int[np.ndarray, "B 3"]) -> float:
    """The share of predicted spans that are right; 0 where none is predicted."""
    right, predicted, _ = counts.sum(axis=0).tolist()
    return right / max(predicted, 1)


def recall(counts: Int[np.ndarray, "B 3"]) -> float:
    """The share of true spans that are found; 0 where there is none."""
    right, _, true = counts.sum(axis=0).tolist()
    return right / max(true, 1)


def f1(counts: Int[np.ndarray, "B 3"]) -> float:
    """The harmonic mean of precision and recall; 0 where there is no span at all."""
    right, predicted, true = counts.sum(axis=0).tolist()
    return 2 * right / max(predicted + true, 1)
