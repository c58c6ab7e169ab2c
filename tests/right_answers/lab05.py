"""Right answers to the exercises of lab 05."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def mask_by_index(ids, maskable, vocabulary_size, mask_id, generator):
    inputs, labels = ids.clone(), torch.full_like(ids, -100)
    chosen = maskable & (torch.rand(ids.shape, generator=generator) < 0.15)
    labels[chosen] = ids[chosen]
    draw = torch.rand(ids.shape, generator=generator)
    inputs[chosen & (draw < 0.8)] = mask_id
    swap = chosen & (draw >= 0.8) & (draw < 0.9)
    inputs[swap] = torch.randint(vocabulary_size, (int(swap.sum()),), generator=generator)
    return inputs, labels


def mask_by_coins(ids, maskable, vocabulary_size, mask_id, generator):
    def coin(chance):
        return torch.full(ids.shape, chance).bernoulli(generator=generator).bool()

    chosen = coin(0.15) & maskable
    hide = chosen & coin(0.8)
    swap = chosen & ~hide & coin(0.5)
    random_ids = torch.randint(0, vocabulary_size, ids.shape, generator=generator)
    inputs = torch.where(hide, mask_id, torch.where(swap, random_ids, ids))
    return inputs, torch.where(chosen, ids, -100)


def words_by_loop(continues, maskable, draw, rate):
    chosen = torch.zeros_like(maskable)
    for row in range(len(draw)):
        for place in range(draw.shape[1]):
            if not continues[row, place]:
                low = draw[row, place] < rate
            chosen[row, place] = low and maskable[row, place]
    return chosen


def words_by_number(continues, maskable, draw, rate):
    words = (~continues).cumsum(1)
    first = draw.masked_fill(continues, 0.0)
    draws = torch.zeros(len(draw), draw.shape[1] + 1).scatter_add(1, words, first)
    return maskable & (draws.gather(1, words) < rate)


def loss_by_index(logits, labels):
    asked = labels != -100
    chances = logits.log_softmax(-1)[asked]
    picked = chances[torch.arange(len(chances)), labels[asked]]
    return -picked.sum() / max(len(chances), 1)


def loss_by_the_library(logits, labels):
    flat = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return flat / (labels != -100).sum().clamp(min=1)


class HeadOfLibraryParts(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.transform = nn.Linear(embedding.embedding_dim, embedding.embedding_dim)
        self.norm = nn.LayerNorm(embedding.embedding_dim, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(len(embedding.weight)))
        self.weight = embedding.weight

    def forward(self, hidden):
        return F.linear(self.norm(F.gelu(self.transform(hidden))), self.weight, self.bias)


class HeadWithDecoder(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        vocabulary_size, dim = embedding.weight.shape
        self.transform, self.norm = nn.Linear(dim, dim), nn.LayerNorm(dim)
        self.decoder = nn.Linear(dim, vocabulary_size, bias=False)
        self.decoder.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def forward(self, hidden):
        wide = self.transform(hidden)
        bent = wide * (1 + torch.erf(wide / math.sqrt(2))) / 2
        return self.decoder(self.norm(bent)) + self.bias


def rate_by_parts(step, steps, warmup, peak, floor):
    if step + 1 <= warmup:
        return (step + 1) / warmup * peak
    left = (steps - 1 - step) / (steps - warmup)
    height = (1 - math.cos(math.pi * left)) / 2
    return peak * floor + peak * (1 - floor) * height


def rate_by_square(step, steps, warmup, peak, floor):
    rise = min(1.0, (step + 1) / max(warmup, 1))
    done = max(0.0, (step + 1 - warmup) / (steps - warmup))
    return peak * rise * (1 - (1 - floor) * math.sin(math.pi * done / 2) ** 2)


def evaluate_by_sums(model, batches, mask_id):
    was_training = model.training
    model.eval()
    kinds = ("[MASK]", "another token", "untouched")
    sums, counts = dict.fromkeys(("all", *kinds), 0.0), dict.fromkeys(("all", *kinds), 0)
    with torch.inference_mode():
        for inputs, labels in batches:
            chances = model(inputs).log_softmax(-1)
            for row, place in (labels != -100).nonzero().tolist():
                seen, true = int(inputs[row, place]), int(labels[row, place])
                kind = kinds[2] if seen == true else kinds[0] if seen == mask_id else kinds[1]
                for key in ("all", kind):
                    sums[key] -= float(chances[row, place, true])
                    counts[key] += 1
    model.train(was_training)
    return {key: sums[key] / counts[key] for key in sums}


@torch.no_grad()
def evaluate_by_masks(model, batches, mask_id):
    mode = model.training
    model.train(False)
    seen, true, surprise = [], [], []
    for inputs, labels in batches:
        each = F.cross_entropy(model(inputs).mT, labels, reduction="none")
        asked = labels != -100
        seen.append(inputs[asked])
        true.append(labels[asked])
        surprise.append(each[asked])
    model.train(mode)
    seen, true, surprise = torch.cat(seen), torch.cat(true), torch.cat(surprise)
    untouched, masked = seen == true, seen == mask_id
    return {
        "all": float(surprise.mean()),
        "[MASK]": float(surprise[masked].mean()),
        "another token": float(surprise[~masked & ~untouched].mean()),
        "untouched": float(surprise[untouched].mean()),
    }


RIGHT = {
    "lab05.1": [mask_by_index, mask_by_coins],
    "lab05.2": [words_by_loop, words_by_number],
    "lab05.3": [loss_by_index, loss_by_the_library],
    "lab05.4": [HeadOfLibraryParts, HeadWithDecoder],
    "lab05.5": [3.81, 5.5 * math.log(2)],
    "lab05.6": [rate_by_parts, rate_by_square],
    "lab05.7": [evaluate_by_sums, evaluate_by_masks],
}
