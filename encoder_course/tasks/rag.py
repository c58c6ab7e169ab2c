"""Answers with their sources: find passages, take the best sentence, or say that there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from encoder_course.data.corpus import Document
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.generate import Generator, prompt
from encoder_course.tasks.metrics import Report, measure
from encoder_course.tasks.rerank import Reranker
from encoder_course.tasks.search import Question, Search

NOT_FOUND = "This is not in the documents."
DEPTH = 50  # passages that the search returns, of which the first `NAMES` names are read
NAMES = 4
PER_PLACE = 0.02  # cosine that a sentence loses for each name that the search ranked above its own

# A full stop, then a capital: the end of a sentence, unless it stands in an abbreviation.
_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!cf\.)(?<!vs\.)\s+(?=[\"'(\[`]?[A-Z0-9])")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one document that fits into a vector, with what is needed to cite it."""

    package: str
    version: str
    name: str
    section: str
    body: str

    @property
    def text(self) -> str:
        """What is searched: the name is part of it, because it says half of what an object does."""
        return f"{self.name}: {self.body}"

    def __str__(self) -> str:
        return f"{self.name} ({self.package} {self.version}, {self.section})"


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order. A line that ends without a full stop is one as well."""
    lines = (line.strip() for line in text.splitlines())
    return [sentence for line in lines if line for sentence in _END.split(line)]


def chunk(document: Document, longest: int = 80, overlap: int = 1) -> Iterator[Passage]:
    """Cut one document (a section of one object) into passages of at most `longest` words.

    Cuts fall between sentences, and each passage repeats the last `overlap` sentences of the one
    before where they fit, so that what refers back keeps its neighbour. A sentence that is longer
    by itself is cut into pieces. ValueError for a `longest` below 1 or a negative `overlap`.
    """
    if longest < 1 or overlap < 0:
        raise ValueError(f"longest is {longest} words and overlap {overlap} sentences")
    origin = (document.package, document.version, document.name, document.section)
    held: list[str] = []
    for sentence in _short(sentences(document.text), longest):
        if held and _words([*held, sentence]) > longest:
            yield Passage(*origin, " ".join(held))
            held = held[len(held) - overlap :] if overlap < len(held) else []
            while held and _words([*held, sentence]) > longest:
                held = held[1:]
        held.append(sentence)
    if held:
        yield Passage(*origin, " ".join(held))


def _short(found: list[str], longest: int) -> Iterator[str]:
    """The sentences, those of more than `longest` words in pieces."""
    for sentence in found:
        parts = sentence.split()
        if len(parts) <= longest:
            yield sentence
        else:
            starts = range(0, len(parts), longest)
            yield from (" ".join(parts[start : start + longest]) for start in starts)


def _words(held: list[str]) -> int:
    return sum(len(sentence.split()) for sentence in held)


@dataclass(frozen=True)
class Source:
    """The sentence of one object that comes nearest to the question (a cosine), and its passage."""

    sentence: str
    score: float
    passage: Passage

    def __str__(self) -> str:
        return f"{self.passage}: {self.sentence}"


@dataclass(frozen=True)
class Answer:
    """What was answered, and from where; without sources, nothing was found that is near enough.

    `score` is the cosine that was held against the threshold.
    """

    question: str
    text: str
    score: float
    sources: tuple[Source, ...] = ()

    def __str__(self) -> str:
        listed = [f"  [{i}] {source}" for i, source in enumerate(self.sources, start=1)]
        return "\n".join([self.text, *listed])


class Assistant:
    """Answers questions from the passages of a search, with citations.

    The search finds passages; of the first few objects, the sentence whose vector is nearest to
    the question's is the answer, word for word after the object's name. A `reranker` puts the
    objects into another order first. A `generator` is given the sources and writes the answer in
    its own words (Lewis et al., 2020). Where even the best sentence is further away than
    `threshold` (a cosine), the answer is that there is none; `fit` chooses the threshold.
    """

    def __init__(
        self,
        search: Search,
        encoder: SentenceEncoder,
        *,
        reranker: Reranker | None = None,
        generator: Generator | None = None,
        threshold: float | int = 0.5,
    ) -> None:
        self.search = search
        self.encoder = encoder
        self.reranker = reranker
        self.generator = generator
        self.threshold = threshold

    def ask(self, question: str) -> Answer:
        """The answer to one question. ValueError for a question without words."""
        if not question.strip():
            raise ValueError("the question is empty")
        sources = self.sources(question)
        if not sources or sources[0].score < self.threshold:
            return Answer(question, NOT_FOUND, sources[0].score if sources else -1.0)
        text = f"{sources[0].passage.name}: {sources[0].sentence}"
        if self.generator is not None:
            read = [f"{source.passage.name}: {source.passage.body}" for source in sources]
            text = self.generator(prompt(question, read))
        return Answer(question, text, sources[0].score, sources)

    def sources(self, question: str) -> tuple[Source, ...]:
        """The best sentence of each of the first objects, the best object first."""
        found = [hit.document for hit in self.search.query(question, DEPTH)]
        names = self.order(question, found)[:NAMES]
        passages = [passage for passage in found if passage.name in names]
        pieces = [(passage, line) for passage in passages for line in sentences(passage.body)]
        if not pieces:
            return ()
        cosines = self.cosines(question, [f"{passage.name}: {line}" for passage, line in pieces])
        best: dict[str, Source] = {}
        for (passage, line), score in zip(pieces, cosines.tolist(), strict=True):
            if passage.name not in best or score > best[passage.name].score:
                best[passage.name] = Source(line, score, passage)

        def worth(source: Source) -> float:
            return source.score - PER_PLACE * names.index(source.passage.name)

        return tuple(sorted(best.values(), key=worth, reverse=True))

    def order(self, question: str, found: Sequence[Passage]) -> list[str]:
        """The names of the passages, each once, the best first."""
        if self.reranker is not None and found:
            scores = self.reranker.scores(question, [passage.text for passage in found])
            found = [found[i] for i in scores.argsort(descending=True).tolist()]
        return list(dict.fromkeys(passage.name for passage in found))

    def cosines(self, question: str, texts: list[str]) -> Float[Tensor, " B"]:
        """How near each text is to the question."""
        vector, *_ = vectors = self.encoder.encode([question, *texts])
        lengths = vectors.norm(dim=-1) * vector.norm()
        return (vectors @ vector / lengths.clamp_min(1e-12))[1:]

    def fit(self, questions: Sequence[Question]) -> Assistant:
        """Choose the threshold on questions that the documents answer and others that they do not.

        Of all thresholds, the one with the largest sum of the shares of both kinds on their right
        side (Youden, 1950). ValueError unless there are both kinds.
        """
        scores = np.array([self.best_score(question.text) for question in questions])
        answerable = np.array([bool(question.right) for question in questions])
        if answerable.all() or not answerable.any():
            raise ValueError("a threshold needs questions with an answer and questions without")
        between = np.sort(scores)
        between = (between[1:] + between[:-1]) / 2
        kept = scores >= between[:, None]  # (thresholds, questions)
        gain = kept[:, answerable].mean(axis=1) - kept[:, ~answerable].mean(axis=1)
        self.threshold = float(between[gain.argmax()])
        return self

    def best_score(self, question: str) -> float:
        """The score of the best sentence, whatever the threshold."""
        return max((source.score for source in self.sources(question)[:1]), default=-1.0)

    def predict(self, questions: Sequence[str]) -> list[Answer]:
        """The answer to each question."""
        return [self.ask(question) for question in questions]

    def evaluate(
        self, questions: Sequence[Question], *, resamples: int = 1000, seed: int = 0
    ) -> Report:
        """Four shares. Of the questions that the documents answer: `answered`; the first source is
        right (`right`); one of the sources is (`cited`). Of the others: `refused`."""
        with_answer = [question for question in questions if question.right]
        without = [question for question in questions if not question.right]
        answers = self.predict([question.text for question in with_answer])
        hits = [
            [source.passage.name in question.right for source in answer.sources]
            for question, answer in zip(with_answer, answers, strict=True)
        ]
        refused = [not answer.sources for answer in self.predict([q.text for q in without])]
        columns = {
            "answered": [bool(hit) for hit in hits],
            "right": [any(hit[:1]) for hit in hits],
            "cited": [any(hit) for hit in hits],
            "refused": refused,
        }
        metrics = [
            measure(name, np.mean, np.array(column, float), resamples=resamples, seed=seed)
            for name, column in columns.items()
            if column
        ]
        return Report(metrics, len(questions))
