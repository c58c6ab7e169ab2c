"""Search by words: BM25, the baseline that every search by meaning has to beat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# Words of a question that say nothing of what is asked. Few documents hold "how", so that without
# this list the weight of rare words would be given to it.
STOP_WORDS = frozenset(
    "a an and are as at be by can could do does for from get has have how i if in into is it its"
    " me my of on one or our should so that the their them then there these they this to was we"
    " what when where which who why will with would you your".split()
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # data|Frame, HTML|Parser
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words that count, in order: lower case, without stop words and plural endings.

    Identifiers fall into their parts: ``DataFrame.drop_duplicates`` is data, frame, drop,
    duplicate. Only a plural s goes (the weakest rule of Harman, 1991).
    """
    found = _WORD.findall(_CAMEL.sub(" ", text).lower())
    return [singular(word) for word in found if word not in STOP_WORDS]


def singular(word: str) -> str:
    """The word without a plural ending: queries, query; gradients, gradient; class, class."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and re.search(r"[^suai]s$", word) else word


def shared_words(question: str, texts: Iterable[str]) -> float:
    """The share of the question's words that stand in that text which has most of them.

    0 for a question without words, or where there is no text.
    """
    asked = set(words(question))
    return max((len(asked & set(words(text))) for text in texts), default=0) / max(len(asked), 1)


@dataclass(frozen=True)
class Postings:
    """Which documents hold each word, and how often: an inverted index.

    The documents that hold the word number w are ``rows[starts[w]:starts[w + 1]]``, and `counts`
    stands beside them. All that depends on other documents is left to `BM25`, so that the postings
    of several collections can be searched as one.
    """

    vocabulary: dict[str, int]
    starts: Int[np.ndarray, " starts"]
    rows: Int[np.ndarray, " postings"]
    counts: Int[np.ndarray, " postings"]
    lengths: Int[np.ndarray, " documents"]  # words

    @classmethod
    def of(cls, texts: Sequence[str]) -> Postings:
        """Count the words of each text."""
        held: dict[str, list[tuple[int, int]]] = {}
        lengths = np.zeros(len(texts), dtype=np.int32)
        for row, text in enumerate(texts):
            counted = Counter(words(text))
            lengths[row] = counted.total()
            for word, count in counted.items():
                held.setdefault(word, []).append((row, count))
        flat = [posting for postings in held.values() for posting in postings]
        table = np.array(flat, dtype=np.int32).reshape(-1, 2)
        starts = np.cumsum([0, *map(len, held.values())])
        vocabulary = {word: number for number, word in enumerate(held)}
        return cls(vocabulary, starts, table[:, 0].copy(), table[:, 1].copy(), lengths)

    def of_word(self, word: str) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """(rows, counts) of the documents that hold a word; both empty for an unknown one."""
        number = self.vocabulary.get(word)
        part = slice(0, 0) if number is None else slice(*self.starts[number : number + 2])
        return self.rows[part], self.counts[part]


class BM25:
    """How well each document matches the words of a question.

    A word counts by how rare it is (idf); a second mention adds less than the first (`k1`), and a
    mention in a long document counts less than one in a short document (`b`, from 0 to 1):

        sum over the words:  idf * count * (k1 + 1) / (count + k1 * (1 - b + b * length / mean))

    Robertson and Zaragoza, 2009; idf with 1 added inside the logarithm, so that it stays positive
    for a word that most documents hold, as Lucene has it. ValueError for settings out of range.
    """

    def __init__(self, parts: Sequence[Postings], k1: float = 1.2, b: float = 0.75) -> None:
        if k1 < 0 or not 0 <= b <= 1:
            raise ValueError(f"k1 must be 0 or more and b from 0 to 1, but k1 is {k1} and b is {b}")
        self.parts = list(parts)
        self.k1 = k1
        self.b = b
        self.documents = sum(len(part.lengths) for part in self.parts)
        total = sum(int(part.lengths.sum()) for part in self.parts)
        self.mean_length = total / max(self.documents, 1)

    def scores(self, question: str) -> Float[Tensor, " B"]:
        """One score for each document, part after part; 0 where it shares no word."""
        found = [np.zeros(len(part.lengths), dtype=np.float32) for part in self.parts]
        for word in words(question):
            postings = [part.of_word(word) for part in self.parts]
            holding = sum(len(rows) for rows, _ in postings)
            idf = np.log(1 + (self.documents - holding + 0.5) / (holding + 0.5))
            for score, part, (rows, counts) in zip(found, self.parts, postings, strict=True):
                relative = part.lengths[rows] / max(self.mean_length, 1e-12)
                damping = self.k1 * (1 - self.b + self.b * relative)
                score[rows] += idf * counts * (self.k1 + 1) / (counts + damping)
        return torch.from_numpy(np.concatenate([np.zeros(0, dtype=np.float32), *found]))
