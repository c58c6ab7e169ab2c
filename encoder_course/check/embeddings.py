"""Checks of notebook 11: sentence embeddings."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _pool(hidden: Tensor, keep: Tensor) -> Tensor:
    real = keep[..., None]  # (B, T, 1)
    return (hidden * real).sum(dim=1) / real.sum(dim=1)


pool = Exercise(
    number="11.1",
    title="the mean of the real tokens",
    difficulty=2,
    minutes=10,
    reference=_pool,
    cases=lambda: {
        "2 texts of 4 and 2 tokens": (
            _draw(2, 4, 3),
            torch.tensor([[True] * 4, [True, True, False, False]]),
        ),
        "3 texts, the padding on the left": (
            _draw(3, 5, 2) + 1,
            torch.arange(5) >= torch.tensor([[0], [2], [4]]),
        ),
    },
    misconceptions=(
        Misconception(
            "unmasked",
            "the padding counts as if it were text: pad a text further, and its vector moves",
            lambda hidden, keep: hidden.mean(dim=1),
        ),
        Misconception(
            "divided by all",
            "short texts get short vectors: padding adds nothing to your sum, but it is still"
            " counted when you divide",
            lambda hidden, keep: (hidden * keep[..., None]).mean(dim=1),
        ),
        Misconception(
            "sum",
            "long texts get long vectors: you add the tokens up and do not divide",
            lambda hidden, keep: (hidden * keep[..., None]).sum(dim=1),
        ),
        Misconception(
            "inverted",
            "this is the mean of the padding: True in `keep` marks the real tokens",
            lambda hidden, keep: (
                (hidden * ~keep[..., None]).sum(dim=1) / (~keep).sum(dim=1, keepdim=True)
            ),
        ),
        Misconception(
            "whole batch",
            "you divide by the real tokens of the whole batch: each text has a count of its own",
            lambda hidden, keep: (hidden * keep[..., None]).sum(dim=1) / keep.sum(),
        ),
        Misconception(
            "first token",
            "this is the vector of the first place alone",
            lambda hidden, keep: hidden[:, 0],
        ),
        Misconception(
            "over the batch",
            "you average over the texts, and each text should keep a vector of its own",
            lambda hidden, keep: hidden.mean(dim=0),
        ),
    ),
    spoilers=("sum(dim=1)", "keep[..., None]", "unsqueeze"),
)


def _ranks(values: Tensor) -> Tensor:
    below = (values[:, None] > values).sum(dim=1)
    tied = (values[:, None] == values).sum(dim=1)
    return below + (tied + 1) / 2.0


def _ordinal(values: Tensor) -> Tensor:
    return values.argsort(stable=True).argsort().float()


def _pearson(x: Tensor, y: Tensor) -> float:
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    return ((x @ y) / (x.norm() * y.norm())).item()


def _spearman(x: Tensor, y: Tensor) -> float:
    return _pearson(_ranks(x), _ranks(y))


def _kendall(x: Tensor, y: Tensor) -> float:
    signs = ((x[:, None] - x).sign() * (y[:, None] - y).sign()).sum()
    return (signs / (len(x) * (len(x) - 1))).item()


spearman = Exercise(
    number="11.2",
    title="rank correlation",
    difficulty=3,
    minutes=15,
    reference=_spearman,
    cases=lambda: {
        "six cosines, six scores, two of them tied": (
            torch.tensor([0.9, 0.2, 0.5, 0.6, 0.1, 0.3]),
            torch.tensor([5.0, 0.0, 2.0, 2.0, 1.0, 4.0]),
        ),
        "ten values, three tied, one far out": (
            torch.cat([_draw(9), torch.tensor([40.0])]),
            torch.tensor([1.0, 3.0, 3.0, 0.0, 2.0, 3.0, 4.0, 5.0, 0.5, 2.5]),
        ),
    },
    misconceptions=(
        Misconception(
            "values",
            "one value far out moves your result: you correlate the values and not their ranks",
            _pearson,
        ),
        Misconception(
            "order for rank",
            "sorting once tells *which* value is smallest, then which is next. A rank answers the"
            " opposite question: in which place does *this* value stand?",
            lambda x, y: _pearson(x.argsort(stable=True).float(), y.argsort(stable=True).float()),
        ),
        Misconception(
            "ties in order",
            "equal values get different ranks, by the chance of which comes first: they should"
            " share the mean of their places",
            lambda x, y: _pearson(_ordinal(x), _ordinal(y)),
        ),
        Misconception(
            "ties at the top",
            "equal values all get the place of the first of them: they should share the mean of"
            " their places",
            lambda x, y: _pearson(*((v[:, None] > v).sum(dim=1) for v in (x, y))),
        ),
        Misconception(
            "one side",
            "only the first sequence was turned into ranks",
            lambda x, y: _pearson(_ranks(x), y),
        ),
        Misconception(
            "backwards",
            "the sign is wrong: one side counts its ranks from the largest value",
            lambda x, y: -_spearman(x, y),
        ),
        Misconception(
            "squared",
            "the sign is lost: a correlation of -1 is not one of +1",
            lambda x, y: _spearman(x, y) ** 2,
        ),
        Misconception(
            "pairs",
            "you count pairs that stand in the same order: that is Kendall's measure",
            _kendall,
        ),
    ),
    spoilers=("argsort().argsort()", "rankdata", "+ 1) / 2"),
)


first_loss = Exercise(
    number="11.3",
    title="loss of a model that knows nothing",
    difficulty=1,
    minutes=5,
    reference=math.log(32),
    tolerance=0.004,
    misconceptions=(
        Misconception(
            "negatives only",
            "the right text is one of the choices, too: count it with the wrong ones",
            math.log(31),
        ),
        Misconception(
            "a probability",
            "that is the chance to guess right: the loss is the surprise at it",
            1 / 32,
        ),
        Misconception(
            "bits",
            "that is the surprise in bits, and the losses of this course are in nats",
            5.0,
        ),
        Misconception(
            "digits",
            "that is the surprise to the base of ten, and the losses of this course are in nats",
            math.log10(32),
        ),
        Misconception(
            "one of two",
            "that would be so for one wrong text beside the right one: there is a whole batch",
            math.log(2),
        ),
        Misconception(
            "both directions",
            "the two directions are averaged, not added",
            2 * math.log(32),
        ),
        Misconception("nothing", "a loss of 0 means that it is always sure, and always right", 0.0),
    ),
)


def _logits(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    return F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T / temperature


def _both(logits: Tensor) -> Tensor:
    right = torch.arange(len(logits))
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def _info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    return _both(_logits(first, second, temperature))


def _without_the_right(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    logits = _logits(first, second, temperature)
    others = logits.clone().fill_diagonal_(-torch.inf)
    both = [others.logsumexp(dim=axis) - logits.diagonal() for axis in (0, 1)]
    return torch.stack(both).mean()


info_nce = Exercise(
    number="11.4",
    title="the contrastive loss",
    difficulty=3,
    minutes=20,
    reference=_info_nce,
    cases=lambda: {
        "3 pairs of width 2, temperature 0.5": (
            torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]),
            torch.tensor([[2.0, 1.0], [0.5, 1.0], [0.0, -3.0]]),
            0.5,
        ),
        "6 pairs of width 8, temperature 0.1": (
            _draw(6, 8),
            _draw(6, 8) + _draw(6, 8).roll(1),
            0.1,
        ),
    },
    tolerance=1e-4,
    misconceptions=(
        Misconception(
            "multiplied",
            "the loss hardly moves whatever the vectors are: a temperature below 1 must make the"
            " differences between cosines larger, and yours makes them smaller",
            lambda first, second, t: _info_nce(first, second, 1 / t),
        ),
        Misconception(
            "no temperature",
            "cosines lie between -1 and 1: without the temperature even a perfect model is unsure",
            lambda first, second, t: _info_nce(first, second, 1.0),
        ),
        Misconception(
            "dot products",
            "long vectors count more: what you compare are dot products and not cosines",
            lambda first, second, t: _both(first @ second.T / t),
        ),
        Misconception(
            "one side long",
            "only one of the two sides was brought to length 1",
            lambda first, second, t: _both(F.normalize(first, dim=-1) @ second.T / t),
        ),
        Misconception(
            "normalised columns",
            "each *number* has length 1 over the batch, so that batch-mates change a vector: it is"
            " each *vector* that should have it",
            lambda first, second, t: _both(
                F.normalize(first, dim=0) @ F.normalize(second, dim=0).T / t
            ),
        ),
        Misconception(
            "one direction",
            "you only ask each first text for its second: the other way is asked, too, and the two"
            " are averaged",
            lambda first, second, t: F.cross_entropy(
                _logits(first, second, t), torch.arange(len(first))
            ),
        ),
        Misconception(
            "other direction",
            "you only ask each second text for its first: the other way is asked, too, and the two"
            " are averaged",
            lambda first, second, t: F.cross_entropy(
                _logits(second, first, t), torch.arange(len(first))
            ),
        ),
        Misconception(
            "added",
            "the two directions are added up, and should be averaged",
            lambda first, second, t: 2 * _info_nce(first, second, t),
        ),
        Misconception(
            "always the first",
            "you say that the first text of the batch is right for everybody: the right one for"
            " row i is row i",
            lambda first, second, t: (
                (
                    F.cross_entropy(
                        _logits(first, second, t), torch.zeros(len(first), dtype=torch.long)
                    )
                    + F.cross_entropy(
                        _logits(second, first, t), torch.zeros(len(first), dtype=torch.long)
                    )
                )
                / 2
            ),
        ),
        Misconception(
            "softmax twice",
            "the loss cannot get near 0: `cross_entropy` takes logits and does its own softmax, and"
            " you give it probabilities",
            lambda first, second, t: (
                (
                    F.cross_entropy(
                        _logits(first, second, t).softmax(dim=-1), torch.arange(len(first))
                    )
                    + F.cross_entropy(
                        _logits(second, first, t).softmax(dim=-1), torch.arange(len(first))
                    )
                )
                / 2
            ),
        ),
        Misconception(
            "no negatives",
            "you pull the pairs together and push nobody apart: one vector for all texts would be"
            " best",
            lambda first, second, t: -_logits(first, second, t).diagonal().mean(),
        ),
        Misconception(
            "right one missing",
            "the loss gets below 0: the right text is not among those that share the probability",
            _without_the_right,
        ),
    ),
    spoilers=("/ temperature", "arange", "logits.T", "normalize"),
)


def _spared(logits: Tensor, groups: Tensor) -> Tensor:
    same = (groups[:, None] == groups) & ~torch.eye(len(groups), dtype=torch.bool)
    return F.cross_entropy(logits.masked_fill(same, -torch.inf), torch.arange(len(logits)))


def _all_equal(logits: Tensor, groups: Tensor) -> Tensor:
    same = (groups[:, None] == groups).float()
    return F.cross_entropy(logits, same / same.sum(dim=1, keepdim=True))


def _earlier_only(logits: Tensor, groups: Tensor) -> Tensor:
    same = ((groups[:, None] == groups).float().tril(-1)).bool()
    return F.cross_entropy(logits.masked_fill(same, -torch.inf), torch.arange(len(logits)))


def _rows_dropped(logits: Tensor, groups: Tensor) -> Tensor:
    alone = (groups[:, None] == groups).sum(dim=1) == 1
    kept = logits[alone][:, alone]
    return F.cross_entropy(kept, torch.arange(len(kept)))


def _zeroed(logits: Tensor, groups: Tensor) -> Tensor:
    same = (groups[:, None] == groups) & ~torch.eye(len(groups), dtype=torch.bool)
    return F.cross_entropy(logits.masked_fill(same, 0.0), torch.arange(len(logits)))


spare = Exercise(
    number="11.5",
    title="false negatives",
    difficulty=3,
    minutes=15,
    reference=_spared,
    cases=lambda: {
        "4 pairs, the first two of one object": (
            torch.tensor(
                [
                    [8.0, 8.0, 1.0, 0.0],
                    [8.0, 8.0, 0.0, 2.0],
                    [1.0, 2.0, 5.0, 0.0],
                    [0.0, 0.0, 3.0, 4.0],
                ]
            ),
            torch.tensor([7, 7, 1, 2]),
        ),
        "7 pairs of four objects": (4 * _draw(7, 7), torch.tensor([0, 1, 0, 2, 2, 0, 3])),
    },
    misconceptions=(
        Misconception(
            "not spared",
            "nothing changed: equal texts are still each other's negatives, and the loss asks for"
            " the impossible",
            lambda logits, groups: F.cross_entropy(logits, torch.arange(len(logits))),
        ),
        Misconception(
            "itself taken out",
            "the loss is infinite: each text is of its own group, so that you took out the right"
            " answer as well",
            lambda logits, groups: F.cross_entropy(
                logits.masked_fill(groups[:, None] == groups, -torch.inf), torch.arange(len(logits))
            ),
        ),
        Misconception(
            "a logit of zero",
            "a logit of 0 is a choice like any other, and better than those below 0: what is out"
            " of the race needs a probability of 0",
            _zeroed,
        ),
        Misconception(
            "rows dropped",
            "you leave out every pair that has a twin, and what they could teach with them: only"
            " the twin is no negative",
            _rows_dropped,
        ),
        Misconception(
            "half",
            "the later of two twins spares the earlier one, but not the other way round",
            _earlier_only,
        ),
        Misconception(
            "twins as targets",
            "you ask for the twins with equal shares of the target: a good idea, and another loss."
            " Here they are neither right nor wrong",
            _all_equal,
        ),
    ),
    spoilers=("-torch.inf", "eye(", "[:, None] ==", "masked_fill"),
)


def _found(first: Tensor, second: Tensor, k: int) -> float:
    return _found_in(F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T, k)


def _found_in(scores: Tensor, k: int) -> float:
    best = scores.topk(k, dim=-1).indices  # (B, k)
    return (best == torch.arange(len(scores))[:, None]).any(dim=-1).double().mean().item()


def _pairs(count: int, noise: float) -> tuple[Tensor, Tensor]:
    first = _draw(count, 6)
    lengths = torch.linspace(0.2, 4.0, count)[:, None]
    return first * lengths.flip(0), (first + noise * _draw(count, 7)[:, :6]) * lengths


found = Exercise(
    number="11.6",
    title="found among the first k",
    difficulty=2,
    minutes=15,
    reference=_found,
    cases=lambda: {
        "30 pairs, k = 1": (*_pairs(30, 1.0), 1),
        "40 pairs, k = 5": (*_pairs(40, 1.6), 5),
        "25 pairs, k = 3": (*_pairs(25, 1.3), 3),
    },
    misconceptions=(
        Misconception(
            "dot products",
            "long documents are everybody's answer: you rank by the dot product, and the lengths"
            " of the vectors decide",
            lambda first, second, k: _found_in(first @ second.T, k),
        ),
        Misconception(
            "distances",
            "a long and a short vector of one direction are far apart for you: rank by angles",
            lambda first, second, k: _found_in(-torch.cdist(first, second), k),
        ),
        Misconception(
            "other way round",
            "you ask each second text for its first: here the first texts are the questions",
            lambda first, second, k: _found(second, first, k),
        ),
        Misconception(
            "the worst",
            "you look among the k *least* similar documents",
            lambda first, second, k: _found_in(
                -F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T, k
            ),
        ),
        Misconception(
            "one more",
            "one place too many counts as found: places are counted from 1, and the k-th is the"
            " last one",
            lambda first, second, k: _found(first, second, k + 1),
        ),
        Misconception(
            "first place only",
            "only the first place counts for you, whatever `k` is",
            lambda first, second, k: _found(first, second, 1),
        ),
        Misconception(
            "a count",
            "this is how many were found: the share is asked",
            lambda first, second, k: _found(first, second, k) * len(first),
        ),
        Misconception(
            "per place",
            "you divide what was found by k as well: each question has one right document, not k",
            lambda first, second, k: _found(first, second, k) / k,
        ),
    ),
    spoilers=("topk", "normalize", "any("),
)
