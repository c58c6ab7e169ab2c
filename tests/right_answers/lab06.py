"""Right answers to the exercises of lab 06."""

import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F


def fill_by_sums(inputs, logits, asked, chance, temperature):
    sums = (logits / temperature).softmax(dim=-1).cumsum(dim=-1)
    drawn = (sums <= chance.unsqueeze(-1)).sum(dim=-1)
    filled = inputs.clone()
    filled[asked] = drawn[asked]
    return filled


def fill_by_loop(inputs, logits, asked, chance, temperature):
    filled = inputs.clone()
    for row, place in asked.nonzero().tolist():
        left = chance[row, place].item()
        odds = torch.exp(logits[row, place] / temperature)
        for token, part in enumerate((odds / odds.sum()).tolist()):
            if left < part:
                filled[row, place] = token
                break
            left -= part
    return filled


def fill_by_search(inputs, logits, asked, chance, temperature):
    ends = torch.softmax(logits[asked] / temperature, dim=-1).cumsum(dim=-1)
    drawn = torch.searchsorted(ends, chance[asked][:, None], right=True).squeeze(1)
    return inputs.masked_scatter(asked, drawn)


def joint_by_sums(parts, weight):
    guessing = sum(p["guessing"] * p["asked"] for p in parts)
    detection = sum(p["detection"] * p["real"] for p in parts)
    asked, real = (sum(p[name] for p in parts) for name in ("asked", "real"))
    return guessing / asked + weight * detection / real


def joint_by_shares(parts, weight):
    asked, real = (sum(p[name] for p in parts) for name in ("asked", "real"))
    return sum(
        p["guessing"] * (p["asked"] / asked) + weight * p["detection"] * (p["real"] / real)
        for p in parts
    )


def play_by_steps(generator, table, detector, inputs, labels, keep, drawn):
    asked = labels != -100
    logits = generator(table[inputs])
    original = torch.where(asked, labels, inputs)
    forged = torch.where(asked, drawn, original)
    scores = detector(table[forged])[keep]
    truth = (forged != original)[keep].double()
    return {
        "guessing": F.cross_entropy(logits[asked], labels[asked]),
        "detection": F.binary_cross_entropy_with_logits(scores, truth),
    }


def play_by_embedding(generator, table, detector, inputs, labels, keep, drawn):
    guessing = F.cross_entropy(
        generator(F.embedding(inputs, table)).flatten(0, 1), labels.flatten()
    )
    asked = labels.ne(-100)
    forged = inputs.clone()
    forged[asked] = drawn[asked]
    replaced = asked & drawn.ne(labels)
    scores = detector(F.embedding(forged, table))
    surprise = F.softplus(torch.where(replaced, -scores, scores))
    return {"detection": (surprise * keep).sum() / keep.sum(), "guessing": guessing}


def auc_by_pairs(scores, replaced):
    won = 0.0
    for f in scores[replaced].tolist():
        for o in scores[~replaced].tolist():
            won += 1.0 if f > o else 0.5 if f == o else 0.0
    return won / (replaced.sum().item() * (~replaced).sum().item())


def auc_by_ranks(scores, replaced):
    ordered = scores.sort().values
    below, reached = (torch.searchsorted(ordered, scores, right=side) for side in (False, True))
    ranks = (below + reached + 1).double() / 2  # the mean rank of equal scores
    forged = replaced.sum().item()
    lowest = forged * (forged + 1) / 2
    return (ranks[replaced].sum().item() - lowest) / (forged * (len(scores) - forged))


def auc_by_library(scores, replaced):
    return float(roc_auc_score(replaced.numpy(), scores.numpy()))


def work_by_weights(shape, mlm_steps):
    dim = shape["dim"]
    block = 4 * dim**2 + 3 * dim * shape["ff_dim"]
    guess = shape["asked"] * (dim**2 + dim * shape["vocab"])
    mlm = 6 * (shape["tokens"] * shape["layers"] * block + guess)
    judge = shape["tokens"] * (dim**2 + dim)
    both = shape["layers"] + shape["generator_layers"]
    electra = 6 * (shape["tokens"] * both * block + guess + judge)
    return {"MLM": mlm, "ELECTRA": electra, "steps": mlm_steps * mlm // electra}


def work_by_products(shape, mlm_steps):
    def product(rows, width, out):
        return 3 * 2 * rows * width * out

    def encoder(layers):
        t, d, f = shape["tokens"], shape["dim"], shape["ff_dim"]
        return layers * (4 * product(t, d, d) + 2 * product(t, d, f) + product(t, f, d))

    def head(rows, out):
        return product(rows, shape["dim"], shape["dim"]) + product(rows, shape["dim"], out)

    guess = head(shape["asked"], shape["vocab"])
    mlm = encoder(shape["layers"]) + guess
    electra = encoder(shape["generator_layers"]) + guess
    electra += encoder(shape["layers"]) + head(shape["tokens"], 1)
    steps = 0
    while (steps + 1) * electra <= mlm_steps * mlm:
        steps += 1
    return {"steps": steps, "ELECTRA": electra, "MLM": mlm}


RIGHT = {
    "lab06.1": [fill_by_sums, fill_by_loop, fill_by_search],
    "lab06.2": [
        {
            "generator": ["guessing"],
            "table": {"detection", "guessing"},
            "detector": {"detection"},
            "untied": {"detection"},
        }
    ],
    "lab06.3": [joint_by_sums, joint_by_shares],
    "lab06.4": [play_by_steps, play_by_embedding],
    "lab06.5": [auc_by_pairs, auc_by_library, auc_by_ranks],
    "lab06.6": [work_by_weights, work_by_products],
}
