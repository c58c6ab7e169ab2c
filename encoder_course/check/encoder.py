"""Checks of notebook 04: the encoder."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception
from encoder_course.nn import Encoder

# ---- 4.1: a gated feed-forward layer


def _gated(hidden: Tensor, expand: Tensor, contract: Tensor) -> Tensor:
    wide, gate = (hidden @ expand.T).chunk(2, dim=-1)
    return (F.gelu(wide) * gate) @ contract.T


def _gated_with(mix: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """The same layer with another way to put the two halves together."""
    return lambda hidden, expand, contract: mix(*(hidden @ expand.T).chunk(2, dim=-1)) @ contract.T


def _gated_neighbours(hidden, expand, contract):
    both = hidden @ expand.T
    return (F.gelu(both[..., 0::2]) * both[..., 1::2]) @ contract.T


def _gated_cases():
    generator = torch.Generator().manual_seed(4)
    shapes = ((3, 4), (10, 4), (4, 5))  # hidden, expand, contract
    arguments = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    return {"3 tokens of width 4, widened to 2 times 5": arguments}


gated = Exercise(
    number="4.1",
    title="a gated feed-forward layer",
    difficulty=2,
    minutes=15,
    reference=_gated,
    cases=_gated_cases,
    misconceptions=(
        Misconception(
            "halves exchanged",
            "the halves have changed places: the half that is bent and the half that acts as the"
            " gate are mixed up",
            _gated_with(lambda wide, gate: F.gelu(gate) * wide),
        ),
        Misconception(
            "neighbours paired",
            "each number was gated by its neighbour: the first half of the 2F numbers is the"
            " content and the second half the gate",
            _gated_neighbours,
        ),
        Misconception(
            "both bent",
            "both halves went through the activation, so the gate cannot turn a sign around any"
            " more: only one of them is bent",
            _gated_with(lambda wide, gate: F.gelu(wide) * F.gelu(gate)),
        ),
        Misconception(
            "neither bent",
            "nothing is bent here: a product of two projections, without an activation, is a"
            " bilinear layer",
            _gated_with(lambda wide, gate: wide * gate),
        ),
        Misconception(
            "bent after the product",
            "the activation came after the gate: it bends the product, and not the content",
            _gated_with(lambda wide, gate: F.gelu(wide * gate)),
        ),
        Misconception(
            "added",
            "the gate was added: a gate that is 0 has to close, whatever stands in front of it",
            _gated_with(lambda wide, gate: F.gelu(wide) + gate),
        ),
        Misconception(
            "sigmoid",
            "this gate was squeezed between 0 and 1, as in a GLU of 2017: here the gate is a plain"
            " projection, and the content is bent",
            _gated_with(lambda wide, gate: wide * gate.sigmoid()),
        ),
        Misconception(
            "tanh form",
            "off by less than a thousandth everywhere: this is the other form of GELU, the"
            " approximation",
            _gated_with(lambda wide, gate: F.gelu(wide, approximate="tanh") * gate),
        ),
    ),
    spoilers=("chunk", "F.gelu(wide)", ".T"),
)

# ---- 4.2: layer norm


def _norm(hidden: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return F.layer_norm(hidden, weight.shape, weight, bias, eps)


def _norm_over(axes, correction: int = 0) -> Callable:
    """The same steps over other axes, or with another divisor in the variance."""

    def norm(hidden, weight, bias, eps):
        mean = hidden.mean(axes, keepdim=True)
        variance = hidden.var(axes, keepdim=True, correction=correction)
        return (hidden - mean) / (variance + eps).sqrt() * weight + bias

    return norm


def _eps_outside(hidden, weight, bias, eps):
    mean, spread = hidden.mean(-1, True), hidden.std(-1, correction=0, keepdim=True)
    return (hidden - mean) / (spread + eps) * weight + bias


def _by_variance(hidden, weight, bias, eps):
    mean, variance = hidden.mean(-1, True), hidden.var(-1, correction=0, keepdim=True)
    return (hidden - mean) / (variance + eps) * weight + bias


def _rms(hidden, weight, bias, eps):
    return hidden / (hidden.square().mean(-1, True) + eps).sqrt() * weight + bias


def _norm_cases():
    hidden = torch.tensor(
        [
            [[1.0, 3.0, 5.0, 8.0], [-2.0, 0.5, 0.0, 4.0], [0.002, -0.003, 0.005, 0.001]],
            [[7.0, 7.0, 6.0, 9.0], [0.0, -1.0, -5.0, 2.0], [3.0, 1.0, 4.0, 1.5]],
        ]
    )
    weight, bias = torch.tensor([1.5, 0.5, 2.0, -1.0]), torch.tensor([0.1, 0.0, -0.3, 1.0])
    return {"2 rows of 3 tokens of width 4, one with tiny numbers": (hidden, weight, bias, 1e-5)}


layer_norm = Exercise(
    number="4.2",
    title="layer norm",
    difficulty=2,
    minutes=15,
    reference=_norm,
    cases=_norm_cases,
    misconceptions=(
        Misconception(
            "eps outside the root",
            "right for large numbers and wrong for the token with tiny ones: look at where eps"
            " is added",
            _eps_outside,
        ),
        Misconception(
            "no eps",
            "the token with tiny numbers comes out too large: eps is missing",
            lambda hidden, weight, bias, eps: _norm(hidden, weight, bias, 0.0),
        ),
        Misconception(
            "unbiased variance",
            "every number is too small by the same factor: the variance was divided by D - 1, as"
            " one does for a sample",
            _norm_over(-1, correction=1),
        ),
        Misconception(
            "over the tokens",
            "mean and variance were taken over the tokens of a row, so every token depends on its"
            " neighbours and on padding",
            _norm_over(1),
        ),
        Misconception(
            "over the batch",
            "mean and variance were taken over the batch, so a sentence depends on the sentences"
            " beside it: that idea is batch norm",
            _norm_over((0, 1)),
        ),
        Misconception(
            "over the whole row",
            "one mean and one variance for all tokens of a row: each token needs its own",
            _norm_over((1, 2)),
        ),
        Misconception(
            "no scale and shift",
            "the numbers are normalised, and then `weight` and `bias` are left out",
            lambda hidden, weight, bias, eps: F.layer_norm(hidden, weight.shape, eps=eps),
        ),
        Misconception(
            "no shift",
            "`weight` is there, and `bias` is missing",
            lambda hidden, weight, bias, eps: F.layer_norm(hidden, weight.shape, weight, eps=eps),
        ),
        Misconception(
            "mean not subtracted",
            "the mean is still in the numbers: without subtracting it, this is RMS norm",
            _rms,
        ),
        Misconception(
            "divided by the variance",
            "the spread is not 1 afterwards: numbers were divided by the variance, which is the"
            " square of what is needed",
            _by_variance,
        ),
    ),
    spoilers=("sqrt", "correction=0", "unbiased=False", "dim=-1"),
)

# ---- 4.3: repair a pre-norm block


def _block(hidden, attend, feed_forward, norm_1, norm_2):
    hidden = hidden + attend(norm_1(hidden))
    return hidden + feed_forward(norm_2(hidden))


def _block_as_found(hidden, attend, feed_forward, norm_1, norm_2):
    normed = norm_1(hidden)
    hidden = normed + attend(normed)
    return hidden + feed_forward(norm_1(hidden))


def _block_residual_from_norm(hidden, attend, feed_forward, norm_1, norm_2):
    normed = norm_1(hidden)
    hidden = normed + attend(normed)
    return hidden + feed_forward(norm_2(hidden))


def _block_both_residuals_from_norm(hidden, attend, feed_forward, norm_1, norm_2):
    normed = norm_1(hidden)
    normed = norm_2(normed + attend(normed))
    return normed + feed_forward(normed)


def _block_post(hidden, attend, feed_forward, norm_1, norm_2):
    hidden = norm_1(hidden + attend(hidden))
    return norm_2(hidden + feed_forward(hidden))


def _block_parallel(hidden, attend, feed_forward, norm_1, norm_2):
    return hidden + attend(norm_1(hidden)) + feed_forward(norm_2(hidden))


def _block_branch_normed(hidden, attend, feed_forward, norm_1, norm_2):
    hidden = hidden + norm_1(attend(hidden))
    return hidden + norm_2(feed_forward(hidden))


def _block_second_replaces(hidden, attend, feed_forward, norm_1, norm_2):
    hidden = hidden + attend(norm_1(hidden))
    return feed_forward(norm_2(hidden))


def _block_cases():
    generator = torch.Generator().manual_seed(9)
    hidden = 2 * torch.randn(3, 4, generator=generator) + 1
    mix = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]])
    parts = (
        lambda tokens: mix @ tokens * 1.5,
        lambda tokens: 0.7 * tokens.tanh() + 0.2,
        lambda tokens: 2.0 * F.layer_norm(tokens, (4,)) + 0.3,
        lambda tokens: 0.5 * F.layer_norm(tokens, (4,)) - 0.2,
    )
    return {"3 tokens of width 4 and four different parts": (hidden, *parts)}


block = Exercise(
    number="4.3",
    title="repair the block",
    difficulty=3,
    minutes=15,
    reference=_block,
    cases=_block_cases,
    misconceptions=(
        Misconception(
            "as found",
            "this is the block as you found it, and it has two faults: one in a residual, one in"
            " a norm",
            _block_as_found,
        ),
        Misconception(
            "residual from the norm",
            "one fault is left: the straight road from input to output is interrupted, because"
            " what is added is not what came in",
            _block_residual_from_norm,
        ),
        Misconception(
            "both residuals from the norm",
            "both residuals start behind a norm: then nothing reaches the next layer as it was",
            _block_both_residuals_from_norm,
        ),
        Misconception(
            "first norm used twice",
            "one fault is left: two norms were handed over, and one of them never learns",
            lambda hidden, attend, feed_forward, norm_1, norm_2: _block(
                hidden, attend, feed_forward, norm_1, norm_1
            ),
        ),
        Misconception(
            "norms exchanged",
            "each norm stands in front of the other's part: a checkpoint would load and be wrong",
            lambda hidden, attend, feed_forward, norm_1, norm_2: _block(
                hidden, attend, feed_forward, norm_2, norm_1
            ),
        ),
        Misconception(
            "post-norm",
            "this is BERT's block: the norm comes after the sum, and a pre-norm block is asked for",
            _block_post,
        ),
        Misconception(
            "parallel",
            "the feed-forward layer does not see what attention found: both read the same input",
            _block_parallel,
        ),
        Misconception(
            "output of the branch normed",
            "the norms stand behind attention and feed-forward, and not in front of them",
            _block_branch_normed,
        ),
        Misconception(
            "second residual missing",
            "the feed-forward layer replaces what was there: its residual is missing",
            _block_second_replaces,
        ),
    ),
    spoilers=("hidden+attend", "norm_2(hidden)", "norm_1(hidden)"),
)

# ---- 4.4: predict the parameters of one layer

_MATRICES = 4 * 256 * 256 + 2 * 256 * 1024
_BIASES = 4 * 256 + 1024 + 256
_NORMS = 2 * 2 * 256

layer_size = Exercise(
    number="4.4",
    title="parameters of one layer",
    difficulty=2,
    minutes=10,
    reference=_MATRICES + _BIASES + _NORMS,
    misconceptions=(
        Misconception(
            "matrices alone",
            "these are the matrices alone: biases and norms hold numbers, too",
            _MATRICES,
        ),
        Misconception(
            "no biases",
            "matrices and norms are there, but the linear layers have biases as well",
            _MATRICES + _NORMS,
        ),
        Misconception(
            "no norms",
            "the norms are missing: each has a scale and a shift for every number of a token",
            _MATRICES + _BIASES,
        ),
        Misconception(
            "half of the norms",
            "half of the norms is missing: there are two of them, each with a scale and a shift",
            _MATRICES + _BIASES + _NORMS // 2,
        ),
        Misconception(
            "no output projection",
            "attention has one matrix more: after the heads are laid side by side, they are mixed",
            _MATRICES + _BIASES + _NORMS - (256 * 256 + 256),
        ),
        Misconception(
            "full width in every head",
            "the heads share the width: together their queries take one matrix, not eight",
            _MATRICES + _BIASES + _NORMS + 3 * 7 * (256 * 256 + 256),
        ),
        Misconception(
            "one feed-forward matrix",
            "the feed-forward layer also has to come back from 1024 to 256",
            _MATRICES + _BIASES + _NORMS - (1024 * 256 + 256),
        ),
    ),
    spoilers=("789", "4 * 256"),
)

# ---- 4.5: find the fault in a copy

BROKEN_LAYER = 3  # as people count, from 1


def broken_copy(encoder: Encoder) -> Encoder:
    """A copy of `encoder` with one fault, which exercise 4.5 asks to find before reading on here.

    ValueError for an encoder with fewer than three layers.
    """
    if len(encoder.blocks) < BROKEN_LAYER:
        raise ValueError(f"{len(encoder.blocks)} layers are fewer than {BROKEN_LAYER}")
    copied = copy.deepcopy(encoder)
    # A square matrix transposed still fits; some libraries store it that way round.
    value = copied.blocks[BROKEN_LAYER - 1].attention.value
    with torch.no_grad():
        value.weight.copy_(value.weight.T.clone())
    return copied


diagnosis = Exercise(
    number="4.5",
    title="find the fault",
    difficulty=3,
    minutes=20,
    reference=(BROKEN_LAYER, "attention"),
    misconceptions=(
        Misconception(
            "counted from 0",
            "the part is right and the layer is not: hidden state 0 is the one before layer 1",
            (BROKEN_LAYER - 1, "attention"),
        ),
        Misconception(
            "one too far",
            "the part is right and the layer comes too late: ask where the differences begin, and"
            " not where they are largest",
            (BROKEN_LAYER + 1, "attention"),
        ),
        Misconception(
            "last layer",
            "the last layer differs because everything behind the fault does: ask where it begins",
            (6, "attention"),
        ),
        Misconception(
            "norm after attention",
            "the layer is right; this norm differs because of what it was given: replay the parts"
            " in their order, each on the input that both encoders share",
            (BROKEN_LAYER, "attention_norm"),
        ),
        Misconception(
            "feed-forward",
            "the layer is right; the fault comes before the feed-forward layer",
            (BROKEN_LAYER, "feed_forward"),
        ),
        Misconception(
            "last norm",
            "the layer is right; this norm is the last of four parts, and the fault comes earlier",
            (BROKEN_LAYER, "feed_forward_norm"),
        ),
    ),
    spoilers=("layer 3", "transpos"),
)

# ---- 4.6: masked mean


def _masked_mean(hidden: Tensor, keep: Tensor) -> Tensor:
    count = keep.sum(dim=1, keepdim=True).clamp(min=1)
    return (hidden * keep[..., None]).sum(dim=1) / count


def _mean_without_specials(hidden, keep):
    inner = keep.clone()
    inner[:, 0] = False
    last = keep.sum(dim=1).clamp(min=1) - 1
    inner[torch.arange(len(keep)), last] = False
    return _masked_mean(hidden, inner)


def _mean_cases():
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(4, 5, 3, generator=generator) + 1
    keep = torch.arange(5) < torch.tensor([[5], [3], [4], [0]])
    return {"4 rows of 5, 3, 4 and no real tokens": (hidden, keep)}


masked_mean = Exercise(
    number="4.6",
    title="masked mean",
    difficulty=2,
    minutes=10,
    reference=_masked_mean,
    cases=_mean_cases,
    misconceptions=(
        Misconception(
            "plain mean",
            "padding is averaged in: a sentence would change with the length of its batch-mates",
            lambda hidden, keep: hidden.mean(dim=1),
        ),
        Misconception(
            "divided by T",
            "padding is left out of the sum, but the sum is still divided by all T positions, so"
            " short sentences shrink",
            lambda hidden, keep: (hidden * keep[..., None]).mean(dim=1),
        ),
        Misconception(
            "sum",
            "this is the sum of the real tokens: long sentences would have long vectors",
            lambda hidden, keep: (hidden * keep[..., None]).sum(dim=1),
        ),
        Misconception(
            "tokens of the whole batch",
            "every sentence is divided by the same number: each has its own count of real tokens",
            lambda hidden, keep: (hidden * keep[..., None]).sum(dim=1) / keep.sum(),
        ),
        Misconception(
            "polarity",
            "the padding was averaged and the words left out: True means keep",
            lambda hidden, keep: _masked_mean(hidden, ~keep),
        ),
        Misconception(
            "first token",
            "this is the vector of the first token: another way to pool, and not a mean",
            lambda hidden, keep: hidden[:, 0] * keep[:, :1],
        ),
        Misconception(
            "special tokens left out",
            "the first and the last real token of each row are left out: MiniLM was trained with"
            " [CLS] and [SEP] in the mean",
            _mean_without_specials,
        ),
    ),
    spoilers=("keep[", "unsqueeze", "clamp", "keep.sum"),
)
