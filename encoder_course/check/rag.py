"""Checks of notebook 12: retrieval augmented generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from encoder_course.check.base import Exercise, Misconception
from encoder_course.check.running import call


def _windows(sentences: Sequence[str], size: int, step: int, end: int) -> list[str]:
    starts = range(0, max(end, 1), step)
    return [" ".join(sentences[start : start + size]) for start in starts]


def _chunks(sentences: Sequence[str], size: int, overlap: int) -> list[str]:
    return _windows(sentences, size, size - overlap, len(sentences) - overlap)


def _whole_only(sentences: Sequence[str], size: int, overlap: int) -> list[str]:
    return _windows(sentences, size, size - overlap, len(sentences) - size + 1)


_LETTERS = [f"Sentence {letter}." for letter in "abcdefg"]

chunks = Exercise(
    number="12.1",
    title="chunks that overlap",
    difficulty=2,
    minutes=15,
    reference=_chunks,
    cases=lambda: {
        "7 sentences in chunks of 3 that share 1": (_LETTERS, 3, 1),
        "6 sentences in chunks of 3 that share 1": (_LETTERS[:6], 3, 1),
        "7 sentences in chunks of 4 that share 2": (_LETTERS, 4, 2),
        "2 sentences in chunks of 3 that share 1": (_LETTERS[:2], 3, 1),
    },
    misconceptions=(
        Misconception(
            "no overlap",
            "neighbouring chunks share nothing: the next one starts before the last one ends",
            lambda sentences, size, overlap: _windows(sentences, size, size, len(sentences)),
        ),
        Misconception(
            "nothing new",
            "the last chunk repeats the end of the one before and adds nothing: it would be found"
            " twice",
            lambda sentences, size, overlap: _windows(
                sentences, size, size - overlap, len(sentences)
            ),
        ),
        Misconception(
            "whole chunks only",
            "the end of the document is missing where it does not fill a chunk: nobody will ever"
            " find it",
            _whole_only,
        ),
        Misconception(
            "one step each",
            "a chunk starts at every sentence: they share more than asked for, and the index grows",
            lambda sentences, size, overlap: _windows(sentences, size, 1, len(sentences) - overlap),
        ),
        Misconception(
            "longer",
            "the shared sentences come on top: the chunks are longer than `size`",
            lambda sentences, size, overlap: _windows(
                sentences, size + overlap, size, len(sentences) - overlap
            ),
        ),
    ),
    spoilers=("size - overlap", "range("),
)


def _reciprocal_rank(found: Sequence[str], right: Collection[str], k: int) -> float:
    names = list(dict.fromkeys(found))[:k]
    return next((1 / place for place, name in enumerate(names, 1) if name in right), 0.0)


def _all_right(found: Sequence[str], right: Collection[str], k: int) -> float:
    names = list(dict.fromkeys(found))[:k]
    return float(sum(1 / place for place, name in enumerate(names, 1) if name in right))


reciprocal_rank = Exercise(
    number="12.2",
    title="reciprocal rank",
    difficulty=2,
    minutes=10,
    reference=_reciprocal_rank,
    cases=lambda: {
        "found a a b c, right b or c": (list("aabc"), {"b", "c"}, 10),
        "found a b c d, right d, k = 3": (list("abcd"), {"d"}, 3),
        "found c c a b, right c": (list("ccab"), {"c"}, 10),
        "found a a a b, right b, k = 2": (list("aaab"), {"b"}, 2),
        "found b a, right z": (list("ba"), {"z"}, 10),
    },
    misconceptions=(
        Misconception(
            "passages",
            "several passages of one object take several places: for the reader they are one"
            " answer, so a name counts once",
            lambda found, right, k: next(
                (1 / (i + 1) for i, name in enumerate(found[:k]) if name in right), 0.0
            ),
        ),
        Misconception(
            "cut first",
            "you cut after `k` passages and count names then: a name that fills the list with its"
            " passages pushes the others out",
            lambda found, right, k: _reciprocal_rank(found[:k], right, k),
        ),
        Misconception(
            "all of them",
            "a question can be worth more than 1: after the first right name nobody reads on",
            _all_right,
        ),
        Misconception(
            "uncut",
            "what stands after place `k` still counts",
            lambda found, right, k: _reciprocal_rank(found, right, len(found)),
        ),
        Misconception(
            "place",
            "this is the place itself: the first one should be worth most",
            lambda found, right, k: (
                1 / _reciprocal_rank(found, right, k) if _reciprocal_rank(found, right, k) else 0.0
            ),
        ),
        Misconception(
            "found or not",
            "every right answer is worth 1, wherever it stands: that is found@k",
            lambda found, right, k: float(_reciprocal_rank(found, right, k) > 0),
        ),
    ),
    spoilers=("fromkeys", "enumerate"),
)


def _fusion(rankings: Sequence[Sequence[str]], constant: float) -> dict[str, float]:
    return _fused(rankings, lambda rank: 1 / (constant + rank))


def _fused(
    rankings: Sequence[Sequence[str]], share: Callable[[int], float], first: int = 1
) -> dict[str, float]:
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking, start=first):
            scores[name] = scores.get(name, 0.0) + share(rank)
    return scores


def _best_of(rankings: Sequence[Sequence[str]], constant: float) -> dict[str, float]:
    each = [_fusion([ranking], constant) for ranking in rankings]
    return {name: max(one.get(name, 0.0) for one in each) for one in each for name in one}


def _both_only(rankings: Sequence[Sequence[str]], constant: float) -> dict[str, float]:
    everywhere = set.intersection(*map(set, rankings))
    return {n: s for n, s in _fusion(rankings, constant).items() if n in everywhere}


def _last_place(rankings: Sequence[Sequence[str]], constant: float) -> dict[str, float]:
    scores = _fusion(rankings, constant)
    for ranking in rankings:
        for name in scores:
            if name not in ranking:
                scores[name] += 1 / (constant + len(ranking) + 1)
    return scores


fusion = Exercise(
    number="12.3",
    title="reciprocal rank fusion",
    difficulty=2,
    minutes=15,
    reference=_fusion,
    cases=lambda: {
        "two searches that share two names": ([["a", "b", "c"], ["b", "d", "a"]], 60.0),
        "three searches, constant 1": ([["a", "b"], ["a"], ["c", "a", "b"]], 1.0),
    },
    tolerance=1e-7,
    misconceptions=(
        Misconception(
            "from 0",
            "your places start at 0, and the first place is 1",
            lambda rankings, constant: _fused(rankings, lambda rank: 1 / (constant + rank), 0),
        ),
        Misconception(
            "precedence",
            "the share of a late place is hardly smaller than the first one's, even for constant 1:"
            " look at what your division divides",
            lambda rankings, constant: _fused(rankings, lambda rank: 1 / constant + rank),
        ),
        Misconception(
            "no constant",
            "the constant has no effect: without it one first place beats nearly everything",
            lambda rankings, constant: _fused(rankings, lambda rank: 1 / rank),
        ),
        Misconception(
            "sum of ranks",
            "you add up the places: then a name that only one search found, with one small place,"
            " mixes up being found rarely with being found early",
            lambda rankings, constant: _fused(rankings, float),
        ),
        Misconception(
            "best of",
            "a name that several searches agree on gets no more than one that a single search"
            " found: the shares add up",
            _best_of,
        ),
        Misconception(
            "mean",
            "you divide by the number of searches: the order is right, but the shares were to be"
            " added",
            lambda rankings, constant: {
                name: score / len(rankings) for name, score in _fusion(rankings, constant).items()
            },
        ),
        Misconception(
            "in all",
            "names that only some searches found are gone: what one search misses is why we use"
            " two",
            _both_only,
        ),
        Misconception(
            "last place",
            "a search that did not find a name gives it a share all the same: not found is 0",
            _last_place,
        ),
    ),
    spoilers=("1 / (", "setdefault", "enumerate"),
)


agreement = Exercise(
    number="12.4",
    title="how far down agreement still wins",
    difficulty=2,
    minutes=5,
    reference=61,
    misconceptions=(
        Misconception(
            "a tie",
            "at that place both have exactly the same score: one place earlier, and B wins",
            62,
        ),
        Misconception(
            "no constant",
            "that would be so without the 60: with it, late places lose little",
            1,
        ),
        Misconception(
            "doubled",
            "twice 61 is where a sum stands, and not a place: two shares of B, each of the form"
            " 1 / (60 + r), are held against one share of A",
            122,
        ),
        Misconception(
            "the constant",
            "close: you compared places with the constant, but A's own place counts too",
            60,
        ),
        Misconception(
            "first wins",
            "two shares of place 2 are far more than one share of place 1",
            0,
        ),
    ),
)


def _thresholds(scores: Sequence[float]) -> list[float]:
    ordered = sorted(scores)
    return [(a + b) / 2 for a, b in zip(ordered, ordered[1:], strict=False)]


def _gain(threshold: float, scores: Sequence[float], answerable: Sequence[bool]) -> float:
    kinds: dict[bool, list[bool]] = {True: [], False: []}
    for score, known in zip(scores, answerable, strict=True):
        kinds[known].append(score >= threshold)
    return sum(kinds[True]) / len(kinds[True]) - sum(kinds[False]) / len(kinds[False])


def _threshold(scores: Sequence[float], answerable: Sequence[bool]) -> float:
    return max(_thresholds(scores), key=lambda t: _gain(t, scores, answerable))


def _most_right(scores: Sequence[float], answerable: Sequence[bool]) -> float:
    def right(threshold: float) -> int:
        return sum((s >= threshold) == a for s, a in zip(scores, answerable, strict=True))

    return max(_thresholds(scores), key=right)


def _between_means(scores: Sequence[float], answerable: Sequence[bool]) -> float:
    groups = [[s for s, a in zip(scores, answerable, strict=True) if a == k] for k in (True, False)]
    return sum(sum(group) / len(group) for group in groups) / 2


def _of(scores: Sequence[float], answerable: Sequence[bool], kind: bool) -> list[float]:
    return [s for s, a in zip(scores, answerable, strict=True) if a == kind]


_VALIDATIONS = {
    "9 questions, 2 of them not in the documents": (
        [0.30, 0.42, 0.45, 0.66, 0.70, 0.74, 0.81, 0.40, 0.55],
        [True] * 7 + [False] * 2,
    ),
    "8 questions, 5 of them not in the documents": (
        [0.50, 0.72, 0.78, 0.10, 0.15, 0.35, 0.45, 0.75],
        [True] * 3 + [False] * 5,
    ),
}


def _answered(answer: Callable) -> dict[str, Any]:
    seen = {}
    for name, (scores, answerable) in _VALIDATIONS.items():
        threshold = float(call(answer, scores, answerable))
        seen[name] = [score >= threshold for score in scores]
    return seen


threshold = Exercise(
    number="12.5",
    title="when to say that it is not there",
    difficulty=3,
    minutes=20,
    reference=_threshold,
    observe=_answered,
    misconceptions=(
        Misconception(
            "most right",
            "you count right decisions: where most questions have an answer, saying yes to nearly"
            " everything wins. Give both kinds the same weight, however many there are of each",
            _most_right,
        ),
        Misconception(
            "never wrong",
            "no unanswerable question gets through, and that is all you look at: see how many good"
            " answers it costs",
            lambda scores, answerable: max(_of(scores, answerable, False)) + 1e-6,
        ),
        Misconception(
            "never silent",
            "no answerable question is refused, and that is all you look at: see what gets through",
            lambda scores, answerable: min(_of(scores, answerable, True)),
        ),
        Misconception(
            "between the means",
            "half way between the two means: a few scores far out move it, though no decision"
            " depends on how far out they are",
            _between_means,
        ),
        Misconception(
            "the wrong way round",
            "this is the worst threshold of all: you take the smallest gain",
            lambda scores, answerable: min(
                _thresholds(scores), key=lambda t: _gain(t, scores, answerable)
            ),
        ),
        Misconception(
            "a half",
            "0.5 was not chosen on these questions: cosines of another encoder lie elsewhere",
            lambda scores, answerable: 0.5,
        ),
    ),
    spoilers=("max(", "mean(", "argmax"),
)


Claims = Sequence[tuple[str, int]]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _share(supported: Sequence[bool]) -> float:
    return sum(supported) / len(supported)


def _faithfulness(claims: Claims, sources: Sequence[str]) -> float:
    return _share(
        [
            1 <= number <= len(sources) and _plain(text) in _plain(sources[number - 1])
            for text, number in claims
        ]
    )


def _same_words(claims: Claims, sources: Sequence[str]) -> float:
    return _share(
        [
            1 <= n <= len(sources) and set(text.split()) <= set(sources[n - 1].split())
            for text, n in claims
        ]
    )


_SOURCES = [
    "Sort the list in place.\nThe sort is stable.",
    "Return a new list. It is sorted in ascending order, and the list stays as it was.",
    "Delete the last file. Do not delete the first file.",
]

faithfulness = Exercise(
    number="12.6",
    title="is it literally there?",
    difficulty=2,
    minutes=15,
    reference=_faithfulness,
    cases=lambda: {
        "a sentence over a line break, and one from another source": (
            [("Sort the list in place. The sort is stable.", 1), ("Return a new list.", 3)],
            _SOURCES,
        ),
        "the same words in another order": (
            [("Delete the first file. Do not delete the last file.", 3), ("Return a new list.", 2)],
            _SOURCES,
        ),
        "two sentences that are there": (
            [("Return a new list.", 2), ("Delete the last file.", 3)],
            _SOURCES,
        ),
        "sources that do not exist": (
            [("Return a new list.", 2), ("Delete the last file.", 4), ("Delete the last file.", 0)],
            _SOURCES,
        ),
        "a sentence that says more than its source": (
            [("Sort the list in place. The sort is stable. It is fast.", 1)],
            _SOURCES,
        ),
    },
    misconceptions=(
        Misconception(
            "any source",
            "the sentence stands in some source, but not in the one it cites: a reader who follows"
            " the citation does not find it",
            lambda claims, sources: _share(
                [any(_plain(text) in _plain(source) for source in sources) for text, _ in claims]
            ),
        ),
        Misconception(
            "the last one",
            "there is no source 0, but Python counts a negative place from the end",
            lambda claims, sources: _share(
                [n <= len(sources) and _plain(t) in _plain(sources[n - 1]) for t, n in claims]
            ),
        ),
        Misconception(
            "line breaks",
            "a line break in the source is a space in the answer: compare words, not how the lines"
            " were broken",
            lambda claims, sources: _share(
                [1 <= n <= len(sources) and text in sources[n - 1] for text, n in claims]
            ),
        ),
        Misconception(
            "the same words",
            "all the words are there, but in another order they say something else",
            _same_words,
        ),
        Misconception(
            "from 0",
            "sources are numbered from 1, as the reader sees them",
            lambda claims, sources: _share(
                [0 <= n < len(sources) and _plain(text) in _plain(sources[n]) for text, n in claims]
            ),
        ),
        Misconception(
            "all or nothing",
            "one sentence without support makes the whole answer 0: the share of them is asked",
            lambda claims, sources: float(_faithfulness(claims, sources) == 1),
        ),
        Misconception(
            "a count",
            "this is how many sentences are supported: the share is asked",
            lambda claims, sources: _faithfulness(claims, sources) * len(claims),
        ),
    ),
    spoilers=("split()", "sum("),
)
