"""Checks of lab 12: a search that you can trust."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from math import log2

from encoder_course.check.base import Exercise, Misconception

_SHOWN = 0  # the seed of the cases that a student may see


# ---- lab12.1: chunks as places in the text


def _places(text: str, size: int, step: int, end: Callable[[int], int]) -> list[tuple[int, int]]:
    """From the first letter of a word to the end of the word `size` - 1 further on."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    starts = range(0, max(end(len(words)), 1), step)
    return [(words[i][0], words[min(i + size, len(words)) - 1][1]) for i in starts]


def _chunks(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    return _places(text, size, size - overlap, lambda count: count - overlap)


def _in_joined(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    return _chunks(" ".join(text.split()), size, overlap)


def _first_found(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    found = []
    for start, end in _chunks(text, size, overlap):
        held = text[start:end].split()
        found.append((text.index(held[0]), text.index(held[-1]) + len(held[-1])))
    return found


def _word_numbers(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    count = len(text.split())
    starts = range(0, max(count - overlap, 1), size - overlap)
    return [(i, min(i + size, count)) for i in starts]


def _with_white_space(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    ends = [next((s for s in starts if s >= e), len(text)) for _, e in _chunks(text, size, overlap)]
    return [(s, e) for (s, _), e in zip(_chunks(text, size, overlap), ends, strict=True)]


def _chunk_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = random.Random(seed)
    words = [
        "".join(draw.choices("abcdefg", k=draw.randint(1, 6))) + draw.choice(["", ".", ","])
        for _ in range(11)
    ]
    words[6], words[9] = words[1], words[2]  # words may come twice
    text = "".join(word + draw.choice([" ", "  ", "\n", "\n\n"]) for word in words)
    return {
        "11 words in chunks of 4 that share 1": (text, 4, 1),
        "11 words in chunks of 5 that share 2, line breaks": (text, 5, 2),
        "11 words in chunks of 3 that share none": (text, 3, 0),
        "2 words in chunks of 4 that share 2": ("one two", 4, 2),
    }


chunks = Exercise(
    number="lab12.1",
    title="chunks that know their place",
    difficulty=3,
    minutes=12,
    reference=_chunks,
    cases=_chunk_cases,
    hidden=_chunk_cases,
    misconceptions=(
        Misconception(
            "no overlap",
            "neighbours share nothing: the next chunk starts before the last one ends",
            lambda text, size, overlap: _places(text, size, size, lambda count: count),
        ),
        Misconception(
            "nothing new",
            "the last chunk lies inside the one before it: the same words would be found twice",
            lambda text, size, overlap: _places(text, size, size - overlap, lambda count: count),
        ),
        Misconception(
            "end lost",
            "the end of the text is in no chunk, where it does not fill a whole one",
            lambda text, size, overlap: _places(
                text, size, size - overlap, lambda count: count - size + 1
            ),
        ),
        Misconception(
            "joined",
            "your places are right in a text whose words are one space apart, and this one has line"
            " breaks and double spaces: find the words where they stand",
            _in_joined,
        ),
        Misconception(
            "one letter short",
            "the last letter of each chunk is missing: an end is the first place *after* the word",
            lambda text, size, overlap: [(s, e - 1) for s, e in _chunks(text, size, overlap)],
        ),
        Misconception(
            "first found",
            "a word that comes twice was found in its first place both times: your search for a"
            " word always begins at the start of the text",
            _first_found,
        ),
        Misconception(
            "numbers of words",
            "these are numbers of words, and `text[start:end]` needs places of letters",
            _word_numbers,
        ),
        Misconception(
            "white space at the end",
            "your chunks end where the next word begins: the white space after a chunk's last word"
            " is not a part of it",
            _with_white_space,
        ),
        Misconception(
            "letters",
            "you count letters, and words are cut in two: `size` and `overlap` are words",
            lambda text, size, overlap: [
                (start, min(start + size, len(text)))
                for start in range(0, max(len(text) - overlap, 1), size - overlap)
            ],
        ),
    ),
    spoilers=("finditer", "size - overlap"),
)


# ---- lab12.2: which splits leak


leaks = Exercise(
    number="lab12.2",
    title="which splits leak",
    difficulty=2,
    minutes=8,
    reference={"a", "c", "e"},
    misconceptions=(
        Misconception(
            "neighbours only",
            "`c`: without a shared sentence, two chunks of one page still tell of one matter in the"
            " same words",
            {"a", "e"},
        ),
        Misconception(
            "twins forgotten",
            "`e`: two pages with the same text are one page for a model, whatever they are called",
            {"a", "c"},
        ),
        Misconception(
            "overlap only",
            "`c` and `e`: shared sentences are not the only way to have seen a test text before",
            {"a"},
        ),
        Misconception(
            "whole pages leak",
            "`b`: no part of a test page is in training there",
            {"a", "b", "c", "e"},
        ),
        Misconception(
            "hashes leak",
            "`d`: a hash of the page's name puts all chunks of the page on one side",
            {"a", "c", "d", "e"},
        ),
        Misconception(
            "overlap wherever",
            "that chunks share a sentence does not decide it: ask on which side of the split the"
            " chunks of one page stand",
            {"a", "d"},
        ),
        Misconception(
            "overlap wherever, and twins",
            "you look at what chunks share: look at which side of the split the chunks of one page"
            " stand on",
            {"a", "d", "e"},
        ),
        Misconception(
            "everything leaks",
            "not every split leaks: ask of each where the rest of a test text's page is",
            {"a", "b", "c", "d", "e"},
        ),
        Misconception(
            "nothing leaks",
            "some do: ask of each where the rest of a test text's page is",
            set(),
        ),
        Misconception(
            "upside down",
            "these are those that do not leak",
            {"b", "d"},
        ),
    ),
)


# ---- lab12.3: weighted fusion

Rankings = Sequence[Sequence[str]]


def _shares(
    rankings: Rankings, weights: Sequence[float], share: Callable[[float, int], float]
) -> list[str]:
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for place, name in enumerate(ranking, start=1):
            scores[name] = scores.get(name, 0.0) + share(weight, place)
    return sorted(scores, key=lambda name: (-scores[name], name))


def _fused(rankings: Rankings, weights: Sequence[float], constant: float) -> list[str]:
    return _shares(rankings, weights, lambda weight, place: weight / (constant + place))


def _in_all(rankings: Rankings, weights: Sequence[float], constant: float) -> list[str]:
    everywhere = set.intersection(*map(set, rankings))
    return [name for name in _fused(rankings, weights, constant) if name in everywhere]


def _as_they_came(rankings: Rankings, weights: Sequence[float], constant: float) -> list[str]:
    came = list(dict.fromkeys(name for ranking in rankings for name in ranking))
    renamed = [[f"{came.index(name):03}" for name in ranking] for ranking in rankings]
    return [came[int(number)] for number in _fused(renamed, weights, constant)]


def _last_where_missing(rankings: Rankings, weights: Sequence[float], constant: float) -> list[str]:
    def total(name: str) -> float:
        places = [r.index(name) + 1 if name in r else len(r) + 1 for r in rankings]
        return sum(w / (constant + place) for w, place in zip(weights, places, strict=True))

    names = sorted({name for ranking in rankings for name in ranking})
    return sorted(names, key=total, reverse=True)


def _fusion_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = random.Random(seed)
    names = [f"{letter}{seed % 7}" for letter in "abcdefgh"]
    long = [draw.sample(names, 7) for _ in range(3)]
    one, two, three, four, *_ = names
    return {
        "two searches, the second counts little": (
            [[one, two, three], [three, four, two, one]],
            [1.0, 0.3],
            60.0,
        ),
        "two searches that disagree, constant 1": (
            [[one, two, three, four], [four, three, two]],
            [1.0, 0.9],
            1.0,
        ),
        "three searches, constant 2": (long, [1.0, 0.5, 2.0], 2.0),
        "two searches that exchange two names": (
            [[three, one], [one, three, two]],
            [1.0, 1.0],
            60.0,
        ),
        "a search with weight 0": ([[one, two], [two, three, one]], [0.0, 1.0], 60.0),
    }


fusion = Exercise(
    number="lab12.3",
    title="fusion with weights",
    difficulty=2,
    minutes=12,
    reference=_fused,
    cases=_fusion_cases,
    hidden=_fusion_cases,
    misconceptions=(
        Misconception(
            "no weights",
            "the weights change nothing: the weaker search has as much say as the better one",
            lambda rankings, weights, constant: _fused(rankings, [1.0] * len(weights), constant),
        ),
        Misconception(
            "weight below",
            "the more weight a search has, the less it counts: where does the weight stand in your"
            " fraction?",
            lambda rankings, weights, constant: _shares(
                rankings, weights, lambda w, place: 1 / (max(w, 1e-9) * (constant + place))
            ),
        ),
        Misconception(
            "places from 0",
            "the first of each list stands in place 0: places start at 1",
            lambda rankings, weights, constant: _fused(rankings, weights, constant - 1),
        ),
        Misconception(
            "last where missing",
            "a name gets a share from a search that did not find it, as if it stood behind the last"
            " one",
            _last_where_missing,
        ),
        Misconception(
            "as they came",
            "names with equal sums stand in the order in which they came, and not in that of the"
            " alphabet",
            _as_they_came,
        ),
        Misconception(
            "worst first",
            "the worst name comes first",
            lambda rankings, weights, constant: _fused(rankings, weights, constant)[::-1],
        ),
        Misconception(
            "in all",
            "names that only one search found are gone: what one search misses is why we use two",
            _in_all,
        ),
        Misconception(
            "one after the other",
            "you append what the later searches found to the first list: agreement counts for"
            " nothing",
            lambda rankings, weights, constant: list(
                dict.fromkeys(name for ranking in rankings for name in ranking)
            ),
        ),
    ),
    spoilers=("/ (constant", "sorted("),
)


# ---- lab12.4: recall, reciprocal rank, nDCG


def _measures(found: Sequence[str], right: Collection[str], k: int) -> dict[str, float]:
    places = [place for place, name in enumerate(found[:k], start=1) if name in right]
    best = sum(1 / log2(place + 1) for place in range(1, min(len(right), k) + 1))
    return {
        "recall": len(places) / len(right),
        "rr": 1 / places[0] if places else 0.0,
        "ndcg": sum(1 / log2(place + 1) for place in places) / best,
    }


def _with(**other: Callable) -> Callable:
    """The right measures, of which some are computed in another way."""

    def measures(found, right, k):
        return _measures(found, right, k) | {
            name: compute(found, right, k) for name, compute in other.items()
        }

    return measures


def _gain(found: Sequence[str], right: Collection[str], k: int) -> float:
    return sum((1 / log2(i + 2) for i, name in enumerate(found[:k]) if name in right), 0.0)


def _first_gain(found: Sequence[str], right: Collection[str], k: int) -> float:
    return next((1 / log2(i + 2) for i, name in enumerate(found[:k]) if name in right), 0.0)


def _measure_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = random.Random(seed)
    names = [f"{letter}{draw.randint(10, 99)}" for letter in "abcdefgh"]
    return {
        "right in places 2 and 5 of 8, k = 5": (names, {names[1], names[4]}, 5),
        "three right ones, one of them too far down, k = 4": (
            names,
            {names[0], names[3], names[6]},
            4,
        ),
        "more right ones than places, k = 2": (names, {names[1], names[2], names[5]}, 2),
        "a right one that was not found at all": (names, {names[2], "elsewhere"}, 5),
        "nothing right, k = 3": (names, {names[6]}, 3),
        "2 names found, k = 5": (names[:2], {names[1], names[5], names[6]}, 5),
    }


measures = Exercise(
    number="lab12.4",
    title="three measures of a search",
    difficulty=3,
    minutes=15,
    reference=_measures,
    cases=_measure_cases,
    hidden=_measure_cases,
    misconceptions=(
        Misconception(
            "precision",
            "`recall`: you divide by `k`. That is precision: how much of what was shown is right",
            _with(recall=lambda found, right, k: sum(n in right for n in found[:k]) / k),
        ),
        Misconception(
            "found or not",
            "`recall`: with several right answers, one that was found is only a part of them",
            _with(recall=lambda found, right, k: float(any(n in right for n in found[:k]))),
        ),
        Misconception(
            "uncut recall",
            "`recall`: what stands after place `k` still counts",
            _with(recall=lambda found, right, k: sum(n in right for n in found) / len(right)),
        ),
        Misconception(
            "all ranks",
            "`rr`: only the first right answer counts, nobody reads on for the others",
            _with(
                rr=lambda found, right, k: float(
                    sum(1 / (i + 1) for i, name in enumerate(found[:k]) if name in right)
                )
            ),
        ),
        Misconception(
            "uncut rank",
            "`rr`: behind place `k` a right answer is worth nothing",
            _with(
                rr=lambda found, right, k: next(
                    (1 / (i + 1) for i, name in enumerate(found) if name in right), 0.0
                )
            ),
        ),
        Misconception(
            "not normalised",
            "`ndcg`: that is the gain alone. Divide by the gain of the best order that is possible",
            _with(ndcg=_gain),
        ),
        Misconception(
            "first only",
            "`ndcg`: all right answers give a gain here, not the first one alone",
            _with(
                ndcg=lambda found, right, k: (
                    _first_gain(found, right, k)
                    / sum(1 / log2(i + 2) for i in range(min(len(right), k)))
                )
            ),
        ),
        Misconception(
            "ideal too long",
            "`ndcg`: where there are more right answers than places, even the best order shows only"
            " `k` of them",
            _with(
                ndcg=lambda found, right, k: (
                    _gain(found, right, k) / sum(1 / log2(i + 2) for i in range(len(right)))
                )
            ),
        ),
        Misconception(
            "k places full",
            "`ndcg`: the best order is not right in all `k` places where there are fewer right"
            " answers",
            _with(
                ndcg=lambda found, right, k: (
                    _gain(found, right, k) / sum(1 / log2(i + 2) for i in range(k))
                )
            ),
        ),
        Misconception(
            "one place further down",
            "`ndcg`: a right answer in the first place gives 1, and yours gives less: from which"
            " number do you count?",
            _with(
                ndcg=lambda found, right, k: (
                    sum((1 / log2(i + 3) for i, n in enumerate(found[:k]) if n in right), 0.0)
                    / sum(1 / log2(i + 3) for i in range(min(len(right), k)))
                )
            ),
        ),
        Misconception(
            "mean of ranks",
            "`rr`: that is a mean over all right answers: only the first one counts",
            _with(
                rr=lambda found, right, k: float(
                    sum(1 / (i + 1) for i, name in enumerate(found[:k]) if name in right)
                    / max(sum(name in right for name in found[:k]), 1)
                )
            ),
        ),
        Misconception(
            "ideal of the found",
            "`ndcg`: the best order holds all right answers, those too that your search missed",
            _with(
                ndcg=lambda found, right, k: (
                    _gain(found, right, k)
                    / max(
                        sum(1 / log2(i + 2) for i in range(sum(n in right for n in found[:k]))),
                        1e-9,
                    )
                )
            ),
        ),
    ),
    spoilers=("log2(", "min(len"),
)


# ---- lab12.5: which documents must be encoded again

Held = Mapping[str, tuple[str, str]]


def _plan(stored: Held, now: Held) -> dict[str, list[str]]:
    return {
        "encode": sorted(name for name in now if stored.get(name) != now[name]),
        "delete": sorted(name for name in stored if name not in now),
    }


def _only(stored: Held, now: Held, same: Callable[[tuple, tuple], bool]) -> dict[str, list[str]]:
    changed = [n for n in now if n not in stored or not same(stored[n], now[n])]
    return _plan(stored, now) | {"encode": sorted(changed)}


def _plan_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    draw = random.Random(seed)
    names = draw.sample([f"page{i}" for i in range(40)], 6)
    stored = {name: (f"text of {name}", "encoder 1") for name in names[:5]}
    changed = dict(stored)
    changed[names[1]] = (f"new text of {names[1]}", "encoder 1")
    changed[names[5]] = (f"text of {names[5]}", "encoder 1")
    del changed[names[3]]
    mixed = dict(changed)
    mixed[names[0]] = (stored[names[0]][0], "encoder 2")
    renamed = dict(stored)
    renamed[names[5]] = renamed.pop(names[2])
    return {
        "nothing changed": (stored, dict(stored)),
        "one new, one changed, one gone": (stored, changed),
        "and one that another encoder is to read": (stored, mixed),
        "a page with a new name": (stored, renamed),
        "an empty index": ({}, stored),
        "no documents left": (stored, {}),
    }


plan = Exercise(
    number="lab12.5",
    title="what must be encoded again",
    difficulty=3,
    minutes=15,
    reference=_plan,
    cases=_plan_cases,
    hidden=_plan_cases,
    misconceptions=(
        Misconception(
            "names only",
            "a page whose text has changed keeps its old vector: its name is not enough to tell",
            lambda stored, now: _only(stored, now, lambda old, new: True),
        ),
        Misconception(
            "encoder ignored",
            "a vector of another encoder stays in the index: it says nothing to this one",
            lambda stored, now: _only(stored, now, lambda old, new: old[0] == new[0]),
        ),
        Misconception(
            "text ignored",
            "you compare encoders and not texts: a changed text keeps its old vector",
            lambda stored, now: _only(stored, now, lambda old, new: old[1] == new[1]),
        ),
        Misconception(
            "new ones forgotten",
            "a page that was never in the index is not encoded: nobody will find it",
            lambda stored, now: (
                _plan(stored, now)
                | {"encode": sorted(n for n in now if n in stored and stored[n] != now[n])}
            ),
        ),
        Misconception(
            "under another name",
            "a page has a new name, and no vector stands under that one",
            lambda stored, now: (
                _plan(stored, now)
                | {"encode": sorted(n for n in now if now[n] not in stored.values())}
            ),
        ),
        Misconception(
            "unsorted",
            "these are the right names, and they are to be sorted",
            lambda stored, now: {
                "encode": [name for name in now if stored.get(name) != now[name]],
                "delete": [name for name in stored if name not in now],
            },
        ),
        Misconception(
            "never deleted",
            "pages that are gone will still be found, and cited",
            lambda stored, now: _plan(stored, now) | {"delete": []},
        ),
        Misconception(
            "everything",
            "you encode everything again: right, and that is what an index should spare you",
            lambda stored, now: _plan(stored, now) | {"encode": sorted(now)},
        ),
        Misconception(
            "deleted for a change",
            "you delete pages that are still there: a changed one is overwritten when it is"
            " encoded",
            lambda stored, now: (
                _plan(stored, now)
                | {"delete": sorted(n for n in stored if now.get(n) != stored[n])}
            ),
        ),
    ),
    spoilers=("stored.get(", "not in now"),
)


# ---- lab12.6: chosen on one set, judged on another

Scored = Sequence[tuple[float, bool]]


def _both_kinds(scored: Scored, threshold: float) -> float:
    """The mean of two shares: of the answerable that are answered, of the others refused."""
    known = [score >= threshold for score, answerable in scored if answerable]
    strange = [score < threshold for score, answerable in scored if not answerable]
    return (sum(known) / len(known) + sum(strange) / len(strange)) / 2


def _counted(scored: Scored, threshold: float) -> float:
    return sum((score >= threshold) == known for score, known in scored) / len(scored)


def _chosen(scored: Scored, goal: Callable[[Scored, float], float] = _both_kinds) -> float:
    return max(sorted(score for score, _ in scored), key=lambda t: goal(scored, t))


def _judged(validation: Scored, test: Scored) -> float:
    return _both_kinds(test, _chosen(validation))


def _clear(scored: Scored) -> bool:
    """Whether one threshold is better than all others, so that ties decide nothing."""
    first, second = sorted((_both_kinds(scored, score) for score, _ in scored), reverse=True)[:2]
    return first > second + 1e-6


def _sides(draw: random.Random, known: int, strange: int, digits: int) -> list[Scored]:
    return [
        [
            (round(draw.gauss(0.6 if kind else 0.45, 0.1), digits), kind)
            for kind in [True] * known + [False] * strange
        ]
        for _ in range(2)
    ]


def _apart(sides: list[Scored], ideas: Sequence[Callable[[Scored, Scored], float]]) -> bool:
    """Whether the right answer and all these wrong ones give different numbers."""
    values = [round(answer(*sides), 4) for answer in (_judged, *ideas)]
    return len(set(values)) == len(values)


def _judge_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    """Sets of many answerable and few others, redrawn until the wrong ideas give other numbers."""
    found: dict[str, tuple] = {}
    for number in range(3):
        for attempt in range(10_000):
            sides = _sides(random.Random(f"{seed} {number} {attempt}"), 14, 5, digits=3)
            if _apart(sides, _WRONG) and _clear(sides[0]):
                found[f"19 validation and 19 test questions, number {number + 1}"] = tuple(sides)
                break
    for attempt in range(10_000):  # 8 and 4: their shares, and so equal values, are exact
        sides = _sides(random.Random(f"{seed} equal {attempt}"), 8, 4, digits=2)
        if _apart(sides, (_largest, _strictly)) and _as_given(*sides) == _largest(*sides):
            found["12 and 12 questions, several thresholds equally good"] = tuple(sides)
            break
    return found


def _largest(validation: Scored, test: Scored) -> float:
    thresholds = sorted((score for score, _ in validation), reverse=True)
    return _both_kinds(test, max(thresholds, key=lambda t: _both_kinds(validation, t)))


def _as_given(validation: Scored, test: Scored) -> float:
    thresholds = [score for score, _ in validation]
    return _both_kinds(test, max(thresholds, key=lambda t: _both_kinds(validation, t)))


def _above(scored: Scored, threshold: float) -> float:
    return _both_kinds(scored, threshold + 1e-9)


def _strictly(validation: Scored, test: Scored) -> float:
    return _above(test, _chosen(validation, _above))


def _on_test(validation: Scored, test: Scored) -> float:
    return _both_kinds(test, _chosen(test))


def _on_validation(validation: Scored, test: Scored) -> float:
    return _both_kinds(validation, _chosen(validation))


def _by_count(validation: Scored, test: Scored) -> float:
    return _counted(test, _chosen(validation, _counted))


def _counted_at_the_end(validation: Scored, test: Scored) -> float:
    return _counted(test, _chosen(validation))


def _together(validation: Scored, test: Scored) -> float:
    return _both_kinds(test, _chosen([*validation, *test]))


def _counted_at_the_start(validation: Scored, test: Scored) -> float:
    return _both_kinds(test, _chosen(validation, _counted))


_WRONG = (
    _on_test,
    _on_validation,
    _by_count,
    _counted_at_the_start,
    _counted_at_the_end,
    _together,
)

judged = Exercise(
    number="lab12.6",
    title="when to refuse, honestly",
    difficulty=3,
    minutes=12,
    reference=_judged,
    cases=_judge_cases,
    hidden=_judge_cases,
    misconceptions=(
        Misconception(
            "chosen on test",
            "the threshold was chosen on the questions that it is judged on: your number is better"
            " than what users will see",
            _on_test,
        ),
        Misconception(
            "judged on validation",
            "the result is that of the validation questions, on which the threshold was chosen",
            _on_validation,
        ),
        Misconception(
            "counted",
            "you count right decisions: where most questions have an answer, hardly refusing pays",
            _by_count,
        ),
        Misconception(
            "counted at the end",
            "you choose well, and then count decisions: the two *shares* are averaged on test, too",
            _counted_at_the_end,
        ),
        Misconception(
            "counted at the start",
            "you choose by the number of right decisions: what a threshold is worth is the mean of"
            " two *shares*, on validation as well",
            _counted_at_the_start,
        ),
        Misconception(
            "the largest",
            "of several thresholds that are equally good on validation, you do not take the"
            " smallest",
            _largest,
        ),
        Misconception(
            "strictly above",
            "your questions are parted elsewhere than asked: the threshold is one of the validation"
            " scores, and a score that is *at least* the threshold is answered",
            _strictly,
        ),
        Misconception(
            "the threshold",
            "you give the threshold itself, and what it is worth on test is asked for",
            lambda validation, test: _chosen(validation),
        ),
        Misconception(
            "both together",
            "the test questions took part in the choice",
            _together,
        ),
    ),
    spoilers=("max(", ">= threshold"),
)
