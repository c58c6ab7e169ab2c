"""Checks of lab 03: attention of the student's own encoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from encoder_course.check.base import Exercise, Misconception, faults_left
from encoder_course.check.running import call
from encoder_course.nn import attention

_SHOWN = 0  # the seed of the cases that a student may see


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(1000 + seed)


def _whole(low: int, high: int, generator: Generator) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _draw(*shape: int, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _lengths(*lengths: int) -> Tensor:
    """A padding mask (B, S) of rows of these lengths."""
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


# ---- lab03.1: attention


def _masked(scores: Tensor, keep: Tensor) -> Tensor:
    """The right weights: nothing on hidden keys, and zeros where there is nothing to keep."""
    return _filled(scores, keep).softmax(dim=-1).masked_fill(~keep, 0.0)


def _filled(scores: Tensor, keep: Tensor) -> Tensor:
    return scores.masked_fill(~keep, torch.finfo(scores.dtype).min)


def _attend_with(weigh: Callable = _masked, scale: Callable = math.sqrt) -> Callable:
    """Attention with another way from scores to weights, or another divisor."""

    def attend(q, k, v, keep):
        weights = weigh(q @ k.mT / scale(q.shape[-1]), keep)
        return weights @ v, weights

    return attend


def _attend_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    length, width = _whole(3, 5, generator), _whole(3, 6, generator)
    keys = length + _whole(1, 3, generator)
    shapes = (2, 3, length, width), (2, 3, keys, width), (2, 3, keys, width)
    q, k, v = (_draw(*shape, generator=generator) for shape in shapes)
    low = 1 + torch.rand(1, 1, 3, width, generator=generator)
    past = torch.ones(3, 3, dtype=torch.bool).tril()
    return {
        f"2 rows of 3 heads, {length} queries and {keys} keys, some are padding": (
            q,
            k,
            v,
            _lengths(keys, keys - 2)[:, None, None],
        ),
        "3 tokens, each sees itself and its past, scores far below zero": (
            low,
            -8 * low,
            low,
            past,
        ),
        "2 rows, and the second has nothing to keep": (
            q,
            k,
            v,
            torch.tensor([True, False])[:, None, None, None].expand(2, 1, 1, keys),
        ),
    }


attend = Exercise(
    number="lab03.1",
    title="attention",
    difficulty=3,
    minutes=15,
    reference=attention,
    cases=_attend_cases,
    hidden=_attend_cases,
    misconceptions=(
        Misconception(
            "unscaled",
            "your weights are sharper than they should be, and more so in wide heads: the scores"
            " are plain dot products",
            _attend_with(scale=lambda width: 1),
        ),
        Misconception(
            "by the width",
            "your weights are more even than they should be: the scores were divided by too much,"
            " the variance of a dot product in place of its standard deviation",
            _attend_with(scale=lambda width: width),
        ),
        Misconception(
            "scaled too late",
            "the rows do not sum to 1: the scale acts on the weights, and it belongs to the scores",
            lambda q, k, v, keep: tuple(
                result / math.sqrt(q.shape[-1])
                for result in _attend_with(scale=lambda width: 1)(q, k, v, keep)
            ),
        ),
        Misconception(
            "no mask",
            "hidden keys have weight, as if `keep` were not there",
            _attend_with(lambda scores, keep: scores.softmax(dim=-1)),
        ),
        Misconception(
            "inverted",
            "all the weight lies on what should be hidden: True in `keep` means that a key may be"
            " attended, as in PyTorch's scaled_dot_product_attention and not as in its"
            " MultiheadAttention",
            _attend_with(lambda scores, keep: _masked(scores, ~keep)),
        ),
        Misconception(
            "score of zero",
            "hidden keys still have weight: a score of 0 is a score like any other, and in the row"
            " with scores far below zero it is the best",
            _attend_with(lambda scores, keep: (scores * keep).softmax(dim=-1)),
        ),
        Misconception(
            "not low enough",
            "where all scores are far below zero, the hidden keys win: some fixed number such as"
            " -10 stands for them, and it is not below every score",
            _attend_with(lambda scores, keep: scores.masked_fill(~keep, -10.0).softmax(dim=-1)),
        ),
        Misconception(
            "masked too late",
            "hidden keys have no weight, but they had a share of the sum: what is left in a row"
            " does not sum to 1",
            _attend_with(lambda scores, keep: scores.softmax(dim=-1) * keep),
        ),
        Misconception(
            "NaN",
            "a row with nothing to keep gives NaN, and from there it spreads to the loss: 0 was"
            " divided by 0",
            _attend_with(
                lambda scores, keep: scores.masked_fill(~keep, -torch.inf).softmax(dim=-1)
            ),
        ),
        Misconception(
            "uniform",
            "a row with nothing to keep averages its padding: when every score is equally low,"
            " softmax makes the weights equal",
            _attend_with(lambda scores, keep: _filled(scores, keep).softmax(dim=-1)),
        ),
        Misconception(
            "over the queries",
            "the columns sum to 1: the queries compete for each key, and it is the keys that have"
            " to compete for each query",
            _attend_with(
                lambda scores, keep: _filled(scores, keep).softmax(dim=-2).masked_fill(~keep, 0.0)
            ),
        ),
        Misconception(
            "over the queries, and nothing kept",
            "the queries compete for each key, and it is the keys that have to compete for each"
            " query; and a row with nothing to keep still has weights",
            _attend_with(lambda scores, keep: _filled(scores, keep).softmax(dim=-2)),
        ),
        Misconception(
            "scores handed out",
            "the values are right; beside them you hand out the scores, and the weights are asked"
            " for",
            lambda q, k, v, keep: (
                attention(q, k, v, keep)[0],
                _filled(q @ k.mT / math.sqrt(q.shape[-1]), keep),
            ),
        ),
        Misconception(
            "values alone",
            "the values are right, and they come alone: the weights are asked for beside them, to"
            " look at",
            lambda q, k, v, keep: attention(q, k, v, keep)[0],
        ),
        Misconception(
            "in the other order",
            "both results are there, in the other order: first the values, then the weights",
            lambda q, k, v, keep: attention(q, k, v, keep)[::-1],
        ),
    ),
    spoilers=("masked_fill", "sqrt", "** 0.5", "finfo", "nan_to_num", "where("),
)

# ---- lab03.2 and lab03.3: heads apart and together


def _split_heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _merge_heads(values: Tensor) -> Tensor:
    return values.transpose(1, 2).flatten(2)


def _split_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    heads = _whole(3, 5, generator)
    length, width = heads + 1, heads + 3
    shape = (2, length, heads * width)
    return {
        "3 tokens of width 8, 2 heads; 21 is token 2, number 1": (
            10.0 * torch.arange(3)[:, None] + torch.arange(8).expand(1, 3, 8),
            2,
        ),
        f"2 rows of {length} tokens, {heads} heads of width {width}": (
            torch.randperm(math.prod(shape), generator=generator).reshape(shape).float(),
            heads,
        ),
    }


def _merge_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    """Heads as attention hands them out: in memory they lie in the order of their axes."""
    return {
        name: (_split_heads(x, heads).contiguous(),)
        for name, (x, heads) in _split_cases(seed).items()
    }


split_heads = Exercise(
    number="lab03.2",
    title="heads apart",
    difficulty=2,
    minutes=5,
    reference=_split_heads,
    cases=_split_cases,
    hidden=_split_cases,
    misconceptions=(
        Misconception(
            "cut anew",
            "a head holds pieces of a few tokens and misses the others: the shape is right, but"
            " the numbers were only cut anew in the order in which they lie in memory",
            lambda x, heads: x.reshape(len(x), heads, x.shape[1], -1),
        ),
        Misconception(
            "dealt like cards",
            "the numbers of a token were dealt to the heads one by one, like cards: each head owns"
            " neighbouring numbers",
            lambda x, heads: x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2),
        ),
        Misconception(
            "tokens before heads",
            "each head has its numbers, but the axis of the tokens still stands before that of the"
            " heads: a matrix product would now match heads with heads",
            lambda x, heads: x.unflatten(-1, (heads, -1)),
        ),
        Misconception(
            "turned already",
            "the tokens are the last axis: that is how the scores need the keys, but the other two"
            " would be wrong",
            lambda x, heads: _split_heads(x, heads).mT,
        ),
        Misconception(
            "heads for width",
            "`heads` is how many heads there are, and you made it the width of each of them",
            lambda x, heads: _split_heads(x, x.shape[-1] // heads),
        ),
    ),
    spoilers=("transpose(", "permute", "unflatten", "swapaxes", "movedim"),
)

merge_heads = Exercise(
    number="lab03.3",
    title="heads together",
    difficulty=1,
    minutes=5,
    reference=_merge_heads,
    cases=_merge_cases,
    hidden=_merge_cases,
    misconceptions=(
        Misconception(
            "regrouped",
            "one row of the result holds numbers of several tokens: before axes can be joined, they"
            " have to stand side by side",
            lambda values: values.reshape(len(values), values.shape[2], -1),
        ),
        Misconception(
            "zipped",
            "each row holds the numbers of its own token, but the heads alternate: all numbers of"
            " head 0 come first",
            lambda values: values.permute(0, 2, 3, 1).flatten(2),
        ),
        Misconception(
            "averaged",
            "the heads were averaged: what they found has to stay apart, and an output matrix"
            " mixes it later",
            lambda values: values.mean(dim=1),
        ),
        Misconception(
            "not joined",
            "tokens and heads have changed places, and the last two axes are still two",
            lambda values: values.transpose(1, 2),
        ),
        Misconception(
            "tokens joined",
            "one head with one number after the other: you joined the axes of heads and tokens,"
            " and the tokens have to stay",
            lambda values: values.flatten(1, 2),
        ),
    ),
    spoilers=("transpose(", "permute", "flatten(2)", "swapaxes", "movedim"),
)

# ---- lab03.4: many heads


class _MultiHead(nn.Module):
    """Self-attention of `heads` heads over `dim` numbers per token."""

    def __init__(self, dim: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=bias)
        self.key = nn.Linear(dim, dim, bias=bias)
        self.value = nn.Linear(dim, dim, bias=bias)
        self.out = nn.Linear(dim, dim, bias=bias)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """x (B, T, D), keep (B, T) or broadcastable to (B, H, T, S) -> (B, T, D)."""
        return self.out(self.mix(self.query(x), self.key(x), self.value(x), _over_keys(keep)))

    def mix(self, q: Tensor, k: Tensor, v: Tensor, keep: Tensor) -> Tensor:
        """Split, attend and merge: (B, T, D), twice (B, S, D) and (B, H, T, S) -> (B, T, D)."""
        q, k, v = (_split_heads(x, self.heads) for x in (q, k, v))
        return _merge_heads(attention(q, k, v, keep)[0])


def _over_keys(keep: Tensor) -> Tensor:
    """Spread a padding mask (B, S) over heads and queries; leave any other as it is."""
    return keep[:, None, None, :] if keep.dim() == 2 else keep


def _wrongly(forward: Callable) -> type[_MultiHead]:
    """The same layer with another forward."""
    return type("MultiHead", (_MultiHead,), {"forward": forward})


def _spread(axes: Callable[[Tensor], Tensor]) -> type[_MultiHead]:
    """The same layer, with another idea of how a padding mask (B, S) becomes four axes."""

    def forward(self, x, keep):
        return _MultiHead.forward(self, x, axes(keep) if keep.dim() == 2 else keep)

    return _wrongly(forward)


class _Unbiased(_MultiHead):
    def __init__(self, dim, heads):
        super().__init__(dim, heads, bias=False)


class _OneHead(_MultiHead):
    def mix(self, q, k, v, keep):
        return attention(q[:, None], k[:, None], v[:, None], keep[:, :1])[0][:, 0]


class _Reshaped(_MultiHead):
    def mix(self, q, k, v, keep):
        pieces = (len(q), self.heads, q.shape[1], -1)
        return attention(*(x.reshape(pieces) for x in (q, k, v)), keep)[0].reshape(q.shape)


def _built(MultiHead: Callable, dim: int, heads: int, generator: Generator) -> Any:
    """A layer in float64 with drawn weights; the learner's own random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]):
        layer = call(MultiHead, dim, heads).double()
    with torch.no_grad():
        for _, parameter in sorted(layer.named_parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return layer


def _multi_head_seen(MultiHead: Callable, seed: int = _SHOWN) -> Mapping[str, Any]:
    generator = _generator(seed)
    heads, width, length = 3, _whole(2, 4, generator), _whole(5, 7, generator)
    layer = _built(MultiHead, heads * width, heads, generator)
    # As many rows as heads: a mask that has lost an axis then spreads without an error.
    x = _draw(heads, length, heads * width, generator=generator)
    padding = _lengths(length, length - 2, length - 3)
    empty = padding & torch.tensor([[True], [True], [False]])
    past = torch.ones(length, length, dtype=torch.bool).tril()
    each = torch.stack([past, past.T, past | past.T])  # (H, T, S)
    return {
        "the number of heads": layer.heads,
        "the parameters": {name: list(p.shape) for name, p in layer.named_parameters()},
        "a batch with padding": call(layer, x, padding),
        "a row of padding only": call(layer, x, empty),
        "a mask for each head": call(layer, x, each[None] & padding[:, None, None, :]),
    }


MultiHead = Exercise(
    number="lab03.4",
    title="many heads",
    difficulty=3,
    minutes=15,
    reference=_MultiHead,
    observe=_multi_head_seen,
    hidden=_multi_head_seen,
    misconceptions=(
        Misconception(
            "no biases",
            "the matrices are there and the biases are not: pretrained BERT weights have both",
            _Unbiased,
        ),
        Misconception(
            "no output matrix",
            "the heads lie side by side as they come: nothing has mixed them yet",
            _wrongly(
                lambda self, x, keep: self.mix(
                    self.query(x), self.key(x), self.value(x), _over_keys(keep)
                )
            ),
        ),
        Misconception(
            "residual",
            "the input was added to the result: that is the step of the block around this layer",
            _wrongly(lambda self, x, keep: x + _MultiHead.forward(self, x, keep)),
        ),
        Misconception(
            "one head",
            "all heads look at the same places: the width was never divided",
            _OneHead,
        ),
        Misconception(
            "reshaped",
            "tokens are mixed before anybody attends, and padding leaks: heads were split by"
            " cutting memory anew",
            _Reshaped,
        ),
        Misconception(
            "no mask",
            "what stands in the padding changes the outputs of words: `keep` never reaches the"
            " scores",
            _wrongly(lambda self, x, keep: _MultiHead.forward(self, x, torch.ones_like(keep))),
        ),
        Misconception(
            "inverted",
            "words look at padding and at nothing else: somewhere True has become False",
            _wrongly(lambda self, x, keep: _MultiHead.forward(self, x, ~keep)),
        ),
        Misconception(
            "padding asks",
            "your mask silences the queries of padding, and its keys are still seen: find the axis"
            " of (B, H, T, S) that is looked at",
            _spread(lambda keep: keep[:, None, :, None]),
        ),
        Misconception(
            "lost axis",
            "head 0 uses the mask of sentence 0, head 1 that of sentence 1: your mask has three"
            " axes, and broadcasting counts them from the right",
            _spread(lambda keep: keep[:, None, :]),
        ),
        Misconception(
            "queries and keys exchanged",
            "queries and keys have changed places: who asks is now asked",
            _wrongly(
                lambda self, x, keep: self.out(
                    self.mix(self.key(x), self.query(x), self.value(x), _over_keys(keep))
                )
            ),
        ),
        Misconception(
            "queries as keys",
            "the query projection is in both places, and `key` is never used: what a token seeks"
            " and what it offers are then the same",
            _wrongly(
                lambda self, x, keep: self.out(
                    self.mix(self.query(x), self.query(x), self.value(x), _over_keys(keep))
                )
            ),
        ),
        Misconception(
            "bare values",
            "what is averaged are the tokens themselves: `value` is never used",
            _wrongly(
                lambda self, x, keep: self.out(
                    self.mix(self.query(x), self.key(x), x, _over_keys(keep))
                )
            ),
        ),
    ),
    spoilers=("None, None", "unsqueeze", "transpose(", "self.out("),
)

# ---- lab03.5: whose output changes

_REACHED = {
    "padding": {(1, 3)},
    "word": {(1, 0), (1, 1), (1, 2), (1, 3)},
    "causal": {(0, 2), (0, 3)},
    "longer": set(),
}

reached = Exercise(
    number="lab03.5",
    title="whose output changes",
    difficulty=2,
    minutes=10,
    reference=_REACHED,
    misconceptions=(
        Misconception(
            "padding is dead",
            "`padding`: nobody may look at a padding token, but it has a query of its own, and its"
            " output is computed like any other",
            _REACHED | {"padding": set()},
        ),
        Misconception(
            "padding does not ask",
            "`padding` and `word`: a padding token is hidden from the others, and it still has a"
            " query of its own: it looks at words, and its output is computed like any other",
            _REACHED | {"padding": set(), "word": {(1, 0), (1, 1), (1, 2)}},
        ),
        Misconception(
            "padding leaks",
            "`padding`: words of this sentence have no weight on the padding, so its content cannot"
            " reach them",
            _REACHED | {"padding": _REACHED["word"]},
        ),
        Misconception(
            "only words",
            "`word`: `keep` says what may be looked at; it does not keep padding from looking",
            _REACHED | {"word": {(1, 0), (1, 1), (1, 2)}},
        ),
        Misconception(
            "only itself",
            "`word`: the others look at the word that was replaced, and what they see is different"
            " now",
            _REACHED | {"word": {(1, 0)}},
        ),
        Misconception(
            "only others",
            "`word`: a token looks at itself, too, and its own query has changed",
            _REACHED | {"word": {(1, 1), (1, 2), (1, 3)}},
        ),
        Misconception(
            "whole batch",
            "`word`: attention never looks across the rows of a batch",
            _REACHED | {"word": {(row, token) for row in range(2) for token in range(4)}},
        ),
        Misconception(
            "backwards",
            "`causal`: these are the tokens that the replaced one can see; asked is who sees it",
            _REACHED | {"causal": {(0, 0), (0, 1), (0, 2)}},
        ),
        Misconception(
            "strictly later",
            "`causal`: the diagonal of the mask is True, so the replaced token sees itself",
            _REACHED | {"causal": {(0, 3)}},
        ),
        Misconception(
            "diluted",
            "`longer`: hidden keys have a weight of exactly 0, so more of them take nothing away",
            _REACHED | {"longer": {(row, token) for row in range(2) for token in range(4)}},
        ),
    ),
    spoilers=("(1, 3)", "(0, 2)"),
)

# ---- lab03.6: repair an attention from one text to another


def _cross_attend(layer: Any, x: Tensor, source: Tensor, keep: Tensor) -> Tensor:
    q, k, v = (
        _split_heads(projected, layer.heads)
        for projected in (layer.query(x), layer.key(source), layer.value(source))
    )
    return layer.out(_merge_heads(attention(q, k, v, keep[:, None, None, :])[0]))


_SCALE, _MASK, _AXIS = "scale", "mask", "axis"
_FAULTS = {
    _SCALE: "the scores are made smaller than they should be, by a factor that grows with the"
    " number of heads",
    _MASK: "a sentence hides what another sentence has to hide: print the shape of the mask beside"
    " that of the scores, and read both from the right",
    _AXIS: "what one query gets depends on which other queries there are: they compete with each"
    " other",
}


def _with_faults(*faults: str, scale: Callable = math.sqrt) -> Callable:
    """What the lab hands out, with some of its three faults still in."""

    def cross_attend(layer, x, source, keep):
        q, k, v = (
            _split_heads(projected, layer.heads)
            for projected in (layer.query(x), layer.key(source), layer.value(source))
        )
        scores = q @ k.mT / scale(x.shape[-1] if _SCALE in faults else q.shape[-1])
        spread = keep[:, None] if _MASK in faults else keep[:, None, None]
        weights = scores.masked_fill(~spread, -1e9).softmax(dim=2 if _AXIS in faults else 3)
        return layer.out(_merge_heads(weights @ v))

    return cross_attend


def _cross_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for heads in (2, 3):  # as many rows as heads: a mask that has lost an axis raises no error
        width, length = heads * (heads + _whole(1, 2, generator)), _whole(3, 4, generator)
        keys = length + _whole(2, 3, generator)
        layer = _built(_MultiHead, width, heads, generator)
        x, source = (_draw(heads, n, width, generator=generator) / 2 for n in (length, keys))
        keep = _lengths(*range(keys, keys - heads, -1))
        name = f"{heads} rows, {heads} heads, {length} queries and {keys} keys"
        cases[name] = layer, x, source, keep
    return cases


cross_attend = Exercise(
    number="lab03.6",
    title="one text reads another",
    difficulty=3,
    minutes=15,
    reference=_cross_attend,
    cases=_cross_cases,
    hidden=_cross_cases,
    misconceptions=(
        *faults_left(_FAULTS, _with_faults),
        Misconception(
            "scale dropped",
            "the scores are plain dot products: the factor was wrong, and without any it is worse",
            _with_faults(scale=lambda width: 1),
        ),
        Misconception(
            "scale not rooted",
            "the scores were divided by the variance of a dot product, and its standard deviation"
            " has to go",
            _with_faults(scale=lambda width: width),
        ),
        Misconception(
            "heads not mixed",
            "the heads are right and lie side by side; the output matrix of the layer is missing",
            lambda layer, x, source, keep: layer.mix(
                layer.query(x), layer.key(source), layer.value(source), _over_keys(keep)
            ),
        ),
    ),
    spoilers=("dim=-1", "dim=3", "None, None", "unsqueeze", "sqrt", "D // H"),
)

# ---- lab03.7: how many keys a head sees


def _keys_in_view(weights: Tensor, keep: Tensor) -> Tensor:
    return _in_view(weights).transpose(0, 1)[:, keep].mean(dim=-1)


def _in_view(weights: Tensor) -> Tensor:
    """The number of keys that each query sees, (B, H, T)."""
    return torch.special.entr(weights).sum(dim=-1).exp()


def _view_cases(seed: int = _SHOWN) -> dict[str, tuple]:
    generator = _generator(seed)
    cases = {}
    for name, lengths in {"3 rows": (7, 4, 2), "a row without padding": (5,)}.items():
        heads = _whole(2, 4, generator)
        keep = _lengths(*(length + _whole(0, 2, generator) for length in lengths))
        q, k = (2 * _draw(*keep.shape, heads, 3, generator=generator) for _ in range(2))
        q, k = q.transpose(1, 2), k.transpose(1, 2)
        cases[f"{name}, {heads} heads"] = attention(q, k, k, keep[:, None, None, :])[1], keep
    return cases


keys_in_view = Exercise(
    number="lab03.7",
    title="keys in view",
    difficulty=3,
    minutes=10,
    reference=_keys_in_view,
    cases=_view_cases,
    hidden=_view_cases,
    misconceptions=(
        Misconception(
            "NaN",
            "it is NaN: a weight of exactly 0 has a logarithm of minus infinity, and 0 times"
            " infinity is no number",
            lambda weights, keep: (
                (-weights * weights.log()).sum(-1).exp().transpose(0, 1)[:, keep].mean(-1)
            ),
        ),
        Misconception(
            "entropy",
            "this is the entropy, in nats: asked is a number of keys, so the logarithm has to be"
            " undone",
            lambda weights, keep: (
                torch.special.entr(weights).sum(-1).transpose(0, 1)[:, keep].mean(-1)
            ),
        ),
        Misconception(
            "bits",
            "the entropy was measured in bits, but undone as if it were in nats: both steps need"
            " the same base",
            lambda weights, keep: (
                (torch.special.entr(weights).sum(-1) / math.log(2))
                .exp()
                .transpose(0, 1)[:, keep]
                .mean(-1)
            ),
        ),
        Misconception(
            "averaged too early",
            "a little low everywhere: you averaged the entropies first, and the mean of the"
            " numbers of keys is asked for",
            lambda weights, keep: (
                torch.special.entr(weights).sum(-1).transpose(0, 1)[:, keep].mean(-1).exp()
            ),
        ),
        Misconception(
            "over the queries",
            "this is how many queries look at a key: a row of the weights belongs to the one who"
            " looks",
            lambda weights, keep: _keys_in_view(weights.mT, keep),
        ),
        Misconception(
            "padding asks",
            "right where there is no padding: padding has rows of weights, too, and they are in"
            " your mean",
            lambda weights, keep: _in_view(weights).mean(dim=(0, 2)),
        ),
        Misconception(
            "divided by all",
            "short rows pull your mean down: padding is left out of the sum and still counted when"
            " you divide",
            lambda weights, keep: (_in_view(weights) * keep[:, None]).mean(dim=(0, 2)),
        ),
        Misconception(
            "mean of means",
            "a token of a short row counts more than one of a long row: you average row by row"
            " first",
            lambda weights, keep: (
                (_in_view(weights) * keep[:, None]).sum(-1) / keep.sum(1, keepdim=True)
            ).mean(dim=0),
        ),
        Misconception(
            "all heads together",
            "one number for all heads: a sharp head and an even one disappear in their mean",
            lambda weights, keep: _keys_in_view(weights, keep).mean(),
        ),
        Misconception(
            "another count",
            "lower than it should be: one divided by the sum of the squared weights is a count of"
            " keys, too, but not the one by entropy",
            lambda weights, keep: (
                weights.square().sum(-1).reciprocal().transpose(0, 1)[:, keep].mean(-1)
            ),
        ),
    ),
    spoilers=("entr(", "[:, keep]", ".exp()", "xlogy", "nan_to_num"),
)
