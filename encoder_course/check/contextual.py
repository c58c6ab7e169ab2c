"""Checks of notebook 07: contextual vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception

Offsets = Sequence[tuple[int, int]]


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _pieces(offsets: Offsets, start: int, end: int) -> list[int]:
    return [t for t, (first, last) in enumerate(offsets) if first < end and last > start]


def _word_vector(hidden: Tensor, offsets: Offsets, start: int, end: int) -> Tensor:
    return hidden[_pieces(offsets, start, end)].mean(dim=0)


# [CLS] bank ##s flood [SEP], and [CLS] the ( river ##bank ) [SEP]
_AT_THE_START = [(0, 0), (0, 4), (4, 5), (6, 11), (0, 0)]
_IN_BRACKETS = [(0, 0), (0, 3), (4, 5), (5, 10), (10, 14), (14, 15), (0, 0)]

word_vector = Exercise(
    number="7.1",
    title="the vector of a word",
    difficulty=2,
    minutes=10,
    reference=_word_vector,
    cases=lambda: {
        'the word at 0:5 of "banks flood"': (_draw(5, 3), _AT_THE_START, 0, 5),
        'the word at 5:14 of "the (riverbank)"': (_draw(7, 4), _IN_BRACKETS, 5, 14),
    },
    misconceptions=(
        Misconception(
            "first piece",
            "only the first piece of the word counts: the others have read the sentence, too",
            lambda hidden, offsets, start, end: hidden[_pieces(offsets, start, end)[0]],
        ),
        Misconception(
            "last piece",
            "only the last piece of the word counts: the others have read the sentence, too",
            lambda hidden, offsets, start, end: hidden[_pieces(offsets, start, end)[-1]],
        ),
        Misconception(
            "sum",
            "the vector is longer the more pieces a word has: you add them up",
            lambda hidden, offsets, start, end: hidden[_pieces(offsets, start, end)].sum(dim=0),
        ),
        Misconception(
            "touching",
            "tokens that only touch the word count as part of it, and so do [CLS] and [SEP], whose"
            " span (0, 0) is empty: an end is the place *after* the last character",
            lambda hidden, offsets, start, end: hidden[
                [t for t, (a, z) in enumerate(offsets) if a <= end and z >= start]
            ].mean(dim=0),
        ),
        Misconception(
            "characters for tokens",
            "`start` and `end` count characters of the text, and you use them to count tokens",
            lambda hidden, offsets, start, end: hidden[start:end].mean(dim=0),
        ),
        Misconception(
            "sentence",
            "this is the vector of the whole sentence: most of its tokens are other words",
            lambda hidden, offsets, start, end: hidden.mean(dim=0),
        ),
    ),
    spoilers=("first < end", "last > start", "mean("),
)


chance = Exercise(
    number="7.2",
    title="what guessing would give",
    difficulty=1,
    minutes=5,
    reference=17 / 53,
    misconceptions=(
        Misconception(
            "one in three",
            "close, but the sentence itself is no candidate, and it is one of its own sense",
            1 / 3,
        ),
        Misconception(
            "itself right",
            "you took the sentence itself out of the candidates, but not out of the right ones",
            18 / 53,
        ),
        Misconception(
            "itself a candidate",
            "you took the sentence itself out of the right ones, but not out of the candidates",
            17 / 54,
        ),
        Misconception(
            "two senses",
            "that would be so for a word with two senses: *spring* has three",
            17 / 35,
        ),
        Misconception(
            "all senses",
            "only sentences with the same word are candidates, not those of all ten words",
            1 / 21,
        ),
    ),
)


def _other_neighbours(vectors: Tensor) -> Tensor:
    unit = F.normalize(vectors, dim=-1)
    return (unit @ unit.T).fill_diagonal_(-2).argmax(dim=-1)


def _share(neighbours: Tensor, senses: Sequence[str]) -> float:
    agree = [senses[i] == senses[j] for i, j in enumerate(neighbours.tolist())]
    return sum(agree) / len(agree)


def _leave_one_out(vectors: Tensor, senses: Sequence[str]) -> float:
    return _share(_other_neighbours(vectors), senses)


def _longest_wins(vectors: Tensor, senses: Sequence[str]) -> float:
    return _share((vectors @ vectors.T).fill_diagonal_(-torch.inf).argmax(dim=-1), senses)


def _farthest(vectors: Tensor, senses: Sequence[str]) -> float:
    unit = F.normalize(vectors, dim=-1)
    return _share((unit @ unit.T).argmin(dim=-1), senses)


def _all_pairs(vectors: Tensor, senses: Sequence[str]) -> float:
    pairs = [a == b for i, a in enumerate(senses) for j, b in enumerate(senses) if i != j]
    return sum(pairs) / len(pairs)


leave_one_out = Exercise(
    number="7.3",
    title="nearest-neighbour sense accuracy",
    difficulty=2,
    minutes=15,
    reference=_leave_one_out,
    cases=lambda: {
        "five vectors on a plane, two senses": (
            torch.tensor([[1.0, 0.0], [1.0, 0.2], [5.0, 4.0], [0.0, 1.0], [0.1, 1.0]]),
            ["river", "river", "money", "money", "money"],
        ),
        "nine random vectors, three senses": (_draw(9, 4), list("aabbbccca")),
    },
    misconceptions=(
        Misconception(
            "itself",
            "a perfect score: the nearest neighbour of each vector is itself, so leave it out",
            lambda vectors, senses: 1.0,
        ),
        Misconception(
            "longest wins",
            "a long vector is everybody's neighbour: compare directions only",
            _longest_wins,
        ),
        Misconception(
            "farthest",
            "you found the vector that is *least* like each one",
            _farthest,
        ),
        Misconception(
            "all pairs",
            "the result does not depend on the vectors: you count all pairs of sentences, and"
            " should ask only the nearest one",
            _all_pairs,
        ),
        Misconception(
            "a count",
            "this is how many are right: the share is asked",
            lambda vectors, senses: _leave_one_out(vectors, senses) * len(senses),
        ),
    ),
    spoilers=("fill_diagonal", "normalize", "argmax"),
)


def _directions(centred: Tensor, count: int) -> Tensor:
    return torch.linalg.svd(centred, full_matrices=False).Vh[:count]  # (count, D)


def _without(vectors: Tensor, directions: Tensor) -> Tensor:
    return vectors - vectors @ directions.T @ directions


def _remove_common(fitted: Tensor, others: Tensor, count: int) -> Tensor:
    mean = fitted.mean(dim=0)
    return _without(others - mean, _directions(fitted - mean, count))


remove_common = Exercise(
    number="7.4",
    title="remove the common directions",
    difficulty=3,
    minutes=20,
    reference=_remove_common,
    cases=lambda: {
        "the mean alone (count 0)": (_draw(6, 3) + 2, _draw(4, 3) + 2, 0),
        "the mean and two directions": (
            _draw(12, 5) * torch.tensor([5.0, 3.0, 1.0, 1.0, 1.0]) + 3,
            _draw(7, 5) + 3,
            2,
        ),
    },
    tolerance=1e-4,
    misconceptions=(
        Misconception(
            "own mean",
            "what you subtract comes from the vectors to be changed: then each batch gets another"
            " space, and one vector alone would become 0",
            lambda fitted, others, count: _remove_common(others, others, count),
        ),
        Misconception(
            "mean only",
            "the mean is gone, but the strongest directions are still there",
            lambda fitted, others, count: others - fitted.mean(dim=0),
        ),
        Misconception(
            "not centred",
            "with count 0 nothing changes: the mean must go first, or it is itself the strongest"
            " direction that you find",
            lambda fitted, others, count: _without(others, _directions(fitted, count)),
        ),
        Misconception(
            "kept",
            "you keep the strongest directions and throw the rest away: it is the other way round",
            lambda fitted, others, count: (
                (others - fitted.mean(dim=0))
                @ _directions(fitted - fitted.mean(dim=0), count).T
                @ _directions(fitted - fitted.mean(dim=0), count)
            ),
        ),
        Misconception(
            "mean of each row",
            "you subtract one number from each vector, the mean of its own entries: the common part"
            " is a vector, the mean over all rows",
            lambda fitted, others, count: _without(
                others - others.mean(dim=-1, keepdim=True),
                _directions(fitted - fitted.mean(dim=-1, keepdim=True), count),
            ),
        ),
        Misconception(
            "weakest",
            "the directions that you remove are the weakest ones",
            lambda fitted, others, count: _without(
                others - fitted.mean(dim=0),
                torch.linalg.svd(fitted - fitted.mean(dim=0), full_matrices=False).Vh[
                    fitted.shape[1] - count :
                ],
            ),
        ),
    ),
    spoilers=("svd", "mean(dim=0)", ".Vh"),
)


def _control_labels(words: Sequence[str], draws: Sequence[int]) -> list[int]:
    first: dict[str, int] = {}
    for word, draw in zip(words, draws, strict=True):
        first.setdefault(word, draw)
    return [first[word] for word in words]


def _most_common(words: Sequence[str], draws: Sequence[int]) -> list[int]:
    seen: dict[str, Counter] = {}
    for word, draw in zip(words, draws, strict=True):
        seen.setdefault(word, Counter())[draw] += 1
    return [seen[word].most_common(1)[0][0] for word in words]


control_labels = Exercise(
    number="7.5",
    title="labels of a control task",
    difficulty=2,
    minutes=10,
    reference=_control_labels,
    cases=lambda: {
        "six words, three of them the same": (
            ["the", "bank", "lent", "the", "money", "the"],
            [0, 1, 0, 2, 2, 2],
        ),
        "eight words": (list("abacabad"), [4, 0, 1, 2, 1, 3, 3, 0]),
    },
    misconceptions=(
        Misconception(
            "a label per token",
            "the same word has different labels: no probe could learn that from the words, and the"
            " control task must be learnable",
            lambda words, draws: list(draws),
        ),
        Misconception(
            "last draw",
            "later draws overwrite earlier ones: the label is settled when a word first occurs",
            lambda words, draws: [dict(zip(words, draws, strict=True))[word] for word in words],
        ),
        Misconception(
            "next draw",
            "you hand out the draws one by one to new words, and a draw belongs to its place in the"
            " text: otherwise frequent labels are no longer frequent",
            lambda words, draws: [draws[list(dict.fromkeys(words)).index(word)] for word in words],
        ),
        Misconception(
            "most common",
            "you collect all draws of a word and take the most common one: that favours frequent"
            " labels for frequent words",
            _most_common,
        ),
        Misconception(
            "one label",
            "all words have one and the same label: then there is nothing to memorise",
            lambda words, draws: [draws[0]] * len(words),
        ),
    ),
    spoilers=("setdefault", "not in"),
)
