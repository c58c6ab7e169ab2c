"""Checks of notebook 08: sentence classification."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from encoder_course.check.base import Exercise, Misconception

Answers = Callable[[np.ndarray], list[str]]

macro = Exercise(
    number="8.1",
    title="what accuracy hides",
    difficulty=1,
    minutes=5,
    reference=(2 * 90 / 190) / 3,
    tolerance=0.003,
    misconceptions=(
        Misconception("accuracy", "this is the accuracy: F1 asks about each desk in turn", 0.9),
        Misconception(
            "only the named one",
            "this is the F1 of the one desk that is ever named: the other two have an F1, too",
            2 * 90 / 190,
        ),
        Misconception(
            "mean of recalls",
            "this is the mean of the shares that are found: F1 also counts what is wrongly named",
            1 / 3,
        ),
        Misconception(
            "weighted",
            "you weighted each desk by its messages: macro means that each counts the same",
            0.9 * 2 * 90 / 190,
        ),
        Misconception(
            "mean of precisions",
            "this is the mean of the shares of what is named that are right: F1 also counts what"
            " is not found",
            0.9 / 3,
        ),
    ),
)


def _table(texts: Sequence[str], words: Sequence[str]) -> np.ndarray:
    """How often each word occurs in each text."""
    return np.array([[text.split().count(word) for word in words] for text in texts], dtype=float)


def _words(texts: Sequence[str]) -> list[str]:
    return sorted({word for text in texts for word in text.split()})


def _rarity(counts: np.ndarray) -> np.ndarray:
    """log(texts / texts with the word); 0 for a word that none has."""
    having = (counts > 0).sum(axis=0)
    return np.where(having > 0, np.log(len(counts) / np.maximum(having, 1)), 0.0)


def _weigh(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    words = _words(train)
    counts, asked = _table(train, words), _table(test, words)
    return counts * _rarity(counts), asked * _rarity(counts)


def _fitted_on_both(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    both, _ = _weigh([*train, *test], test)
    return both[: len(train)], both[len(train) :]


def _rare_in_test(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    asked = _table(test, _words(train))
    return _weigh(train, test)[0], asked * _rarity(asked)


def _rare_in_both(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    words = _words(train)
    rarity = _rarity(_table([*train, *test], words))
    return _table(train, words) * rarity, _table(test, words) * rarity


def _present(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    words = _words(train)
    counts, asked = _table(train, words), _table(test, words)
    return (counts > 0) * _rarity(counts), (asked > 0) * _rarity(counts)


def _occurrences(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    words = _words(train)
    counts, asked = _table(train, words), _table(test, words)
    rarity = np.log(len(train) / counts.sum(axis=0))
    return counts * rarity, asked * rarity


weigh = Exercise(
    number="8.2",
    title="learn the words, then read the exam",
    difficulty=2,
    minutes=15,
    reference=_weigh,
    cases=lambda: {
        "four reviews and two that are new": (
            ["good room", "good good bed", "bad room", "bad bad food"],
            ["good bad soap", "room room"],
        ),
        "three messages and one": (
            ["refund please", "app crash", "app refund"],
            ["refund app app"],
        ),
    },
    misconceptions=(
        Misconception(
            "fitted on everything",
            "there is a column for a word of the test texts that no training text has: this has"
            " read the exam before the lesson",
            _fitted_on_both,
        ),
        Misconception(
            "fitted twice",
            "the columns of the two tables do not stand for the same words: the test texts got a"
            " vocabulary of their own",
            lambda train, test: (_weigh(train, test)[0], _weigh(test, test)[0]),
        ),
        Misconception(
            "rarity of the test",
            "the test rows are weighed by how rare a word is among the test texts: one text alone"
            " would get another row than the same text among others",
            _rare_in_test,
        ),
        Misconception(
            "rarity of both",
            "the columns are right, but the test texts had a say in how rare a word is",
            _rare_in_both,
        ),
        Misconception(
            "counts only",
            "these are counts: a word that all texts have weighs as much as a rare one",
            lambda train, test: (_table(train, _words(train)), _table(test, _words(train))),
        ),
        Misconception(
            "there or not",
            "a word that occurs twice in a text counts once here",
            _present,
        ),
        Misconception(
            "occurrences for texts",
            "a word that one text repeats is taken for one that more texts have: ask how many"
            " texts have it",
            _occurrences,
        ),
    ),
    spoilers=("np.log(", "len(train)", "fit_transform"),
)


def nearest_mean(rows: np.ndarray, labels: Sequence[str]) -> Answers:
    """A classifier that answers with the label whose rows have the nearest mean."""
    names = sorted(set(labels))
    means = [np.mean([row for row, x in zip(rows, labels, strict=True) if x == n]) for n in names]

    def answers(asked: np.ndarray) -> list[str]:
        distances = np.abs(np.asarray(asked) - np.array(means)[None])  # (N, C)
        return [names[i] for i in distances.argmin(axis=1)]

    return answers


def _held_out(fit, rows, labels, folds) -> list[str]:
    found: list[str] = [""] * len(labels)
    for fold in sorted(set(folds.tolist())):
        kept = [i for i in range(len(labels)) if folds[i] != fold]
        held = [i for i in range(len(labels)) if folds[i] == fold]
        for i, answer in zip(held, _on(fit, rows, labels, kept)(rows[held]), strict=True):
            found[i] = answer
    return found


def _on(fit, rows, labels, places) -> Answers:
    return fit(rows[places], [labels[i] for i in places])


def _fold_by_fold(fit, rows, labels, folds) -> list[str]:
    found = _held_out(fit, rows, labels, folds)
    return [found[i] for i in np.argsort(folds, kind="stable")]


def _own_fold(fit, rows, labels, folds) -> list[str]:
    found: list[str] = [""] * len(labels)
    for i, fold in enumerate(folds):
        (found[i],) = _on(fit, rows, labels, np.flatnonzero(folds == fold))(rows[[i]])
    return found


def _first_fold(fit, rows, labels, folds) -> list[str]:
    return _on(fit, rows, labels, np.flatnonzero(folds != folds.min()))(rows)


_ROWS = np.array([[0.0], [1.0], [2.1], [3.3], [4.6], [6.0], [7.5], [9.1]])

held_out = Exercise(
    number="8.3",
    title="answers of somebody who has not seen the text",
    difficulty=3,
    minutes=15,
    reference=_held_out,
    cases=lambda: {
        "eight rows in two folds": (nearest_mean, _ROWS, list("abbaabab"), np.arange(8) % 2),
        "eight rows in three folds": (
            nearest_mean,
            _ROWS,
            list("abcabcca"),
            np.array([2, 0, 1, 1, 2, 0, 0, 2]),
        ),
    },
    misconceptions=(
        Misconception(
            "has seen them",
            "each row was answered by a classifier that had learnt its label: that tells nothing"
            " about a new text",
            lambda fit, rows, labels, folds: fit(rows, labels)(rows),
        ),
        Misconception(
            "own fold",
            "each row is answered by a classifier that was fitted on the row's own fold: those are"
            " the ones to be held out",
            _own_fold,
        ),
        Misconception(
            "order of the folds",
            "the answers stand fold by fold, and are asked in the order of the rows",
            _fold_by_fold,
        ),
        Misconception(
            "one fold only",
            "one classifier answers everything: most of the rows it has learnt from",
            _first_fold,
        ),
    ),
    spoilers=("folds != fold", "folds == fold"),
)


def _ends(
    values: np.ndarray, low: int | float = 2.5, high: int | float = 97.5
) -> tuple[float, float]:
    ends = np.percentile(values, [low, high])
    return float(ends[0]), float(ends[1])


def _paired(one: np.ndarray, other: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    return _ends(one[draws].mean(axis=1) - other[draws].mean(axis=1))


def _two_intervals(one: np.ndarray, other: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    first, second = (_ends(right[draws].mean(axis=1)) for right in (one, other))
    return first[0] - second[1], first[1] - second[0]


def _two_exams(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classifiers that often agree, and draws of the texts."""
    generator = np.random.default_rng(seed)
    one = (generator.random(count) < 0.8).astype(float)
    other = np.where(generator.random(count) < 0.75, one, generator.random(count) < 0.5)
    return one, other.astype(float), generator.integers(count, size=(400, count))


paired = Exercise(
    number="8.4",
    title="the interval of a difference",
    difficulty=3,
    minutes=15,
    reference=_paired,
    cases=lambda: {
        "40 texts, 400 draws": _two_exams(40, 3),
        "25 texts, 400 draws": _two_exams(25, 4),
    },
    misconceptions=(
        Misconception(
            "not paired",
            "the interval is too wide: the two did not sit the same exam, as each got draws of its"
            " own",
            lambda one, other, draws: _ends(
                one[draws].mean(axis=1) - other[draws[::-1]].mean(axis=1)
            ),
        ),
        Misconception(
            "ends of two intervals",
            "much too wide: you subtracted the ends of two intervals, as if the first had its"
            " best day whenever the second has its worst",
            _two_intervals,
        ),
        Misconception(
            "other way round",
            "the sign is turned: asked is how far the first is above the second",
            lambda one, other, draws: _paired(other, one, draws),
        ),
        Misconception(
            "one alone",
            "this is the interval of the first classifier alone",
            lambda one, other, draws: _ends(one[draws].mean(axis=1)),
        ),
        Misconception(
            "90 percent",
            "too narrow: one draw in ten lies outside, and one in twenty should",
            lambda one, other, draws: _ends(one[draws].mean(1) - other[draws].mean(1), 5, 95),
        ),
        Misconception(
            "no draws",
            "both ends are the same number: the difference as it is, never drawn again",
            lambda one, other, draws: (float(one.mean() - other.mean()),) * 2,
        ),
    ),
    spoilers=("one[draws]", "2.5", "97.5"),
)

Split = tuple[np.ndarray, np.ndarray]


def _surprise(split: Split, temperature: int | float) -> float:
    logits, labels = split
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(labels)), labels].mean())


def _least(split: Split, candidates: Sequence[int | float]) -> int | float:
    return min(candidates, key=lambda temperature: _surprise(split, temperature))


def _pooled(*splits: Split) -> Split:
    logits, labels = zip(*splits, strict=True)
    return np.concatenate(logits), np.concatenate(labels)


def _split(count: int, sharp: int | float, noise: float, seed: int) -> Split:
    """Logits that point to the label, more or less, and are `sharp` times too large."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(3, size=count)
    logits = np.eye(3)[labels] + noise * generator.normal(size=(count, 3))
    return sharp * logits, labels


temperature = Exercise(
    number="8.5",
    title="whose confidence is mended",
    difficulty=3,
    minutes=15,
    reference=lambda train, validation, test, candidates: _least(validation, candidates),
    cases=lambda: {
        "three splits, and temperatures from 0.25 to 16": (
            _split(60, 3, 0.45, 1),
            _split(60, 3, 0.7, 2),
            _split(60, 3, 1.2, 3),
            [4.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 6.0, 8.0, 16.0],
        ),
        "three splits, and temperatures from 0.1 to 8": (
            _split(50, 0.5, 0.3, 4),
            _split(50, 0.5, 0.6, 5),
            _split(50, 0.5, 1.3, 6),
            [0.2, 0.1, 0.15, 0.25, 0.3, 0.4, 0.5, 0.6, 1.0, 2.0, 8.0],
        ),
    },
    misconceptions=(
        Misconception(
            "on the training texts",
            "chosen on texts that the classifier has learnt by heart: there it looks as if all its"
            " confidence were earned",
            lambda train, validation, test, candidates: _least(train, candidates),
        ),
        Misconception(
            "on the test texts",
            "chosen on the test: the error that you then measure there is flattered",
            lambda train, validation, test, candidates: _least(test, candidates),
        ),
        Misconception(
            "on all of them",
            "chosen on all texts together, those that were learnt and those of the exam among them",
            lambda train, validation, test, candidates: _least(
                _pooled(train, validation, test), candidates
            ),
        ),
        Misconception(
            "by accuracy",
            "this is simply the first candidate: no temperature changes which class is largest, so"
            " accuracy cannot choose one",
            lambda train, validation, test, candidates: candidates[0],
        ),
        Misconception(
            "multiplied",
            "you multiply by the temperature: scores are to be divided by it",
            lambda train, validation, test, candidates: min(
                candidates, key=lambda t: _surprise(validation, 1 / t)
            ),
        ),
        Misconception(
            "worst",
            "of all candidates this one gives the true labels the lowest probability",
            lambda train, validation, test, candidates: max(
                candidates, key=lambda t: _surprise(validation, t)
            ),
        ),
    ),
    spoilers=("validation[0]", "/ temperature", "log_softmax"),
)
