"""Attention: shapes, laws, parity with PyTorch, and wrong versions that must not pass."""

import importlib
import math

import jaxtyping
import pytest
import torch
from torch import nn

from encoder_course.nn.attention import MultiHeadAttention, Sight, attention, fused_attention

# By name: the package offers the function of the same name in its place.
MODULE = importlib.import_module("encoder_course.nn.attention")
B, H, T, K = 2, 3, 5, 4
EXACT = dict(rtol=0, atol=1e-10)  # float64


@pytest.fixture
def qkv():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, B, H, T, K, generator=generator, dtype=torch.float64)


@pytest.fixture
def keep():
    """The first row is whole, the second has two tokens of padding."""
    return (torch.arange(T) < torch.tensor([[5], [3]]))[:, None, None, :]  # (B, 1, 1, S)


def explicit(q, k, v, keep=None, bias=None):
    return attention(q, k, v, keep, bias)[0]


BOTH = pytest.mark.parametrize("attend", [explicit, fused_attention])


def test_shapes_and_rows_that_sum_to_one(qkv, keep):
    values, weights = attention(*qkv, keep)
    assert values.shape == (B, H, T, K)
    assert weights.shape == (B, H, T, T)
    assert torch.allclose(weights.sum(-1), torch.ones(B, H, T, dtype=torch.float64))
    assert not torch.allclose(weights.sum(-2), torch.ones(B, H, T, dtype=torch.float64))
    assert bool((weights[1, :, :, 3:] == 0).all())


def test_queries_and_keys_may_differ_in_number(qkv):
    q, k, v = qkv
    values, weights = attention(q[:, :, :2], k, v)
    assert values.shape == (B, H, 2, K) and weights.shape == (B, H, 2, T)


@BOTH
def test_without_positions_a_permutation_goes_straight_through(qkv, attend):
    order = torch.tensor([3, 0, 4, 1, 2])
    shuffled = attend(*(x[:, :, order] for x in qkv))
    torch.testing.assert_close(shuffled, attend(*qkv)[:, :, order], **EXACT)


@BOTH
def test_what_stands_under_the_mask_changes_nothing(qkv, keep, attend):
    q, k, v = qkv
    other_k, other_v = k.clone(), v.clone()
    other_k[1, :, 3:] = 1e6
    other_v[1, :, 3:] = -1e6
    torch.testing.assert_close(attend(q, other_k, other_v, keep), attend(q, k, v, keep), **EXACT)
    assert not torch.allclose(attend(q, other_k, other_v), attend(q, k, v))


@BOTH
def test_a_causal_mask_never_leaks_and_none_does(qkv, attend):
    q, k, v = qkv
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    future = v.clone()
    future[:, :, -1] += 1
    before = slice(0, T - 1)
    leak = attend(q, k, future, causal) - attend(q, k, v, causal)
    assert bool((leak[:, :, before] == 0).all()) and bool((leak[:, :, -1] != 0).all())
    assert bool((attend(q, k, future) != attend(q, k, v)).all())


@BOTH
def test_a_query_with_nothing_to_keep_gets_zeros_and_finite_gradients(qkv, attend):
    keep = torch.ones(B, 1, T, T, dtype=torch.bool)
    keep[0] = False
    keep[1, :, 2] = False
    inputs = [x.clone().requires_grad_() for x in qkv]
    values = attend(*inputs, keep)
    assert bool((values[0] == 0).all()) and bool((values[1, :, 2] == 0).all())
    assert bool(values[1, :, 1].abs().sum() > 0)
    values.square().sum().backward()
    assert all(bool(x.grad.isfinite().all()) for x in inputs)
    assert bool((inputs[2].grad[0] == 0).all())


def test_the_weights_of_such_a_query_are_zeros(qkv):
    _, weights = attention(*qkv, torch.zeros(1, 1, 1, T, dtype=torch.bool))
    assert bool((weights == 0).all())


def test_an_infinite_score_does_not_break_a_masked_row(qkv, keep):
    bias = torch.zeros(B, H, T, T, dtype=torch.float64).masked_fill(~keep, -math.inf)
    torch.testing.assert_close(attention(*qkv, keep, bias)[0], attention(*qkv, keep)[0], **EXACT)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_explicit_and_fused_agree(qkv, keep, masked, biased):
    bias = torch.randn(H, T, T, dtype=torch.float64) if biased else None
    keep = keep if masked else None
    torch.testing.assert_close(
        explicit(*qkv, keep, bias), fused_attention(*qkv, keep, bias), **EXACT
    )
    single = [x.float() for x in qkv]
    bias = bias if bias is None else bias.float()
    torch.testing.assert_close(
        explicit(*single, keep, bias), fused_attention(*single, keep, bias), rtol=0, atol=1e-6
    )


@BOTH
def test_a_mask_of_another_type_or_shape_is_refused(qkv, keep, attend, monkeypatch):
    # Without the tests' own shape checks, as a learner runs it.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="must be boolean.*float64"):
        attend(*qkv, keep.double())
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(2, 3, 5, 5\).*keep\[:, None, None, :\]"):
        attend(*qkv, torch.ones(B, T - 1, dtype=torch.bool))


def test_dim_must_split_into_heads():
    with pytest.raises(ValueError, match="dim 10 cannot be split into 4"):
        MultiHeadAttention(10, 4)


# --- parity with torch.nn.MultiheadAttention, and what must fail it ---------------------------


def no_heads_transpose(q, k, v, keep):
    """Wrong: the heads are made by a reshape alone, which cuts the tokens into pieces."""
    b, h, t, width = q.shape
    q, k, v = (x.transpose(1, 2).reshape(b, h, t, width) for x in (q, k, v))
    return attention(q, k, v, keep)[0]


WRONG = {
    "mask polarity inverted": lambda q, k, v, keep: attention(q, k, v, ~keep)[0],
    "mask forgotten": lambda q, k, v, keep: attention(q, k, v)[0],
    "softmax over the queries": lambda q, k, v, keep: (
        (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~keep, -1e9).softmax(-2) @ v
    ),
    "scaled by the model width": lambda q, k, v, keep: attention(
        q / math.sqrt(q.shape[1]), k, v, keep
    )[0],
    "scaled by K, not its root": lambda q, k, v, keep: attention(
        q / math.sqrt(q.shape[-1]), k, v, keep
    )[0],
    "not scaled": lambda q, k, v, keep: attention(q * math.sqrt(q.shape[-1]), k, v, keep)[0],
    "queries and keys swapped": lambda q, k, v, keep: attention(k, q, v, keep)[0],
    "heads without a transpose": no_heads_transpose,
}


def theirs_and_ours(dtype=torch.float64, attend=None, monkeypatch=None):
    """Outputs and input gradients of torch's module and of ours with the same weights."""
    torch.manual_seed(0)
    dim, heads = 12, 3
    theirs = nn.MultiheadAttention(dim, heads, batch_first=True, dtype=dtype)
    nn.init.normal_(theirs.in_proj_bias)
    nn.init.normal_(theirs.out_proj.bias)
    ours = MultiHeadAttention(dim, heads).to(dtype)
    parts = zip(theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3), strict=True)
    for linear, (weight, bias) in zip((ours.query, ours.key, ours.value), parts, strict=True):
        linear.load_state_dict({"weight": weight, "bias": bias})
    ours.output.load_state_dict(theirs.out_proj.state_dict())
    hidden = torch.randn(B, T, dim, dtype=dtype, requires_grad=True)
    keep = torch.arange(T) < torch.tensor([[5], [3]])
    if attend is not None:

        def wrong(q, k, v, keep=None, bias=None):
            return attend(q, k, v, keep), None

        monkeypatch.setattr(MODULE, "attention", wrong)
    results = []
    for values in (
        theirs(hidden, hidden, hidden, key_padding_mask=~keep)[0],
        ours(hidden, Sight(keep=keep[:, None, None, :])),
    ):
        gradient = torch.autograd.grad(values.square().sum(), hidden)[0]
        results.append((values, gradient))
    return results


def test_equals_torch_in_double_precision():
    for theirs, ours in zip(*theirs_and_ours(), strict=True):
        torch.testing.assert_close(ours, theirs, **EXACT)


def test_equals_torch_in_single_precision():
    for theirs, ours in zip(*theirs_and_ours(torch.float32), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_attention_fails_the_same_check(name, monkeypatch):
    theirs, ours = theirs_and_ours(attend=WRONG[name], monkeypatch=monkeypatch)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours[0], theirs[0], **EXACT)


def test_cross_attention_equals_torch():
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True, bias=False, dtype=torch.float64)
    ours = MultiHeadAttention(12, 3, bias=False).double()
    for linear, weight in zip(
        (ours.query, ours.key, ours.value), theirs.in_proj_weight.chunk(3), strict=True
    ):
        linear.load_state_dict({"weight": weight})
    ours.output.load_state_dict(theirs.out_proj.state_dict())
    hidden, source = torch.randn(B, 4, 12).double(), torch.randn(B, 7, 12).double()
    expected = theirs(hidden, source, source)[0]
    torch.testing.assert_close(ours(hidden, source=source), expected, **EXACT)


def test_long_rows_take_the_fused_path_to_the_same_values():
    torch.manual_seed(0)
    ours = MultiHeadAttention(8, 2).double()
    hidden = torch.randn(1, 300, 8, dtype=torch.float64)
    keep = (torch.arange(300) < 290)[None, None, None]
    q, k, v = ours.query(hidden), ours.key(hidden), ours.value(hidden)
    values, weights = attention(*(ours.split(x) for x in (q, k, v)), keep)
    expected = ours.output(values.transpose(1, 2).flatten(2))
    torch.testing.assert_close(ours(hidden, Sight(keep=keep)), expected, **EXACT)
    torch.testing.assert_close(ours.weights(hidden, Sight(keep=keep)), weights, **EXACT)
