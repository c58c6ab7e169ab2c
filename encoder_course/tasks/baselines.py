"""Classifiers that know no encoder: what the others have to beat to be worth their price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from encoder_course.tasks.classifier import Classifier
from encoder_course.tasks.classify import logistic_regression

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer


class MajorityClassifier(Classifier):
    """Answers with the most frequent class, whatever the text: the score that costs nothing."""

    def learn(self, examples, validation, plan, seed, progress) -> None:
        targets = self.targets(examples)
        self.shares = targets.bincount(minlength=len(self.classes)) / len(targets)

    def logits(self, texts: Sequence[str]) -> Float[Tensor, "B C"]:
        return self.shares.log().expand(len(texts), -1)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {"shares": self.shares}, {}

    def restore(self, tensors: dict[str, Tensor], learnt: dict[str, Any]) -> None:
        self.shares = tensors["shares"]


class WordClassifier(Classifier):
    """TF-IDF of words and word pairs, and a logistic regression: what words alone give away.

    With `letters`, the counted units are the two to five letters in a row of each word, so that
    forms of a word, and its misspellings, have most of them in common. `strength` is the inverse of
    the regression's penalty (scikit-learn's C). Salton and Buckley, 1988.
    """

    def __init__(
        self, *, letters: bool = False, strength: float | int = 1.0, label: str = "label"
    ) -> None:
        super().__init__(label, letters=letters, strength=strength)

    def learn(self, examples, validation, plan, seed, progress) -> None:
        self.words = tfidf(letters=self.settings["letters"])
        rows = self.words.fit_transform([example.text for example in examples])
        targets = self.targets(examples).numpy()
        self.head = logistic_regression(rows, targets, self.settings["strength"])

    def logits(self, texts: Sequence[str]) -> Float[Tensor, "B C"]:
        rows = self.words.transform(texts)  # sparse: a text has few of the words
        return (
            torch.from_numpy(rows @ self.head.weight.detach().numpy().T) + self.head.bias.detach()
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        words = self.words.get_feature_names_out().tolist()
        rarity = torch.from_numpy(self.words.idf_)
        return {**self.head.state_dict(), "rarity": rarity}, {"words": words}

    def restore(self, tensors: dict[str, Tensor], learnt: dict[str, Any]) -> None:
        self.words = tfidf(learnt["words"], self.settings["letters"])
        self.words.idf_ = tensors.pop("rarity").numpy()
        self.head = nn.Linear(len(learnt["words"]), len(self.classes)).double()
        self.head.load_state_dict(tensors)


def tfidf(words: list[str] | None = None, letters: bool = False) -> TfidfVectorizer:
    """Counts of words and pairs, damped by a logarithm; rare ones weigh more, rows get length 1.

    With `letters`, of the runs of two to five letters within a word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    units = dict(analyzer="char_wb", ngram_range=(2, 5)) if letters else dict(ngram_range=(1, 2))
    return TfidfVectorizer(**units, sublinear_tf=True, vocabulary=words)
