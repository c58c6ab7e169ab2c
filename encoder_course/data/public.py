"""Public benchmarks as the same records as our written sets, through the `datasets` package.

Nothing here runs unless it is asked for: the first call downloads, later ones read the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from encoder_course.data.written import Clause, Message, Review
from encoder_course.text.bio import Span, to_spans


@dataclass(frozen=True)
class Question:
    """A question about a text, and the places of its answer there (none: it has no answer)."""

    question: str
    context: str
    answers: tuple[tuple[int, int], ...]  # characters of `context`, start and end


@dataclass(frozen=True)
class Benchmark:
    """Where a benchmark lies on the hub, and how one of its rows becomes a record."""

    path: str
    revision: str | None
    read: Callable[[dict[str, Any], dict[str, Any]], Any]  # (row, features) -> record


def load(name: str, split: str = "train") -> tuple[Any, ...]:
    """A split of "sst2", "banking77", "conll2003", "squad" or "squad_v2".

    Records: `Review` (the domain is "film"), `Message` (label and intent are the same), `Clause`
    (of no kind; words are joined by spaces), `Question`. Splits are named as on the hub: "train",
    "validation" (but for banking77), "test" (the one of sst2 has no labels and is refused).

    ValueError for an unknown benchmark or split, ImportError where `datasets` is not installed,
    and ConnectionError where the benchmark is neither in its cache nor to be reached.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"there is no benchmark {name!r}, only {', '.join(BENCHMARKS)}")
    if (name, split) == ("sst2", "test"):
        raise ValueError("the test split of sst2 has no labels; use its validation split")
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            f"{name} comes through the datasets package: pip install datasets"
        ) from error
    benchmark = BENCHMARKS[name]
    try:
        rows = datasets.load_dataset(benchmark.path, revision=benchmark.revision, split=split)
    except (OSError, RuntimeError) as error:  # the hub's errors are kinds of these
        raise ConnectionError(
            f"{name} is not in the cache of datasets and {benchmark.path} did not come from the"
            f" hub ({type(error).__name__}); offline, use encoder_course.data.written"
        ) from error
    return tuple(benchmark.read(row, rows.features) for row in rows)


def _review(row: dict[str, Any], features: dict[str, Any]) -> Review:
    label = features["label"].names[row["label"]]
    return Review(row["sentence"].strip(), label, domain="film", hard=None)


def _message(row: dict[str, Any], features: dict[str, Any]) -> Message:
    label = features["label"].names[row["label"]]
    return Message(row["text"].strip(), label, intent=label, other=None)


def _clause(row: dict[str, Any], features: dict[str, Any]) -> Clause:
    names = features["ner_tags"].feature.names
    text, spans = joined(row["tokens"], [names[tag] for tag in row["ner_tags"]])
    return Clause(text, None, spans)


def joined(words: Sequence[str], tags: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """Words and their BIO tags as one text, words joined by spaces, and its spans."""
    starts = accumulate((len(word) + 1 for word in words), initial=0)
    places = [(start, start + len(word)) for start, word in zip(starts, words, strict=False)]
    return " ".join(words), to_spans(places, tags)


def _question(row: dict[str, Any], features: dict[str, Any]) -> Question:
    answers = zip(row["answers"]["answer_start"], row["answers"]["text"], strict=True)
    places = tuple(dict.fromkeys((start, start + len(text)) for start, text in answers))
    return Question(row["question"].strip(), row["context"], places)


BENCHMARKS = {
    "sst2": Benchmark("stanfordnlp/sst2", None, _review),
    "banking77": Benchmark("legacy-datasets/banking77", None, _message),
    # The main branch holds a script, which datasets 4 no longer runs; this one holds the tables.
    "conll2003": Benchmark("eriktks/conll2003", "refs/convert/parquet", _clause),
    "squad": Benchmark("rajpurkar/squad", None, _question),
    "squad_v2": Benchmark("rajpurkar/squad_v2", None, _question),
}
