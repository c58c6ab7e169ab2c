"""Sort documents into groups that nobody has named, and then give the groups names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from encoder_course.tasks.bm25 import STOP_WORDS, singular
from encoder_course.tasks.metrics import Metric, Report

_WORD = re.compile(r"[^\W\d_]{3,}")  # no digits and no x: they name nothing
SAME = 5  # letters: words that begin alike say one thing in a name (matrix, matrices)
Groups = Sequence[Any] | np.ndarray  # the name or number of the group of each text


class Clusters:
    """k-means on the vectors of texts, with the verbs of the other tasks.

    `vectors` makes one row for each text (`SentenceEncoder.encode`, `Features`). Rows get length 1
    first, so that the nearest centre is nearly the one with the largest cosine. k-means finds only
    a local optimum: the best of `tries` starts is kept. ValueError for fewer than two clusters.
    MacQueen, 1967; Arthur and Vassilvitskii, 2007.
    """

    def __init__(
        self, vectors: Callable[[Sequence[str]], Any], count: int, *, tries: int = 4
    ) -> None:
        if count < 2:
            raise ValueError(f"count must be at least 2, but it is {count}")
        self.vectors = vectors
        self.count = count
        self.tries = tries
        self.kmeans: Any = None
        self.names: list[str] = []

    def fit(self, texts: Sequence[str], *, seed: int = 0) -> Clusters:
        """Find the centres, and name each cluster by the words that distinguish its texts.

        ValueError for fewer texts than clusters.
        """
        from sklearn.cluster import KMeans

        if len(texts) < self.count:
            raise ValueError(f"there are {len(texts)} texts but {self.count} clusters")
        self.kmeans = KMeans(self.count, n_init=self.tries, random_state=seed)
        labels = self.kmeans.fit_predict(self.rows(texts))
        found = distinctive_words(texts, labels)
        self.names = [", ".join(found.get(cluster, [])) for cluster in range(self.count)]
        return self

    def predict(self, texts: Sequence[str]) -> Int[np.ndarray, " B"]:
        """The number of the nearest centre for each text. ValueError before `fit`."""
        if self.kmeans is None:
            raise ValueError("there are no clusters yet: call fit with some texts first")
        if not len(texts):
            return np.zeros(0, dtype=np.int32)
        return self.kmeans.predict(self.rows(texts))

    def evaluate(self, texts: Sequence[str], labels: Groups) -> Report:
        """How well the clusters agree with the labels of a person; no name has to match.

        ARI: the share of pairs of texts on which the two agree (together or apart), corrected so
        that chance gives 0 (Hubert and Arabie, 1985). NMI: the information that they share, as a
        part of what they hold; chance gives more than 0 (Strehl and Ghosh, 2002).
        """
        return agreement(labels, self.predict(texts))

    def rows(self, texts: Sequence[str]) -> Float[np.ndarray, "B D"]:
        """The vectors of the texts, with length 1."""
        found = np.asarray(self.vectors(texts), dtype=np.float64)
        return found / np.linalg.norm(found, axis=1, keepdims=True).clip(1e-12)


def agreement(labels: Groups, clusters: Groups) -> Report:
    """ARI and NMI of two ways to sort the same texts. ValueError for different lengths."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    if len(labels) != len(clusters):
        raise ValueError(f"there are {len(labels)} labels for {len(clusters)} texts")
    measured = [
        Metric("ARI", float(adjusted_rand_score(labels, clusters))),
        Metric("NMI", float(normalized_mutual_info_score(labels, clusters))),
    ]
    return Report(measured, len(labels))


def distinctive_words(
    texts: Sequence[str], labels: Groups, count: int = 3, prior: float | int = 100
) -> dict[Any, list[str]]:
    """The `count` words of each group of texts that most distinguish it from all the others.

    A word is asked in how many texts it stands, inside and outside. The difference of the two
    log-odds, divided by its standard deviation, ranks the words: a word must be frequent here,
    rare elsewhere, and seen often enough to be sure. `prior` pseudo-texts, filled as the whole
    collection is, hold rare words back. Singular and plural count as one word, the more frequent
    of them is given, and of several words with one beginning the best. Monroe, Colaresi and Quinn,
    2008. ValueError for another number of labels than of texts.
    """
    if len(texts) != len(labels):
        raise ValueError(f"there are {len(labels)} labels for {len(texts)} texts")
    inside: dict[Any, Counter[str]] = {}
    forms: dict[str, Counter[str]] = {}
    sizes: Counter[Any] = Counter(labels)
    for text, label in zip(texts, labels, strict=True):
        written = {word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS}
        for word in written:
            forms.setdefault(singular(word), Counter())[word] += 1
        inside.setdefault(label, Counter()).update({singular(word) for word in written})
    total = sum(inside.values(), Counter())
    found = {}
    for label, held in inside.items():
        scores = {}
        for word, here in held.items():
            expected = prior * total[word] / len(texts)
            share_here = (here + expected) / (sizes[label] + prior + 1)
            elsewhere = total[word] - here
            share_elsewhere = (elsewhere + expected) / (len(texts) - sizes[label] + prior + 1)
            spread = np.sqrt(1 / (here + expected) + 1 / (elsewhere + expected))
            scores[word] = (log_odds(share_here) - log_odds(share_elsewhere)) / spread
        best: dict[str, str] = {}
        for word in sorted(scores, key=lambda word: (-scores[word], word)):
            if scores[word] > 0:
                best.setdefault(word[:SAME], word)
        found[label] = [forms[word].most_common(1)[0][0] for word in list(best.values())[:count]]
    return found


def log_odds(share: float) -> float:
    """The logarithm of share : rest, for a share between 0 and 1."""
    return float(np.log(share / (1 - share)))
