"""Which class a text belongs to: what all classifiers can do, and how they grow with examples."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from encoder_course.progress import track
from encoder_course.tasks.calibration import calibration_error, fit_temperature
from encoder_course.tasks.metrics import Report, accuracy, macro_f1, measure
from encoder_course.tasks.storage import Stored
from encoder_course.tasks.training import History, Plan, plan_of


class Classifier(Stored):
    """What all classifiers can do. Examples are records with a `.text` and a label.

    `label` is the name of the field that holds the label; the other settings are those of the
    class. Each `fit` begins anew.
    """

    kept = ("classes", "temperature")
    epochs = 1  # at most, where `fit` is not told

    def __init__(self, label: str = "label", **settings: Any) -> None:
        super().__init__(label=label, **settings)
        self.temperature: float = 1.0
        self.history: History | None = None  # where training goes step by step

    def fit(
        self,
        examples: Sequence[Any],
        *,
        validation: Sequence[Any] | None = None,
        epochs: int | None = None,
        seed: int = 0,
        patience: int = 2,
        progress: bool = True,
    ) -> Classifier:
        """Learn from the examples. ValueError where they do not have at least two classes.

        Training stops when the loss on `validation` has not fallen for `patience` epochs.
        Classifiers that are counted or solved have no use for anything but the examples.
        """
        self.classes = sorted({self.label_of(example) for example in examples})
        if len(self.classes) < 2:
            raise ValueError(f"a classifier needs two classes, but the labels are {self.classes}")
        self.temperature = 1.0
        plan = plan_of(self.settings, epochs or self.epochs, patience)
        self.learn(examples, validation, plan, seed, progress)
        return self

    @abstractmethod
    def learn(
        self,
        examples: Sequence[Any],
        validation: Sequence[Any] | None,
        plan: Plan,
        seed: int,
        progress: bool,
    ) -> None:
        """Fit what `logits` uses; `classes` is set."""

    @abstractmethod
    def logits(self, texts: Sequence[str]) -> Float[Tensor, "B C"]:
        """A score for each class; softmax makes probabilities of them."""

    def predict_proba(self, texts: Sequence[str]) -> Float[Tensor, "B C"]:
        """The probability of each class, in the order of `classes`. ValueError before `fit`."""
        self.require_fit()
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts, but got one str")
        if not len(texts):
            return torch.empty(0, len(self.classes))
        return (self.logits(texts) / self.temperature).softmax(dim=-1)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most probable class of each text."""
        return [self.classes[i] for i in self.predict_proba(texts).argmax(dim=-1).tolist()]

    def calibrate(self, validation: Sequence[Any]) -> Classifier:
        """Choose the temperature that suits examples it was not trained on (see `calibration`).

        That changes how sure it is, never what it predicts.
        """
        self.temperature = 1.0
        logits = self.predict_proba([example.text for example in validation]).log()
        self.temperature = fit_temperature(logits, self.targets(validation))
        return self

    def evaluate(self, examples: Sequence[Any], *, resamples: int = 1000, seed: int = 0) -> Report:
        """Accuracy, macro-F1 and expected calibration error, with their intervals."""
        best = self.predict_proba([example.text for example in examples]).max(dim=-1)
        predicted = np.array(self.classes)[best.indices.numpy()]
        true = np.array([self.label_of(example) for example in examples])
        sure, right = best.values.numpy(), true == predicted
        draws = dict(resamples=resamples, seed=seed)
        metrics = [
            measure("accuracy", accuracy, true, predicted, **draws),
            measure("macro-F1", macro_f1, true, predicted, **draws),
            measure("calibration error", calibration_error, sure, right, **draws),
        ]
        return Report(metrics, len(examples), type(self).__name__)

    def label_of(self, example: Any) -> str:
        """The label of an example."""
        return getattr(example, self.settings["label"])

    def targets(self, examples: Sequence[Any]) -> Int[Tensor, " B"]:
        """The number of each example's class; ValueError for one that `fit` did not see."""
        labels = [self.label_of(example) for example in examples]
        unknown = sorted(set(labels) - set(self.classes))
        if unknown:
            raise ValueError(f"the labels {unknown} are not among the classes {self.classes}")
        return torch.tensor([self.classes.index(label) for label in labels])


@dataclass(frozen=True)
class Point:
    """One point of a learning curve."""

    size: int  # examples that were trained on
    seed: int
    accuracy: float


def learning_curve(
    classifier: Classifier,
    examples: Sequence[Any],
    test: Sequence[Any],
    *,
    sizes: Sequence[int],
    seeds: Sequence[int],
    progress: bool = True,
    **options: Any,
) -> list[Point]:
    """How accuracy on the same test grows with the examples: a point for each size and seed.

    The classifier is fitted again for each of them, with the `options` of its `fit`. A seed draws
    an order in which the classes keep their shares; a larger size takes more of the same order.
    ValueError for a size that there are not enough examples for.
    """
    if max(sizes) > len(examples):
        raise ValueError(f"the largest size is {max(sizes)} but there are {len(examples)} examples")
    texts, true = [x.text for x in test], np.array([classifier.label_of(x) for x in test])
    points = []
    runs = [(size, seed) for size in sizes for seed in seeds]
    for size, seed in track(runs, "learning curve", progress):
        subset = mixed([classifier.label_of(example) for example in examples], seed)[:size]
        classifier.fit([examples[i] for i in subset], seed=seed, progress=False, **options)
        points.append(Point(size, seed, accuracy(true, np.array(classifier.predict(texts)))))
    return points


def mixed(labels: Sequence[str], seed: int) -> list[int]:
    """A random order in which each class has about its share of every beginning."""
    generator = random.Random(seed)
    members = defaultdict(list)
    for i, label in enumerate(labels):
        members[label].append(i)
    places = []
    for _, group in sorted(members.items()):
        generator.shuffle(group)
        places += [
            ((rank + 0.5) / len(group), generator.random(), i) for rank, i in enumerate(group)
        ]
    return [i for _, _, i in sorted(places)]
