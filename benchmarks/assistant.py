"""How well and how quickly the assistant finds, beside each half of its search alone.

    OMP_NUM_THREADS=1 python benchmarks/assistant.py

It needs the index of ``python -m encoder_course index``. The threshold and the weight of the words
were chosen on the validation questions; what is printed is of the test questions.
"""

from __future__ import annotations

import time

import numpy as np

from encoder_course.tasks.assistant import PackageIndex, questions
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.metrics import measure
from encoder_course.tasks.search import rank_report

ORDER = ("found@1", "found@10", "MRR@10", "nDCG@10")


def main() -> None:
    started = time.perf_counter()
    assistant = PackageIndex(SentenceEncoder.minilm()).assistant()
    loading = time.perf_counter() - started
    hybrid = assistant.search
    meaning, words = hybrid.searches
    names = {passage.name for passage in hybrid.documents}
    asked = questions("test")
    known = [question for question in asked if question.right & names]
    print(f"{len(hybrid.documents):,} passages, loaded in {loading:.2f} s; {len(known)} questions")

    arms = {"BM25": words, "dense": meaning, "hybrid": hybrid}
    ranks = {name: [arm.rank(question) for question in known] for name, arm in arms.items()}
    for name, places in ranks.items():
        report = rank_report(places)
        cells = (str(report[metric]) for metric in ORDER)
        print(f"{name:>8}: {', '.join(cells)}")
    gains = {
        name: np.array([1 / place if place else 0.0 for place in places])
        for name, places in ranks.items()
    }
    for name in ("BM25", "dense"):
        paired = measure("difference", np.mean, gains["hybrid"] - gains[name])
        print(f"hybrid - {name}, MRR@10 by question, {paired}")

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
