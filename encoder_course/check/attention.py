"""Checks of notebook 03: self-attention."""

from __future__ import annotations

import torch
from torch import Tensor

from encoder_course.check.base import Exercise, Misconception
from encoder_course.nn import attention


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.mT / q.shape[-1] ** 0.5


scores = Exercise(
    number="3.1",
    title="scaled scores",
    difficulty=1,
    minutes=10,
    reference=_scores,
    cases=lambda: {
        "3 queries and 5 keys of width 2": (
            torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]),
            torch.tensor([[1.0, 1.0], [0.0, 1.0], [2.0, 0.0], [0.0, 3.0], [-1.0, 1.0]]),
        ),
        "2 rows of 3 heads, 4 queries and 7 keys of width 6": (
            _draw(2, 3, 4, 6),
            _draw(2, 3, 7, 6),
        ),
    },
    misconceptions=(
        Misconception(
            "unscaled",
            "the right keys win, but the spread of the scores grows with the width of the head",
            lambda q, k: q @ k.mT,
        ),
        Misconception(
            "by the width",
            "the wider the head, the more equal your scores: you divide by the variance of a dot"
            " product, and its standard deviation is what has to go",
            lambda q, k: q @ k.mT / q.shape[-1],
        ),
        Misconception(
            "by the number of keys",
            "your scores depend on how many keys there are: a longer sentence does not change the"
            " dot product of two tokens",
            lambda q, k: q @ k.mT / k.shape[-2] ** 0.5,
        ),
        Misconception(
            "multiplied",
            "the scores are larger than the dot products: scaling has to make them smaller",
            lambda q, k: q @ k.mT * q.shape[-1] ** 0.5,
        ),
        Misconception(
            "keys ask",
            "there is one row for each key and one column for each query: it is the queries that"
            " ask, so each of them owns a row",
            lambda q, k: _scores(k, q),
        ),
        Misconception(
            "cosine",
            "no score is above 1: you compare directions only, and a long query may insist",
            lambda q, k: (q / q.norm(dim=-1, keepdim=True)) @ (k / k.norm(dim=-1, keepdim=True)).mT,
        ),
        Misconception(
            "softmax too soon",
            "each row sums to 1: these are weights, and the exercise stops one step before",
            lambda q, k: _scores(q, k).softmax(dim=-1),
        ),
    ),
    spoilers=("sqrt", "** 0.5", "square root", ".mT", "transpose"),
)


def _masked_weights(scores: Tensor, keep: Tensor) -> Tensor:
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~keep, lowest).softmax(dim=-1).masked_fill(~keep, 0.0)


masked_weights = Exercise(
    number="3.2",
    title="masked weights",
    difficulty=3,
    minutes=20,
    reference=_masked_weights,
    cases=lambda: {
        "3 queries and 4 keys, the last key is padding": (
            torch.tensor([[2.0, 2.0, 1.0, 3.0], [0.0, 1.0, -1.0, 0.5], [1.0, 0.0, 4.0, 2.0]]),
            torch.tensor([True, True, True, False]),
        ),
        "2 rows of 3 queries and 5 keys, scores near -20": (
            _draw(2, 1, 3, 5) - 20,
            torch.tensor([[True] * 5, [True, True, False, False, False]])[:, None, None],
        ),
        "2 rows, and the second has nothing to keep": (
            _draw(2, 1, 2, 3),
            torch.tensor([[True, False, True], [False] * 3])[:, None, None],
        ),
    },
    misconceptions=(
        Misconception(
            "inverted",
            "all the weight lies on the padding and none on the words: your mask has the opposite"
            " polarity, and here True means that a key may be attended",
            lambda scores, keep: _masked_weights(scores, ~keep),
        ),
        Misconception(
            "no mask",
            "padding has weight, as if there were no mask",
            lambda scores, keep: scores.softmax(dim=-1),
        ),
        Misconception(
            "too late",
            "padding has no weight, but the rows do not sum to 1 any more: its share was already"
            " in the sum when you removed it",
            lambda scores, keep: scores.softmax(dim=-1) * keep,
        ),
        Misconception(
            "score of zero",
            "padding still has weight: a score of 0 is a score like any other, and exp(0) is 1",
            lambda scores, keep: (scores * keep).softmax(dim=-1),
        ),
        Misconception(
            "not low enough",
            "where the scores are low anyway, padding wins: a fixed number such as -10 is not below"
            " every score",
            lambda scores, keep: scores.masked_fill(~keep, -10.0).softmax(dim=-1),
        ),
        Misconception(
            "NaN",
            "a row with nothing to keep gives NaN: all its exponentials are 0, and they are divided"
            " by their sum",
            lambda scores, keep: scores.masked_fill(~keep, -torch.inf).softmax(dim=-1),
        ),
        Misconception(
            "uniform",
            "a row with nothing to keep spreads its weight evenly over the padding: when all scores"
            " are equally low, low means nothing",
            lambda scores, keep: scores.masked_fill(~keep, torch.finfo(scores.dtype).min).softmax(
                dim=-1
            ),
        ),
        Misconception(
            "over the queries",
            "the columns sum to 1: each key divides its weight among the queries, and it is each"
            " query that has 1 to give",
            lambda scores, keep: (
                scores.masked_fill(~keep, torch.finfo(scores.dtype).min)
                .softmax(dim=-2)
                .masked_fill(~keep, 0.0)
            ),
        ),
    ),
    spoilers=("masked_fill", "finfo", "nan_to_num", "where("),
)


def _causal_keep(keep: Tensor) -> Tensor:
    length = keep.shape[1]
    return keep[:, None, None, :] & torch.ones(length, length, dtype=torch.bool).tril()


causal_keep = Exercise(
    number="3.3",
    title="causal and padding mask",
    difficulty=2,
    minutes=15,
    reference=_causal_keep,
    cases=lambda: {
        "2 rows of 5 tokens, the second has 2 of padding": (
            torch.tensor([[True] * 5, [True, True, True, False, False]]),
        ),
        "1 row of 3 tokens, padding on the left": (torch.tensor([[False, True, True]]),),
    },
    misconceptions=(
        Misconception(
            "future",
            "each token sees itself and what comes after it: the triangle is upside down",
            lambda keep: keep[:, None, None, :] & _past(keep).mT,
        ),
        Misconception(
            "not itself",
            "no token sees itself, and the first one sees nothing at all: is the diagonal in?",
            lambda keep: keep[:, None, None, :] & _past(keep, -1),
        ),
        Misconception(
            "one too far",
            "each token sees the next one: the leak is a single diagonal wide",
            lambda keep: keep[:, None, None, :] & _past(keep, 1),
        ),
        Misconception(
            "inverted",
            "your mask is True exactly where a key has to be hidden: the opposite polarity",
            lambda keep: ~_causal_keep(keep),
        ),
        Misconception(
            "either",
            "a key counts as soon as one of the two conditions holds: both have to",
            lambda keep: keep[:, None, None, :] | _past(keep),
        ),
        Misconception(
            "no padding",
            "the past is right, but padding may be attended",
            lambda keep: _past(keep).expand(len(keep), 1, -1, -1),
        ),
        Misconception(
            "padding asks",
            "whole rows are hidden where columns should be: padding is nothing to look at, but"
            " whether it looks itself does no harm",
            lambda keep: keep[:, None, :, None] & _past(keep),
        ),
        Misconception(
            "no axis for the heads",
            "one axis is missing: the mask has to spread over the heads, too",
            lambda keep: _causal_keep(keep)[:, 0],
        ),
    ),
    spoilers=("tril", "triu", "None, None", "&"),
)


def _past(keep: Tensor, diagonal: int = 0) -> Tensor:
    length = keep.shape[1]
    return torch.ones(length, length, dtype=torch.bool).tril(diagonal)


def _merge_heads(values: Tensor) -> Tensor:
    return values.transpose(1, 2).flatten(2)


merge_heads = Exercise(
    number="3.4",
    title="merged heads",
    difficulty=2,
    minutes=10,
    reference=_merge_heads,
    cases=lambda: {
        "1 row of 2 heads, 3 tokens, width 2": (
            torch.tensor([[[[0, 1], [10, 11], [20, 21]], [[2, 3], [12, 13], [22, 23]]]]),
        ),
        "2 rows of 3 heads, 4 tokens, width 5": (torch.arange(120).reshape(2, 3, 4, 5),),
    },
    misconceptions=(
        Misconception(
            "regrouped",
            "a row of the result holds numbers of several tokens: the shape is right, but numbers"
            " were only regrouped in the order in which they lie in memory",
            lambda values: values.reshape(len(values), values.shape[2], -1),
        ),
        Misconception(
            "interleaved",
            "each row holds the numbers of its own token, but the heads alternate: the K numbers of"
            " one head have to stay side by side",
            lambda values: values.permute(0, 2, 3, 1).flatten(2),
        ),
        Misconception(
            "width for tokens",
            "the axis that was exchanged is the width of the heads, not their number",
            lambda values: values.mT.reshape(len(values), values.shape[2], -1),
        ),
        Misconception(
            "added up",
            "the heads are added to each other: what they found has to stay apart until the output"
            " matrix mixes it",
            lambda values: values.sum(dim=1),
        ),
    ),
    spoilers=("transpose(", "permute", "flatten(2)", "swapaxes"),
)

_SHAPES = {
    "projected": (2, 9, 12),
    "queries": (2, 3, 9, 4),
    "keep": (2, 1, 1, 9),
    "scores": (2, 3, 9, 9),
    "output": (2, 9, 12),
}

shapes = Exercise(
    number="3.5",
    title="shapes",
    difficulty=1,
    minutes=5,
    reference=_SHAPES,
    misconceptions=(
        Misconception(
            "full width in each head",
            "three heads of the full width would be three times as many numbers as there are",
            _SHAPES | {"queries": (2, 3, 9, 12)},
        ),
        Misconception(
            "tokens before heads",
            "in your queries the heads stand after the tokens: a matrix product works on the last"
            " two axes, and those have to be tokens and numbers",
            _SHAPES | {"queries": (2, 9, 3, 4)},
        ),
        Misconception(
            "mask of the queries",
            "your mask hides queries: padding must not be looked at, so it is the keys that go",
            _SHAPES | {"keep": (2, 1, 9, 1)},
        ),
        Misconception(
            "one table of scores for all heads",
            "every head has scores of its own",
            _SHAPES | {"scores": (2, 9, 9)},
        ),
        Misconception(
            "numbers for keys",
            "a score belongs to a query and a key, and not to a query and one of its numbers",
            _SHAPES | {"scores": (2, 3, 9, 4)},
        ),
        Misconception(
            "output by head",
            "the block adds the output to its input, so the heads have to be merged again",
            _SHAPES | {"output": (2, 3, 9, 4)},
        ),
    ),
)


def _previous_share(weights: Tensor, keep: Tensor) -> Tensor:
    shares = weights.diagonal(offset=-1, dim1=-2, dim2=-1)  # (B, H, T - 1)
    return shares.transpose(0, 1)[:, keep[:, 1:]].mean(dim=-1)


def _batch(lengths: list[int], heads: int, width: int) -> tuple[Tensor, Tensor]:
    """Weights of random heads and the mask of rows of these lengths, padded on the right."""
    keep = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    q = 2 * _draw(len(lengths), heads, max(lengths), width)
    return attention(q, q.flip(-1), q, keep[:, None, None, :])[1], keep


previous_share = Exercise(
    number="3.6",
    title="share of the previous token",
    difficulty=3,
    minutes=20,
    reference=_previous_share,
    cases=lambda: {
        "3 rows of 7, 4 and 2 tokens, 5 heads": _batch([7, 4, 2], 5, 4),
        "1 row of 6 tokens, 2 heads, no padding": _batch([6], 2, 4),
    },
    misconceptions=(
        Misconception(
            "next",
            "this is the share of the next token: the first index of a weight is who looks",
            lambda weights, keep: (
                weights.diagonal(1, -2, -1).transpose(0, 1)[:, keep[:, 1:]].mean(-1)
            ),
        ),
        Misconception(
            "itself",
            "this is the share that tokens give to themselves",
            lambda weights, keep: weights.diagonal(0, -2, -1).transpose(0, 1)[:, keep].mean(-1),
        ),
        Misconception(
            "padding asks",
            "where there is no padding it is right: padding has queries, too, and they are in your"
            " mean",
            lambda weights, keep: weights.diagonal(-1, -2, -1).mean(dim=(0, 2)),
        ),
        Misconception(
            "first token counts",
            "all shares are a little low: the first token of a row has no previous one, and you"
            " count it as a 0",
            lambda weights, keep: (
                (weights.diagonal(-1, -2, -1) * keep[:, None, 1:]).sum(dim=(0, 2)) / keep.sum()
            ),
        ),
        Misconception(
            "mean of means",
            "a token of a short row counts more than one of a long row: you average row by row"
            " first",
            lambda weights, keep: (
                (weights.diagonal(-1, -2, -1) * keep[:, None, 1:]).sum(dim=-1)
                / keep[:, 1:].sum(dim=-1, keepdim=True)
            ).mean(dim=0),
        ),
        Misconception(
            "all heads together",
            "one number for all heads: an average over heads hides the head you are looking for",
            lambda weights, keep: _previous_share(weights, keep).mean(),
        ),
    ),
    spoilers=("diagonal(", "[:, 1:]"),
)
