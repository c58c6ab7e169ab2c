"""Checks of notebook 05: masked language modelling."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception
from encoder_course.text.masking import NOT_ASKED

MASK = 4  # the id of [MASK]


def _mask(ids: Tensor, chosen: Tensor, draw: Tensor, random_ids: Tensor) -> tuple[Tensor, Tensor]:
    inputs = ids.masked_fill(chosen & (draw < 0.8), MASK)
    inputs = torch.where(chosen & (draw >= 0.8) & (draw < 0.9), random_ids, inputs)
    return inputs, ids.masked_fill(~chosen, NOT_ASKED)


def _labels_everywhere(ids, chosen, draw, random_ids):
    return _mask(ids, chosen, draw, random_ids)[0], ids.clone()


def _labels_of_inputs(ids, chosen, draw, random_ids):
    inputs, _ = _mask(ids, chosen, draw, random_ids)
    return inputs, inputs.masked_fill(~chosen, NOT_ASKED)


def _labels_where_changed(ids, chosen, draw, random_ids):
    inputs, _ = _mask(ids, chosen, draw, random_ids)
    return inputs, ids.masked_fill(inputs == ids, NOT_ASKED)


def _always_mask(ids, chosen, draw, random_ids):
    return ids.masked_fill(chosen, MASK), ids.masked_fill(~chosen, NOT_ASKED)


def _mask_not_chosen(ids, chosen, draw, random_ids):
    every = torch.ones_like(chosen)
    return _mask(ids, every, draw, random_ids)[0], ids.masked_fill(~chosen, NOT_ASKED)


def _share_of_the_rest(ids, chosen, draw, random_ids):
    inputs = ids.masked_fill(chosen & (draw < 0.8), MASK)
    inputs = torch.where(chosen & (draw >= 0.8) & (draw < 0.82), random_ids, inputs)
    return inputs, ids.masked_fill(~chosen, NOT_ASKED)


def _never_keep(ids, chosen, draw, random_ids):
    inputs = ids.masked_fill(chosen & (draw < 0.8), MASK)
    return torch.where(chosen & (draw >= 0.8), random_ids, inputs), ids.masked_fill(
        ~chosen, NOT_ASKED
    )


def _mask_cases():
    ids = torch.tensor([[2, 11, 12, 13, 14, 3], [2, 21, 22, 23, 24, 3]])
    chosen = torch.tensor([[0, 1, 1, 0, 1, 0], [0, 1, 0, 0, 1, 0]]).bool()
    draw = torch.tensor([[0.10, 0.30, 0.85, 0.40, 0.95, 0.2], [0.81, 0.50, 0.05, 0.99, 0.88, 0.7]])
    random_ids = torch.tensor([[61, 62, 63, 64, 65, 66], [71, 72, 73, 74, 75, 76]])
    nothing = torch.zeros_like(chosen)
    return {
        "two rows with five chosen tokens": (ids, chosen, draw, random_ids),
        "two rows with none chosen": (ids, nothing, draw, random_ids),
    }


mask = Exercise(
    number="5.1",
    title="mask",
    difficulty=3,
    minutes=20,
    reference=_mask,
    cases=_mask_cases,
    misconceptions=(
        Misconception(
            "labels everywhere",
            "the labels name every token, so the model is paid for copying what it can see: only"
            " chosen positions are asked",
            _labels_everywhere,
        ),
        Misconception(
            "labels of the inputs",
            "the labels were taken after the tokens had been replaced: the model would learn to"
            " answer [MASK]",
            _labels_of_inputs,
        ),
        Misconception(
            "labels where changed",
            "chosen tokens that stay as they are have no label: then the model may trust every"
            " word it sees, which is what the last tenth is there to prevent",
            _labels_where_changed,
        ),
        Misconception(
            "always [MASK]",
            "every chosen token became [MASK]: a sentence without [MASK], which is all the model"
            " meets later, would look like nothing it was trained on",
            _always_mask,
        ),
        Misconception(
            "mask what was not chosen",
            "tokens are replaced at positions that were not chosen: `draw` decides only what"
            " happens to a chosen token",
            _mask_not_chosen,
        ),
        Misconception(
            "a tenth of the rest",
            "too few random tokens: the second share was taken of what the first one left over,"
            " but both are shares of all chosen tokens",
            _share_of_the_rest,
        ),
        Misconception(
            "never kept",
            "no chosen token stays as it is: the third share is missing",
            _never_keep,
        ),
    ),
    spoilers=("masked_fill", "torch.where", "0.9"),
)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    asked = labels != NOT_ASKED
    return F.cross_entropy(logits[asked], labels[asked])


def _loss_over_all(logits, labels):
    asked = labels != NOT_ASKED
    return F.cross_entropy(logits[asked], labels[asked], reduction="sum") / labels.numel()


def _loss_wrapped(logits, labels):
    picked = logits.log_softmax(-1).gather(-1, (labels % logits.shape[-1])[..., None])
    return -picked.mean()


def _loss_row_means(logits, labels):
    rows = [_loss(row, label) for row, label in zip(logits, labels, strict=True)]
    return torch.stack(rows).mean()


def _loss_sum(logits, labels):
    asked = labels != NOT_ASKED
    return F.cross_entropy(logits[asked], labels[asked], reduction="sum")


def _loss_bits(logits, labels):
    return _loss(logits, labels) / math.log(2)


def _loss_probability(logits, labels):
    asked = labels != NOT_ASKED
    chances = logits[asked].softmax(-1).gather(-1, labels[asked][:, None])
    return 1 - chances.mean()


def _loss_cases():
    logits = torch.linspace(-2.0, 3.0, 2 * 4 * 7).reshape(2, 4, 7).sin() * 2
    labels = torch.tensor([[-100, 5, -100, -100], [6, -100, 2, 5]])
    return {"two rows that ask once and three times": (logits, labels)}


loss = Exercise(
    number="5.2",
    title="loss",
    difficulty=2,
    minutes=15,
    reference=_loss,
    cases=_loss_cases,
    misconceptions=(
        Misconception(
            "mean over all tokens",
            "the sum is divided by the number of all tokens: with few masks the loss looks small"
            " whatever the model knows",
            _loss_over_all,
        ),
        Misconception(
            "-100 taken for a token",
            "positions that are not asked count as well: -100 was used as if it were the id of a"
            " token",
            _loss_wrapped,
        ),
        Misconception(
            "mean of row means",
            "each row has the same weight, however much it asks: a row with one question counts as"
            " much as a row with three",
            _loss_row_means,
        ),
        Misconception(
            "sum",
            "this is a sum: it grows with the number of questions, so no two batches compare",
            _loss_sum,
        ),
        Misconception(
            "bits",
            "this is the loss in bits: the course, like PyTorch, counts in nats",
            _loss_bits,
        ),
        Misconception(
            "one minus the probability",
            "this averages how far the probabilities are from 1: cross-entropy averages how"
            " surprised the model is",
            _loss_probability,
        ),
    ),
    spoilers=("cross_entropy", "logits[", "log_softmax"),
)


def _plateau(train: Tensor, heldout: Tensor) -> float:
    chance = train / train.sum()
    return float(-(heldout / heldout.sum() * chance.log()).sum())


def _plateau_cases():
    return {
        "four tokens": (
            torch.tensor([50.0, 30.0, 15.0, 5.0]),
            torch.tensor([4.0, 4.0, 1.0, 1.0]),
        )
    }


plateau = Exercise(
    number="5.3",
    title="plateau",
    difficulty=2,
    minutes=10,
    reference=_plateau,
    cases=_plateau_cases,
    misconceptions=(
        Misconception(
            "entropy of the held-out tokens",
            "the probabilities were counted on the held-out tokens themselves: no model may see"
            " the frequencies it is judged on",
            lambda train, heldout: _plateau(heldout, heldout),
        ),
        Misconception(
            "entropy of the training tokens",
            "the average runs over the training tokens: the question is how surprised the counts"
            " are by tokens they were not made from",
            lambda train, heldout: _plateau(train, train),
        ),
        Misconception(
            "every token counts once",
            "each token of the vocabulary has the same weight here, but a frequent token is asked"
            " more often",
            lambda train, heldout: float(-(train / train.sum()).log().mean()),
        ),
        Misconception(
            "bits",
            "this is the loss in bits: the course, like PyTorch, counts in nats",
            lambda train, heldout: _plateau(train, heldout) / math.log(2),
        ),
        Misconception(
            "perplexity",
            "this is a perplexity: the loss is asked, before the exponential",
            lambda train, heldout: math.exp(_plateau(train, heldout)),
        ),
    ),
    spoilers=(".log()", "math.log", "sum()"),
)

first_loss = Exercise(
    number="5.4",
    title="loss of an untrained model",
    difficulty=1,
    minutes=3,
    reference=math.log(8192),
    tolerance=0.02,
    misconceptions=(
        Misconception(
            "bits",
            "in bits, yes: PyTorch's cross-entropy counts in nats",
            13.0,
        ),
        Misconception(
            "the number of tokens",
            "that is the perplexity of a model that finds all tokens equally likely",
            8192.0,
        ),
        Misconception(
            "zero",
            "a loss of 0 means certainty, and an untrained model is certain of nothing",
            0.0,
        ),
    ),
    spoilers=("log(", "9.0"),
)


def _perplexity(losses: list[float], asked: list[int]) -> float:
    total = sum(value * count for value, count in zip(losses, asked, strict=True))
    return math.exp(total / sum(asked))


def _perplexity_cases():
    return {"a large batch and a small one": ([2.0, 4.0], [300, 100])}


perplexity = Exercise(
    number="5.5",
    title="perplexity",
    difficulty=2,
    minutes=10,
    reference=_perplexity,
    cases=_perplexity_cases,
    misconceptions=(
        Misconception(
            "mean of perplexities",
            "perplexities were averaged: the exponential comes once, at the end, or one hard batch"
            " outweighs all the others",
            lambda losses, asked: (
                sum(math.exp(v) * n for v, n in zip(losses, asked, strict=True)) / sum(asked)
            ),
        ),
        Misconception(
            "plain mean of perplexities",
            "perplexities were averaged, and batches count alike whatever they asked: average the"
            " losses, by questions, before the exponential",
            lambda losses, asked: sum(map(math.exp, losses)) / len(losses),
        ),
        Misconception(
            "batches count alike",
            "each batch has the same weight, however many tokens it asked for",
            lambda losses, asked: math.exp(sum(losses) / len(losses)),
        ),
        Misconception(
            "base 2",
            "the losses are in nats, but the power was taken of 2",
            lambda losses, asked: 2 ** math.log(_perplexity(losses, asked)),
        ),
        Misconception(
            "the loss itself",
            "this is the mean loss: perplexity is the number of equally likely tokens that it"
            " stands for",
            lambda losses, asked: math.log(_perplexity(losses, asked)),
        ),
    ),
    spoilers=("math.exp", "sum(", "zip("),
)
