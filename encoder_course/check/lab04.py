"""Checks of lab 04: the encoder, from a norm to the whole of BERT."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception
from encoder_course.check.evidence import Stopped
from encoder_course.check.running import call
from encoder_course.microscope import CONFIG, IDEAS, randomise
from encoder_course.microscope import reference as bert
from encoder_course.microscope.reference import Rules


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(4000 + seed)


def _built(Module: Callable, *arguments: Any, seed: int) -> nn.Module:
    """A learner's module in float64 with drawn weights; their own random numbers stay as they were.

    Raises Stopped where it is no module, or hides modules from PyTorch in a list.
    """
    with torch.random.fork_rng(devices=[]):
        module = call(Module, *arguments)
    if not isinstance(module, nn.Module):
        raise Stopped(f"it makes a {type(module).__name__}, and an nn.Module is needed")
    for name, value in vars(module).items():
        if isinstance(value, list | tuple) and any(isinstance(part, nn.Module) for part in value):
            raise Stopped(
                f"`{name}` is a plain {type(value).__name__}: PyTorch finds no modules in it, so"
                " they get neither weights nor a type, and no optimizer knows them"
            )
    return randomise(module.double().eval(), seed)


def _real(result: Any, keep: Tensor) -> Any:
    """The vectors (N, D) of real tokens: padding may hold anything. Other results as they are."""
    fits = isinstance(result, Tensor) and result.shape[:2] == keep.shape
    return result[keep] if fits else result


def _parameters(module: nn.Module) -> dict[str, list[int]]:
    return {name: list(parameter.shape) for name, parameter in module.named_parameters()}


# ---- lab04.1: layer norm


def _norm_by(spread: Callable[[Tensor, float], Tensor]) -> Callable:
    """Layer norm that divides the centred numbers by `spread(numbers, eps)`."""
    return lambda x, weight, bias, eps: (x - x.mean(-1, True)) / spread(x, eps) * weight + bias


def _variance(x: Tensor) -> Tensor:
    return x.var(-1, correction=0, keepdim=True)


_layer_norm = _norm_by(lambda x, eps: (_variance(x) + eps).sqrt())


def _norm_over(*axes: int) -> Callable:
    """The same steps over other axes."""

    def norm(x, weight, bias, eps):
        variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        return (x - mean) / (variance + eps).sqrt() * weight + bias

    return norm


def _norm_cases(seed: int = 0) -> dict[str, tuple]:
    generator = _generator(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    tokens = draw(2, 3, 6) + 1
    tokens[0, 1] *= 0.003
    far = 4096.0 + torch.randint(-5, 6, (3, 8), generator=generator)
    return {
        "2 rows of 3 tokens of width 6, one with tiny numbers": (tokens, draw(6), draw(6), 1e-5),
        "3 tokens of width 8, numbers near 4096": (far, draw(8), draw(8), 1e-5),
        "4 axes, float64": (draw(2, 3, 4, 5).double(), draw(5).double(), draw(5).double(), 1e-3),
    }


layer_norm = Exercise(
    number="lab04.1",
    title="layer norm",
    difficulty=2,
    minutes=10,
    reference=_layer_norm,
    cases=_norm_cases,
    hidden=_norm_cases,
    tolerance=1e-4,  # near 4096, a right answer may lose a digit or two
    misconceptions=(
        Misconception(
            "eps outside the root",
            "right for large numbers and wrong for the token with tiny ones: look at where eps is"
            " added",
            _norm_by(lambda x, eps: _variance(x).sqrt() + eps),
        ),
        Misconception(
            "no eps",
            "the token with tiny numbers comes out too large: eps is missing",
            _norm_by(lambda x, eps: _variance(x).sqrt()),
        ),
        Misconception(
            "unbiased variance",
            "every number is too small by the same factor: the variance was divided by D - 1, as"
            " one does for a sample",
            _norm_by(lambda x, eps: (x.var(-1, keepdim=True) + eps).sqrt()),
        ),
        Misconception(
            "unbiased spread plus eps",
            "two steps differ: the spread was divided by D - 1, as one does for a sample, and eps"
            " was added after the root",
            _norm_by(lambda x, eps: x.std(-1, keepdim=True) + eps),
        ),
        Misconception(
            "divided by the variance",
            "the spread is not 1 afterwards: the numbers were divided by the variance, the square"
            " of what is needed",
            _norm_by(lambda x, eps: _variance(x) + eps),
        ),
        Misconception(
            "difference of large numbers",
            "wrong where all numbers of a token lie near 4096: the mean of the squares minus the"
            " square of the mean is the difference of two huge numbers, and float32 keeps seven"
            " digits",
            _norm_by(
                lambda x, eps: (x.square().mean(-1, True) - x.mean(-1, True).square() + eps).sqrt()
            ),
        ),
        Misconception(
            "mean not subtracted",
            "the mean is still in the numbers: without subtracting it, this is RMS norm",
            lambda x, weight, bias, eps: (
                x / (x.square().mean(-1, True) + eps).sqrt() * weight + bias
            ),
        ),
        Misconception(
            "over the tokens",
            "mean and variance run over the tokens, so every token depends on its neighbours and"
            " on padding",
            _norm_over(-2),
        ),
        Misconception(
            "over tokens and numbers",
            "one mean and one variance for all tokens of a row: each token needs its own",
            _norm_over(-2, -1),
        ),
        Misconception(
            "no scale and shift",
            "the numbers are normalised, and then `weight` and `bias` are left out",
            lambda x, weight, bias, eps: F.layer_norm(x, weight.shape, eps=eps),
        ),
        Misconception(
            "no shift",
            "`weight` is there, and `bias` is missing",
            lambda x, weight, bias, eps: F.layer_norm(x, weight.shape, weight, eps=eps),
        ),
    ),
    spoilers=("sqrt", "correction=0", "unbiased=False", "(-1"),
)

# ---- lab04.2: GELU


def _gelu(x):
    return F.gelu(x)


def _gelu_cases(seed: int = 0) -> dict[str, tuple]:
    random = 2 * torch.randn(2, 3, 4, generator=_generator(seed), dtype=torch.float64)
    return {
        "25 numbers from -6 to 6": (torch.linspace(-6, 6, 25),),
        "2 rows of 3 tokens of width 4, float64": (random,),
    }


gelu = Exercise(
    number="lab04.2",
    title="GELU",
    difficulty=1,
    minutes=5,
    reference=_gelu,
    cases=_gelu_cases,
    hidden=_gelu_cases,
    misconceptions=(
        Misconception(
            "tanh form",
            "off by less than a thousandth everywhere: this is the approximation, and BERT's"
            " weights were trained with the exact form",
            lambda x: F.gelu(x, approximate="tanh"),
        ),
        Misconception(
            "sigmoid form",
            "off by up to two hundredths: this is the approximation by a sigmoid",
            lambda x: x * (1.702 * x).sigmoid(),
        ),
        Misconception(
            "SiLU",
            "too large for -1 and too small for 1: the share is that of a logistic distribution,"
            " and a normal one is asked for",
            F.silu,
        ),
        Misconception("ReLU", "the corner at 0 is sharp: nothing smooth is left", F.relu),
        Misconception(
            "share alone",
            "all results lie between 0 and 1: this is the share, and x is still to be multiplied by"
            " it",
            lambda x: 0.5 * (1 + torch.erf(x / math.sqrt(2))),
        ),
        Misconception(
            "not scaled",
            "the bend is too narrow: the error function belongs to a normal distribution whose"
            " variance is one half",
            lambda x: 0.5 * x * (1 + torch.erf(x)),
        ),
        Misconception(
            "twice as large",
            "large numbers come out twice as large as they went in: a share ends at 1",
            lambda x: x * (1 + torch.erf(x / math.sqrt(2))),
        ),
        Misconception(
            "share from -1 to 1",
            "negative numbers come out as large as positive ones: a share is never negative",
            lambda x: x * torch.erf(x / math.sqrt(2)),
        ),
        Misconception(
            "density",
            "large numbers vanish: x was multiplied by the height of the bell curve, and not by the"
            " share that lies below x",
            lambda x: x * torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi),
        ),
    ),
    spoilers=("erf(", "sqrt", "0.5", "/ 2"),
)

# ---- lab04.3: the feed-forward layer


def _feed_forward_seen(Module: Callable, seed: int = 0) -> Mapping[str, Any]:
    layer = _built(Module, 6, 10, seed=seed)
    x = 2 * torch.randn(2, 3, 6, generator=_generator(seed), dtype=torch.float64)
    return {"the parameters": _parameters(layer), "2 rows of 3 tokens": call(layer, x)}


def _feed_forward_by(forward: Callable) -> type[bert.FeedForward]:
    """The same layer with another forward."""
    return type("FeedForward", (bert.FeedForward,), {"forward": forward})


class _WithoutBiases(bert.FeedForward):
    def __init__(self, dim, hidden):
        super().__init__(dim, hidden)
        self.expand.bias = self.contract.bias = None


FeedForward = Exercise(
    number="lab04.3",
    title="the feed-forward layer",
    difficulty=2,
    minutes=8,
    reference=bert.FeedForward,
    observe=_feed_forward_seen,
    hidden=_feed_forward_seen,
    tolerance=1e-8,
    misconceptions=(
        Misconception(
            "not bent",
            "two matrices in a row and nothing between them: together they are one matrix",
            _feed_forward_by(lambda self, x: self.contract(self.expand(x))),
        ),
        Misconception(
            "bent before it is widened",
            "the token was bent and then widened: bend the F numbers, where there is one bend for"
            " each of them",
            _feed_forward_by(lambda self, x: self.contract(self.expand(F.gelu(x)))),
        ),
        Misconception(
            "bent at the end",
            "the result was bent, so it can hardly be negative, and a residual could only grow",
            _feed_forward_by(lambda self, x: F.gelu(self.contract(self.expand(x)))),
        ),
        Misconception(
            "bent twice",
            "the result was bent once more: the second matrix is the end",
            _feed_forward_by(lambda self, x: F.gelu(self.contract(F.gelu(self.expand(x))))),
        ),
        Misconception(
            "ReLU",
            "the corner is sharp: the layer of 2017 had ReLU, and BERT has your GELU",
            _feed_forward_by(lambda self, x: self.contract(F.relu(self.expand(x)))),
        ),
        Misconception(
            "tanh form",
            "off by about a thousandth: this is the approximation of GELU",
            lambda dim, hidden: bert.FeedForward(dim, hidden, Rules(gelu="tanh")),
        ),
        Misconception(
            "residual inside",
            "the input was added: that is the step of the block around this layer",
            _feed_forward_by(lambda self, x: x + bert.FeedForward.forward(self, x)),
        ),
        Misconception(
            "no biases",
            "the matrices are there and the biases are not: BERT's weights have both",
            _WithoutBiases,
        ),
        Misconception(
            "four times as wide",
            "the layer is 4 D wide, whatever `hidden` says: that ratio is BERT's, and the"
            " configuration decides",
            lambda dim, hidden: bert.FeedForward(dim, 4 * dim),
        ),
    ),
    spoilers=("nn.Linear", "contract(", "gelu("),
)

# ---- lab04.4: the block


def _block_seen(Module: Callable, seed: int = 0) -> Mapping[str, Any]:
    block = _built(Module, 12, 4, 20, 0.05, seed=seed)  # an eps that shows
    x = torch.randn(2, 7, 12, generator=_generator(seed), dtype=torch.float64)
    keep = torch.arange(7) < torch.tensor([[6], [4]])
    real = _real(call(block, x, keep), keep)
    return {"the parameters": _parameters(block), "the real tokens of 2 rows": real}


def _block_by(forward: Callable = bert.Block.forward, **rules: Any) -> Callable:
    """Blocks with another forward, or by other rules."""
    kind = type("Block", (bert.Block,), {"forward": forward})
    return lambda dim, heads, hidden, eps: kind(dim, heads, hidden, eps, Rules(**rules))


def _norms_exchanged(self, x, keep):
    x = self.norm2(x + self.attention(x, keep))
    return self.norm1(x + self.feed_forward(x))


def _first_norm_twice(self, x, keep):
    x = self.norm1(x + self.attention(x, keep))
    return self.norm1(x + self.feed_forward(x))


def _attention_replaces(self, x, keep):
    x = self.norm1(self.attention(x, keep))
    return self.norm2(x + self.feed_forward(x))


def _feed_forward_replaces(self, x, keep):
    x = self.norm1(x + self.attention(x, keep))
    return self.norm2(self.feed_forward(x))


def _both_replace(self, x, keep):
    return self.norm2(self.feed_forward(self.norm1(self.attention(x, keep))))


def _branches_normed(self, x, keep):
    x = x + self.norm1(self.attention(x, keep))
    return x + self.norm2(self.feed_forward(x))


def _parallel(self, x, keep):
    return self.norm2(self.norm1(x + self.attention(x, keep)) + self.feed_forward(x))


def _old_residual(self, x, keep):
    attended = self.norm1(x + self.attention(x, keep))
    return self.norm2(x + self.feed_forward(attended))


def _one_norm(self, x, keep):
    x = x + self.attention(x, keep)
    return self.norm2(x + self.feed_forward(x))


Block = Exercise(
    number="lab04.4",
    title="the block",
    difficulty=3,
    minutes=12,
    reference=bert.Block,
    observe=_block_seen,
    hidden=_block_seen,
    tolerance=1e-8,
    misconceptions=(
        Misconception(
            "pre-norm",
            "the norms stand before attention and feed-forward: newer encoders do that, and BERT"
            " normalises sums",
            _block_by(norm="pre"),
        ),
        Misconception(
            "norms exchanged",
            "each norm stands at the other's place: a checkpoint would load, and be wrong",
            _block_by(_norms_exchanged),
        ),
        Misconception(
            "first norm used twice",
            "one of the two norms is never used, and the other one twice",
            _block_by(_first_norm_twice),
        ),
        Misconception(
            "first norm left out",
            "the sum after attention goes on as it is: one norm is never used",
            _block_by(_one_norm),
        ),
        Misconception(
            "attention replaces",
            "attention replaces what was there: its residual is missing",
            _block_by(_attention_replaces),
        ),
        Misconception(
            "feed-forward replaces",
            "the feed-forward layer replaces what was there: its residual is missing",
            _block_by(_feed_forward_replaces),
        ),
        Misconception(
            "both replace",
            "both residuals are missing: nothing of what a token was before reaches the end",
            _block_by(_both_replace),
        ),
        Misconception(
            "branches normed",
            "each part is normalised before it is added, so the sum itself is not",
            _block_by(_branches_normed),
        ),
        Misconception(
            "parallel",
            "the feed-forward layer read the input of the block: it has to see what attention"
            " found",
            _block_by(_parallel),
        ),
        Misconception(
            "old residual",
            "the second residual starts at the input of the block, so what attention found reaches"
            " the output only through the feed-forward layer",
            _block_by(_old_residual),
        ),
        Misconception(
            "mask not passed on",
            "words depend on what stands in the padding: `keep` does not reach attention",
            _block_by(mask="none"),
        ),
        Misconception(
            "eps not passed on",
            "the norms do not know `eps`: they take the one that they are born with",
            _block_by(eps=1e-5),
        ),
    ),
    spoilers=("x + self", "norm1(", "norm2("),
)

# ---- lab04.5: the encoder


def _encoder_seen(Module: Callable, seed: int = 0) -> Mapping[str, Any]:
    encoder = _built(Module, CONFIG, seed=seed)
    keep = torch.arange(7) < torch.tensor([[6], [4]])  # every row has padding, as in the trace
    ids = keep * torch.randint(1, CONFIG.vocab_size, (2, 7), generator=_generator(seed))
    kinds = (torch.arange(7) > 2).long().expand(2, 7)
    return {
        "the parameters": _parameters(encoder),
        "2 rows of two kinds": _real(call(encoder, ids, keep, kinds), keep),
        "2 rows without kinds": _real(call(encoder, ids, keep), keep),
    }


def _encoder_by(forward: Callable) -> type[bert.Encoder]:
    """The same encoder with another forward."""
    return type("Encoder", (bert.Encoder,), {"forward": forward})


def _through(blocks: Iterable[nn.Module], x: Tensor, keep: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, keep)
    return x


def _without_norm(self, ids, keep, kinds=None):
    return _through(self.blocks, self.embed(ids, kinds), keep)


def _norm_at_the_end(self, ids, keep, kinds=None):
    return self.norm(_through(self.blocks, self.embed(ids, kinds), keep))


def _blocks_unheard(self, ids, keep, kinds=None):
    return self.norm(self.embed(ids, kinds))


def _last_block_left_out(self, ids, keep, kinds=None):
    return _through(self.blocks[:-1], self.norm(self.embed(ids, kinds)), keep)


def _no_kind_by_default(self, ids, keep, kinds=None):
    forgotten = self.kind.weight[0] if kinds is None else 0
    return _through(self.blocks, self.norm(self.embed(ids, kinds) - forgotten), keep)


def _masked_once(self, ids, keep, kinds=None):
    x = self.blocks[0](self.norm(self.embed(ids, kinds)), keep)
    return _through(self.blocks[1:], x, torch.ones_like(keep))


def _first_token(self, ids, keep, kinds=None):
    return bert.Encoder.forward(self, ids, keep, kinds)[:, 0]


StudentEncoder = Exercise(
    number="lab04.5",
    title="the encoder",
    difficulty=4,
    minutes=20,
    reference=bert.Encoder,
    observe=_encoder_seen,
    hidden=_encoder_seen,
    tolerance=1e-8,
    misconceptions=(
        *(Misconception(idea.name, idea.message, idea.build) for idea in IDEAS),
        Misconception(
            "embedding norm left out",
            "the sum of the embeddings goes into the first block as it is: the encoder's own norm"
            " is never used",
            _encoder_by(_without_norm),
        ),
        Misconception(
            "norm at the end",
            "the encoder's own norm stands behind the blocks, as pre-norm models have it: BERT's"
            " stands in front of them",
            _encoder_by(_norm_at_the_end),
        ),
        Misconception(
            "blocks unheard",
            "the tokens leave as they would enter the first block: what the blocks return is lost",
            _encoder_by(_blocks_unheard),
        ),
        Misconception(
            "last block left out",
            "the tokens leave one block too early",
            _encoder_by(_last_block_left_out),
        ),
        Misconception(
            "no kind by default",
            "right where kinds are given; where they are not, all tokens are of kind 0, and that"
            " kind has a vector, too",
            _encoder_by(_no_kind_by_default),
        ),
        Misconception(
            "masked in the first block only",
            "the first block hides the padding, and the second one sees it",
            _encoder_by(_masked_once),
        ),
        Misconception(
            "first token alone",
            "there is one vector for each row: an encoder returns one for each token, and what to"
            " make of them is for later",
            _encoder_by(_first_token),
        ),
    ),
    spoilers=("zeros_like", "[:, :", "nn.ModuleList("),
)

# ---- lab04.6: predict what the microscope will see

_FIRST = {
    "kinds forgotten": "vectors added",
    "eps of 1e-5": "embedding norm",
    "pre-norm": "block 1: queries",
    "query and key exchanged": "block 1: heads merged",
    "mask inverted": "block 1: heads merged",
    "GELU in its tanh form": "block 1: bent",
}

first_tensors = Exercise(
    number="lab04.6",
    title="the first tensor that differs",
    difficulty=2,
    minutes=8,
    reference=_FIRST,
    misconceptions=(
        Misconception(
            "queries differ",
            "the matrices were not touched, only who asks whom: what comes out of the module"
            " `query` is what it was",
            _FIRST | {"query and key exchanged": "block 1: queries"},
        ),
        Misconception(
            "mask seen in the keys",
            "the mask hides keys from the scores; what comes out of the module `key` never met it",
            _FIRST | {"mask inverted": "block 1: keys"},
        ),
        Misconception(
            "mask seen after the output matrix",
            "the wrong mask is seen one tensor earlier than you say: what goes into the output"
            " matrix is wrong already",
            _FIRST | {"mask inverted": "block 1: attention"},
        ),
        Misconception(
            "eps seen in the blocks",
            "there is a norm before the first block, too",
            _FIRST | {"eps of 1e-5": "block 1: first norm"},
        ),
        Misconception(
            "bend seen after the second matrix",
            "GELU acts between the two matrices, and the second one only hands the fault on",
            _FIRST | {"GELU in its tanh form": "block 1: feed-forward"},
        ),
        Misconception(
            "bend seen in the first matrix",
            "`widened` is what comes out of the first matrix: nothing is bent there yet",
            _FIRST | {"GELU in its tanh form": "block 1: widened"},
        ),
        Misconception(
            "pre-norm seen at the first norm",
            "a pre-norm block normalises before it asks: what do its queries read?",
            _FIRST | {"pre-norm": "block 1: first norm"},
        ),
        Misconception(
            "kinds seen after the norm",
            "the sum differs before the norm has seen it",
            _FIRST | {"kinds forgotten": "embedding norm"},
        ),
    ),
)

# ---- lab04.7: repair a block


RepairedBlock = Exercise(
    number="lab04.7",
    title="the repaired block",
    difficulty=3,
    minutes=15,
    reference=bert.Block,
    observe=_block_seen,
    hidden=_block_seen,
    tolerance=1e-8,
    misconceptions=(
        Misconception(
            "as found",
            "this is the block as you found it, and it has two faults: look at it with the"
            " microscope",
            _block_by(_old_residual, exchanged=True),
        ),
        Misconception(
            "old residual left",
            "one fault is left, and the microscope has no name for it: what is added there, and"
            " since when is that an old value?",
            _block_by(_old_residual),
        ),
        Misconception(
            "exchanged left",
            "the sums are right now; one fault is left, inside of attention",
            _block_by(exchanged=True),
        ),
        Misconception(
            "residual removed",
            "instead of being repaired, the second residual was removed",
            _block_by(_feed_forward_replaces),
        ),
        Misconception(
            "pre-norm",
            "it has become a pre-norm block: the order of the norms was right as you found it",
            _block_by(norm="pre"),
        ),
        Misconception(
            "mask lost",
            "both faults are gone and a new one is there: the padding is seen",
            _block_by(mask="none"),
        ),
    ),
    spoilers=("attend(q", "norm1(", "norm2("),
)

# ---- lab04.8: which faults would nobody notice

_UNNOTICED = {
    "mask forgotten",
    "scale missing",
    "scale of the whole width",
    "scale without the root",
    "eps of 1e-5",
    "GELU in its tanh form",
    "positions forgotten",
}

unnoticed = Exercise(
    number="lab04.8",
    title="faults that nobody notices",
    difficulty=3,
    minutes=12,
    reference=_UNNOTICED,
    misconceptions=(
        Misconception(
            "those that are noticed",
            "this is the opposite: the faults that cost at least one sentence its partner",
            {idea.name for idea in IDEAS} - _UNNOTICED,
        ),
        Misconception(
            "none",
            "the test that finds every fault also fails the right encoder: does each sentence find"
            " itself, or is padding in the mean?",
            set(),
        ),
        Misconception(
            "first token",
            "MiniLM was not trained to put the sentence into its first token: take the mean",
            {"scale without the root"},
        ),
        Misconception(
            "dot products",
            "long vectors win here: compare directions, and not lengths",
            {"eps of 1e-5", "GELU in its tanh form", "scale missing", "scale without the root"},
        ),
        Misconception(
            "one sentence may fail",
            "one of these faults costs a sentence its partner: all six have to find theirs",
            _UNNOTICED | {"heads merged without transpose"},
        ),
        Misconception(
            "by the size of the change",
            "these hardly change a vector; the question is who still finds the partner, and that"
            " takes more",
            {"eps of 1e-5", "GELU in its tanh form"},
        ),
    ),
)
