"""Choosing on training texts: nobody answers what it has seen."""

from dataclasses import dataclass

import numpy as np
import pytest

from encoder_course.tasks.baselines import MajorityClassifier, WordClassifier
from encoder_course.tasks.selection import out_of_fold


@dataclass(frozen=True)
class Example:
    text: str
    label: str


EXAMPLES = [Example(f"{word} {i}", label) for i in range(6) for word, label in ("ay", "bn")]


class Remembering(MajorityClassifier):
    """Keeps what each fit has seen, and answers by whether it knows the text."""

    def learn(self, examples, *rest) -> None:
        super().learn(examples, *rest)
        self.seen = {example.text for example in examples}
        self.sizes = [*getattr(self, "sizes", []), len(examples)]

    def predict(self, texts):
        return ["known" if text in self.seen else "new" for text in texts]


@pytest.mark.parametrize("folds", [2, 5, 12])
def test_nobody_answers_what_it_has_seen(folds):
    classifier = Remembering()
    assert out_of_fold(classifier, EXAMPLES, folds=folds).tolist() == ["new"] * 12
    assert sum(classifier.sizes) == 12 * (folds - 1) and len(classifier.sizes) == folds


def test_answers_stand_in_the_order_of_the_examples():
    telling = [Example(f"{x.label * 3} it is", x.label) for x in EXAMPLES]
    answers = out_of_fold(WordClassifier(strength=100), telling, folds=3, seed=2)
    assert answers.tolist() == [x.label for x in telling]


def test_folds_keep_the_shares_of_the_classes():
    few = [Example(f"text {i}", "rare" if i < 4 else "common") for i in range(16)]

    class Counting(MajorityClassifier):
        def predict(self, texts):
            counts.append(np.round(self.shares.tolist(), 2).tolist())
            return super().predict(texts)

    counts = []
    out_of_fold(Counting(), few, folds=4)
    assert counts == [[0.75, 0.25]] * 4


@pytest.mark.parametrize("folds", [1, 13])
def test_folds_out_of_range_are_refused(folds):
    with pytest.raises(ValueError, match=f"from 2 to 12 .* but is {folds}"):
        out_of_fold(MajorityClassifier(), EXAMPLES, folds=folds)
