"""Choosing on training texts alone: held-out answers in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from encoder_course.tasks.classifier import Classifier, mixed


def out_of_fold(
    classifier: Classifier, examples: Sequence[Any], *, folds: int = 5, seed: int = 0
) -> np.ndarray:
    """For each example what a classifier answers that was fitted on the other folds: (N,) names.

    Every example is answered once, by a classifier that has not seen it, so that settings can be
    compared without a look at the test. The folds keep the shares of the classes. What is left in
    `classifier` is the last of the fits. ValueError for folds that are fewer than two or more than
    the examples. Stone, 1974.
    """
    if not 2 <= folds <= len(examples):
        raise ValueError(f"folds must be from 2 to {len(examples)} (examples) but is {folds}")
    order = mixed([classifier.label_of(example) for example in examples], seed)
    answers: dict[int, str] = {}
    for part in np.array_split(order, folds):
        held = part.tolist()
        kept = set(order) - set(held)
        classifier.fit([examples[i] for i in sorted(kept)], seed=seed, progress=False)
        found = classifier.predict([examples[i].text for i in held])
        answers.update(zip(held, found, strict=True))
    return np.array([answers[i] for i in range(len(examples))])
