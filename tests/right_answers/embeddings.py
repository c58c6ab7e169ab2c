"""Right answers to the exercises of notebook 11."""

import math

import torch
from scipy.stats import rankdata, spearmanr
from torch.nn import functional as F


def pool_by_loop(hidden, keep):
    return torch.stack([row[real].mean(dim=0) for row, real in zip(hidden, keep, strict=True)])


def pool_by_weights(hidden, keep):
    weights = keep.float() / keep.float().sum(dim=1, keepdim=True)  # (B, T)
    return torch.einsum("bt,btd->bd", weights, hidden)


def spearman_by_scipy(x, y):
    return float(spearmanr(x.numpy(), y.numpy()).statistic)


def spearman_by_ranks(x, y):
    a, b = (torch.from_numpy(rankdata(values.numpy())) for values in (x, y))
    return torch.corrcoef(torch.stack([a, b]))[0, 1]


def loss_by_cosines(first, second, temperature):
    logits = F.cosine_similarity(first[:, None], second[None], dim=-1) / temperature
    right = logits.diagonal()
    return ((logits.logsumexp(dim=0) - right) + (logits.logsumexp(dim=1) - right)).mean() / 2


def loss_by_loop(first, second, temperature):
    total = 0.0
    for i in range(len(first)):
        for one, others in ((first[i], second), (second[i], first)):
            chances = (F.cosine_similarity(one[None], others) / temperature).softmax(dim=0)
            total = total - chances[i].log()
    return total / (2 * len(first))


def spared_by_loop(logits, groups):
    losses = []
    for i, row in enumerate(logits):
        kept = [j for j in range(len(row)) if j == i or groups[j] != groups[i]]
        losses.append(row[kept].logsumexp(dim=0) - row[i])
    return torch.stack(losses).mean()


def spared_by_weights(logits, groups):
    weights = (groups[:, None] != groups[None]).float() + torch.eye(len(groups))
    sums = (logits.exp() * weights).sum(dim=1)
    return (sums.log() - logits.diagonal()).mean()


def found_by_rank(first, second, k):
    cosines = F.cosine_similarity(first[:, None], second[None], dim=-1)
    places = 1 + (cosines > cosines.diagonal()[:, None]).sum(dim=1)
    return (places <= k).double().mean().item()


def found_by_sorting(first, second, k):
    unit = second / second.norm(dim=1, keepdim=True)
    hits = [i in (unit @ one).argsort(descending=True)[:k].tolist() for i, one in enumerate(first)]
    return sum(hits) / len(hits)


RIGHT = {
    "11.1": [pool_by_loop, pool_by_weights],
    "11.2": [spearman_by_scipy, spearman_by_ranks],
    "11.3": [math.log(32), 3.47],
    "11.4": [loss_by_cosines, loss_by_loop],
    "11.5": [spared_by_loop, spared_by_weights],
    "11.6": [found_by_rank, found_by_sorting],
}
