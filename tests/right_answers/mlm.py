"""Right answers to the exercises of notebook 05."""

import math

import torch
from torch.nn import functional as F


def mask_by_loop(ids, chosen, draw, random_ids):
    inputs, labels = ids.clone(), torch.full_like(ids, -100)
    for row, place in chosen.nonzero().tolist():
        labels[row, place] = ids[row, place]
        if draw[row, place] < 0.8:
            inputs[row, place] = 4
        elif draw[row, place] < 0.9:
            inputs[row, place] = random_ids[row, place]
    return inputs, labels


def mask_by_index(ids, chosen, draw, random_ids):
    inputs = ids.clone()
    hide, swap = chosen & (draw < 0.8), chosen & (draw >= 0.8) & (draw < 0.9)
    inputs[hide] = 4
    inputs[swap] = random_ids[swap]
    return inputs, torch.where(chosen, ids, torch.tensor(-100))


def loss_by_the_library(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


def loss_by_hand(logits, labels):
    surprises = [
        torch.logsumexp(logits[b, t], 0) - logits[b, t, labels[b, t]]
        for b, t in (labels >= 0).nonzero().tolist()
    ]
    return sum(surprises) / len(surprises)


def plateau_by_loop(train, heldout):
    chances = [count / sum(train.tolist()) for count in train.tolist()]
    total = sum(-n * math.log(p) for n, p in zip(heldout.tolist(), chances, strict=True))
    return total / sum(heldout.tolist())


def plateau_by_difference(train, heldout):
    return float(train.sum().log() - (heldout * train.log()).sum() / heldout.sum())


def perplexity_by_tensor(losses, asked):
    losses, asked = torch.tensor(losses), torch.tensor(asked, dtype=torch.float32)
    return float((losses @ asked / asked.sum()).exp())


def perplexity_by_product(losses, asked):
    return math.prod(math.exp(v) ** (n / sum(asked)) for v, n in zip(losses, asked, strict=True))


RIGHT = {
    "5.1": [mask_by_loop, mask_by_index],
    "5.2": [loss_by_the_library, loss_by_hand],
    "5.3": [plateau_by_loop, plateau_by_difference],
    "5.4": [9.01, math.log(8192)],
    "5.5": [perplexity_by_tensor, perplexity_by_product],
}
