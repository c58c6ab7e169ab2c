"""How good, and how sure: a value of a metric with the interval that chance leaves around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Metric:
    """One measured value and its 95 % interval (NaN to NaN where none was asked for)."""

    name: str
    value: float | int
    low: float | int = math.nan
    high: float | int = math.nan

    def __str__(self) -> str:
        value = f"{self.name}: {self.value:.3f}"
        return value if math.isnan(self.low) else f"{value} [{self.low:.3f}, {self.high:.3f}]"


class Report:
    """Metrics in order, each under its name; prints as a small table.

    `examples` is how many examples they were measured on. ValueError for a name given twice.
    """

    def __init__(self, metrics: Sequence[Metric], examples: int, title: str = "") -> None:
        self.metrics = {metric.name: metric for metric in metrics}
        if len(self.metrics) < len(metrics):
            raise ValueError(f"a metric is named twice in {[metric.name for metric in metrics]}")
        self.examples = examples
        self.title = title

    def __getitem__(self, name: str) -> Metric:
        if name not in self.metrics:
            raise KeyError(f"there is no metric {name!r}, only {', '.join(self.metrics)}")
        return self.metrics[name]

    def __iter__(self) -> Iterator[Metric]:
        return iter(self.metrics.values())

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        width = max(map(len, self.metrics), default=0)
        heading = " ".join(filter(None, [self.title, f"({self.examples} examples)"]))
        rows = [
            f"{m.name:<{width}}  {m.value:.3f}"
            + ("" if math.isnan(m.low) else f"  [{m.low:.3f}, {m.high:.3f}]")
            for m in self
        ]
        return "\n".join([heading, *rows])


def measure(
    name: str,
    statistic: Callable[..., float],
    *aligned: Sequence[Any] | np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """The statistic of the sequences, with its bootstrap interval; `resamples=0` leaves that out.

    The statistic gets NumPy arrays, as in `bootstrap`.
    """
    arrays = [as_array(sequence) for sequence in aligned]
    value = float(statistic(*arrays))
    if not resamples:
        return Metric(name, value)
    return Metric(name, value, *bootstrap(statistic, *arrays, resamples=resamples, seed=seed))


def bootstrap(
    statistic: Callable[..., float],
    *aligned: Sequence[Any] | np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic: (low, high).

    Examples are drawn with replacement, as many as there are, `resamples` times; the same draw
    goes through all the sequences, so that what belongs together stays together. The statistic
    gets NumPy arrays. ValueError for no examples, sequences of different lengths, and fewer than
    one resample. Efron, 1979.
    """
    arrays = [as_array(sequence) for sequence in aligned]
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise ValueError(f"the sequences have different lengths: {[len(a) for a in arrays]}")
    (count,) = lengths
    if count == 0:
        raise ValueError("there are no examples to draw from")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1 but is {resamples}")
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = generator.integers(count, size=count)
        values.append(statistic(*(array[drawn] for array in arrays)))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def as_array(sequence: Sequence[Any] | np.ndarray) -> np.ndarray:
    """One entry per example: numbers and strings as they are, anything else as an object."""
    if isinstance(sequence, np.ndarray):
        return sequence
    if all(isinstance(entry, bool | int | float | str) for entry in sequence):
        return np.array(sequence)
    array = np.empty(len(sequence), dtype=object)
    array[:] = sequence
    return array


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """The share of examples that are right."""
    return float(np.mean(true == predicted))


def macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """The mean over classes of F1 = 2 right / (true + predicted); rare classes count in full.

    Classes are those that occur in either array. What scikit-learn computes, sooner: a bootstrap
    asks a thousand times.
    """
    classes, codes = np.unique(np.concatenate([true, predicted]), return_inverse=True)
    size = len(classes)
    is_true, is_predicted = np.split(codes, [len(true)])
    right = np.bincount(is_true[is_true == is_predicted], minlength=size)
    total = np.bincount(is_true, minlength=size) + np.bincount(is_predicted, minlength=size)
    return float(np.mean(2 * right / total))
