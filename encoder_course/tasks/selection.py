"""Choosing on training texts alone: held-out answers in turn, and an encoder cut short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from encoder_course.nn import Encoder
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


def cut_after(encoder: Encoder, layers: int) -> Encoder:
    """The encoder up to its block number `layers`; its weights are shared, not copied.

    Of use where a middle layer knows more of a task than the last one, and sooner. ValueError for
    fewer than one layer or more than there are.
    """
    if not 1 <= layers <= encoder.config.layers:
        raise ValueError(f"layers must be from 1 to {encoder.config.layers} but is {layers}")
    with torch.device("meta"):  # a shape without numbers, to be filled
        shorter = Encoder(replace(encoder.config, layers=layers))
    weights = encoder.state_dict()
    shared = {name: weights[name] for name in shorter.state_dict()}
    shorter.load_state_dict(shared, assign=True)
    return shorter.requires_grad_(False).eval()
