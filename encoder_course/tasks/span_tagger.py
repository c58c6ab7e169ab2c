"""Which stretches of a text name something: what all taggers can do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from encoder_course.tasks.entities import Mistake, entity_metrics, mistakes
from encoder_course.tasks.metrics import Report
from encoder_course.tasks.storage import Stored
from encoder_course.tasks.training import History, Plan, plan_of
from encoder_course.text.bio import Span, to_spans, word_places


class SpanTagger(Stored):
    """What all taggers can do. Examples are records with a `.text` and its `.spans`.

    Spans are `Span` (start, end, label), counted in characters; they must lie on whole words and
    not overlap. `classes` are the labels.
    """

    epochs = 1  # at most, where `fit` is not told
    history: History | None = None  # where training goes step by step

    def fit(
        self,
        examples: Sequence[Any],
        *,
        validation: Sequence[Any] | None = None,
        epochs: int | None = None,
        seed: int = 0,
        patience: int = 2,
        progress: bool = True,
    ) -> SpanTagger:
        """Learn from the examples, anew each time. ValueError where they hold no span at all.

        Training stops when the loss on `validation` has not fallen for `patience` epochs.
        """
        self.classes = sorted({span.label for example in examples for span in example.spans})
        if not self.classes:
            raise ValueError(f"none of the {len(examples)} examples has a span to learn from")
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
        """Fit what `tags` uses; `classes` is set."""

    @abstractmethod
    def tags(self, texts: Sequence[str]) -> list[list[str]]:
        """A BIO tag for each word (see `bio.word_places`) of each text."""

    def predict(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """The spans of each text, in order. ValueError before `fit`."""
        self.require_fit()
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts, but got one str")
        if not len(texts):
            return []
        pairs = zip(texts, self.tags(texts), strict=True)
        return [to_spans(word_places(text), tags) for text, tags in pairs]

    def evaluate(self, examples: Sequence[Any], *, resamples: int = 1000, seed: int = 0) -> Report:
        """Precision, recall and F1 of whole spans, then the F1 of each label, with intervals."""
        predicted = self.predict([example.text for example in examples])
        true = [example.spans for example in examples]
        labels = sorted({*self.classes, *(span.label for spans in true for span in spans)})
        metrics = entity_metrics(true, predicted, labels, resamples=resamples, seed=seed)
        return Report(metrics, len(examples), type(self).__name__)

    def mistakes(self, examples: Sequence[Any]) -> list[Mistake]:
        """Every span that is not found as it is, text by text."""
        predicted = self.predict([example.text for example in examples])
        pairs = zip(examples, predicted, strict=True)
        return [error for x, spans in pairs for error in mistakes(x.text, x.spans, spans)]
