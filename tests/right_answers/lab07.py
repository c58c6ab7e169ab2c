"""Right answers to the exercises of lab 07."""

from collections import defaultdict

import numpy as np
import torch


def words_by_loops(hidden, words):
    rows = defaultdict(list)
    for row, number in zip(hidden, words, strict=True):
        if number is not None:
            rows[number].append(row)
    return torch.stack([sum(rows[number]) / len(rows[number]) for number in sorted(rows)])


def words_by_matrix(hidden, words):
    count = 1 + max(number for number in words if number is not None)
    share = torch.tensor(
        [[float(number == word) for number in words] for word in range(count)], dtype=hidden.dtype
    )
    return share @ hidden / share.sum(dim=1, keepdim=True)


def nearest_by_sorting(vectors, words, count):
    def cosine(i, j):
        one, two = vectors[i], vectors[j]
        return float(one @ two / (one.norm() * two.norm()))

    rows = []
    for i, word in enumerate(words):
        others = [j for j, other in enumerate(words) if other == word and j != i]
        rows.append(sorted(others, key=lambda j: -cosine(i, j))[:count])
    return torch.tensor(rows)


def nearest_by_table(vectors, words, count):
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    number = torch.tensor([sorted(set(words)).index(word) for word in words])
    table = unit @ unit.T - 4.0 * (number[:, None] != number)
    return table.fill_diagonal_(-9).argsort(dim=1, descending=True)[:, :count]


def senses_by_loops(vectors, words, senses, asked, asked_words):
    sums = {}
    for vector, word, sense in zip(vectors, words, senses, strict=True):
        sums.setdefault(word, {}).setdefault(sense, []).append(vector / vector.norm())
    found = []
    for vector, word in zip(asked, asked_words, strict=True):
        means = {sense: torch.stack(rows).mean(0) for sense, rows in sums[word].items()}
        cosine = {s: torch.cosine_similarity(m, vector, dim=0) for s, m in means.items()}
        found.append(max(cosine, key=cosine.get))
    return found


def senses_by_table(vectors, words, senses, asked, asked_words):
    kinds = sorted({*zip(words, senses, strict=True)})
    at = torch.tensor([kinds.index(kind) for kind in zip(words, senses, strict=True)])
    unit = torch.nn.functional.normalize(vectors, dim=1)
    means = torch.zeros(len(kinds), vectors.shape[1], dtype=unit.dtype).index_add(0, at, unit)
    cosines = asked @ torch.nn.functional.normalize(means, dim=1).T  # a sum points like a mean
    own = torch.tensor([[kind[0] == word for kind in kinds] for word in asked_words])
    return [kinds[k][1] for k in cosines.masked_fill(~own, -torch.inf).argmax(1).tolist()]


def layer_by_loops(train, senses, test, test_senses):
    shares, rights = [], []
    for rows, asked in zip(train, test, strict=True):
        mean = rows.mean(0)
        rows, asked = rows - mean, asked - mean
        hits = []
        for i in range(len(rows)):
            others = [j for j in range(len(rows)) if j != i]
            near = torch.cosine_similarity(rows[i : i + 1], rows[others], dim=1).argmax()
            hits.append(bool(senses[others[int(near)]] == senses[i]))
        shares.append(sum(hits))
        near = torch.cosine_similarity(asked[:, None], rows[None], dim=2).argmax(1)
        rights.append(senses[near] == test_senses)
    best = shares.index(max(shares))
    return best, rights[best]


def layer_at_once(train, senses, test, test_senses):
    middle = train.mean(dim=1, keepdim=True)
    rows, asked = ((v - middle) / (v - middle).norm(dim=-1, keepdim=True) for v in (train, test))
    second = (rows @ rows.transpose(1, 2)).topk(2, dim=-1).indices[..., 1]
    best = (senses[second] == senses).sum(dim=-1).argmax().item()
    return best, senses[(asked[best] @ rows[best].T).argmax(dim=-1)] == test_senses


def interval_by_lists(values, words, draws):
    uses = defaultdict(list)
    for value, word in zip(values, words, strict=True):
        uses[word].append(value)
    shares = []
    for drawn in draws:
        pooled = [value for word in drawn for value in uses[word]]
        shares.append(sum(pooled) / len(pooled))
    return np.percentile(shares, 2.5), np.percentile(shares, 97.5)


def interval_by_weights(values, words, draws):
    weights = np.array([[list(drawn).count(word) for word in words] for drawn in draws])
    shares = weights @ values / weights.sum(axis=1)
    return list(np.quantile(shares, [0.025, 0.975]))


RIGHT = {
    "lab07.1": [words_by_loops, words_by_matrix],
    "lab07.2": [nearest_by_sorting, nearest_by_table],
    "lab07.3": [0.3],
    "lab07.4": [senses_by_loops, senses_by_table],
    "lab07.5": [layer_by_loops, layer_at_once],
    "lab07.6": [interval_by_lists, interval_by_weights],
}
