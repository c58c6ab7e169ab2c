"""How well and how quickly the assistant finds, beside each half of its search alone.

    OMP_NUM_THREADS=1 python benchmarks/assistant.py

It needs the index of ``python -m encoder_course index``. The threshold and the weights of the words
and of the second reading were chosen on the validation questions.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from encoder_course.tasks.assistant import PackageIndex, questions, read_again
from encoder_course.tasks.bm25 import shared_words
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.metrics import measure
from encoder_course.tasks.rag import Passage
from encoder_course.tasks.reranked import RerankedSearch
from encoder_course.tasks.search import Question, Search, rank_report

FIRST_HAND = 40  # questions of the test; the others were written later, by somebody else
ORDER = ("found@1", "found@10", "MRR@10", "nDCG@10")


def reciprocal(search: Search, asked: Sequence[Question], name: str) -> Float[np.ndarray, " B"]:
    """1 / place of the first right name for each question; prints the report of all."""
    places = np.array([search.rank(question) for question in asked])
    report = rank_report(places)
    print(f"{name:>18}: {', '.join(str(report[metric]) for metric in ORDER)}")
    return np.divide(1, places, out=np.zeros(len(places)), where=places > 0)


def names_as_questions(passages: Sequence[Passage], count: int = 100) -> list[Question]:
    """The last part of a name, as in the source code, and the names that end in it."""
    ending: dict[str, set[str]] = defaultdict(set)
    for passage in passages:
        ending[passage.name.rpartition(".")[2]].add(passage.name)
    drawn = random.Random(0).sample(sorted(ending), count)
    return [Question(name, frozenset(ending[name])) for name in drawn]


def main() -> None:
    started = time.perf_counter()
    index = PackageIndex(SentenceEncoder.minilm())
    assistant = index.assistant()
    loading = time.perf_counter() - started
    again = assistant.search
    hybrid = again.search
    meaning, words = hybrid.searches
    names = {passage.name for passage in hybrid.documents}
    asked = questions("test")
    known = [question for question in asked if question.right & names]
    print(f"{len(hybrid.documents):,} passages, loaded in {loading:.2f} s; {len(known)} questions")

    arms = {"BM25": words, "dense": meaning, "hybrid": hybrid}
    arms |= {"dense, read twice": read_again(meaning, index.encoder), "hybrid, read twice": again}
    print("validation questions, by which the settings were chosen")
    others = [question for question in questions("validation") if question.right & names]
    for name, arm in arms.items():
        reciprocal(arm, others, name)
    for weight in (0.3, 1, 3, 10):
        tried = RerankedSearch(hybrid, again.scorer, again.depth, weight)
        reciprocal(tried, others, f"weight {weight}")
    print("test questions")
    gains = {name: reciprocal(arm, known, name) for name, arm in arms.items()}
    for best in ("hybrid", "dense, read twice", "hybrid, read twice"):
        for name in ("BM25", "dense"):
            paired = measure("difference", np.mean, gains[best] - gains[name])
            print(f"{best} - {name}, MRR@10 by question, {paired}")

    print("MRR@10 of the questions of the first hand, and of those of the second")
    for part in (slice(FIRST_HAND), slice(FIRST_HAND, None)):
        print("  " + ", ".join(f"{name} {gain[part].mean():.3f}" for name, gain in gains.items()))

    print("MRR@10 by the share of a question's words that a right passage has")
    right = [[p.text for p in hybrid.documents if p.name in question.right] for question in known]
    asked_of = zip(known, right, strict=True)
    shares = np.array([shared_words(question.text, texts) for question, texts in asked_of])
    for low, high in pairwise((0, 1 / 3, 2 / 3, 1.01)):
        part = (low <= shares) & (shares < high)
        cells = (f"{name} {gain[part].mean():.3f}" for name, gain in gains.items())
        print(f"  from {low:.2f}: {part.sum()} questions, {', '.join(cells)}")

    print("a bare name as the question")
    typed = names_as_questions(hybrid.documents)
    for name, arm in arms.items():
        reciprocal(arm, typed, name)

    kept = [question for question in asked if not question.right or question.right & names]
    print(assistant.evaluate(kept))
    seconds = []
    for question in kept:
        begun = time.perf_counter()
        assistant.ask(question.text)
        seconds.append(time.perf_counter() - begun)
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.95])
    print(f"one answer: median {middle:.3f} s (quartile {low:.3f}, 95 % below {high:.3f})")


if __name__ == "__main__":
    main()
