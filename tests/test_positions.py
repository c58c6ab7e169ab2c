"""Positions: shapes, the laws that each kind promises, and the wrong ones that break them."""

import math

import pytest
import torch

from encoder_course.nn.positions import alibi, alibi_slopes, rotary, rotate, sinusoidal

T, K = 12, 8


def turned_scores(rotated, generator, shift=0):
    """Scores between every pair of positions of the same query and the same key."""
    q, k = torch.randn(2, 1, 1, 1, K, generator=generator, dtype=torch.float64)
    cos, sin = (x[shift : shift + T] for x in rotary(T + shift, K, dtype=torch.float64))
    q, k = (rotated(x.expand(1, 1, T, K), cos, sin) for x in (q, k))
    return (q @ k.mT)[0, 0]  # (T, T)


def is_by_distance(scores):
    """Whether every diagonal of a (T, T) table holds one value."""
    diagonals = [scores.diagonal(offset) for offset in range(1 - T, T)]
    return all(torch.allclose(d, d[:1].expand_as(d), atol=1e-12) for d in diagonals)


def test_sinusoidal_is_a_clock_with_many_hands():
    table = sinusoidal(T, K, dtype=torch.float64)
    assert table.shape == (T, K)
    assert table[0].tolist() == [0, 1] * (K // 2)
    assert table[3, 0] == pytest.approx(math.sin(3))
    assert table[3, 3] == pytest.approx(math.cos(3 / 10_000 ** (2 / K)))
    lengths = table.unflatten(1, (-1, 2)).norm(dim=-1)
    assert torch.allclose(lengths, torch.ones_like(lengths))


def test_sinusoidal_needs_pairs():
    with pytest.raises(ValueError, match="pairs, but dim is 7"):
        sinusoidal(T, 7)


def test_rotation_keeps_lengths_and_leaves_position_zero():
    heads = torch.randn(2, 3, T, K, dtype=torch.float64)
    turned = rotate(heads, *rotary(T, K, dtype=torch.float64))
    assert turned.shape == heads.shape
    assert torch.allclose(turned.norm(dim=-1), heads.norm(dim=-1))
    assert torch.equal(turned[:, :, 0], heads[:, :, 0])
    assert not torch.allclose(turned[:, :, 1], heads[:, :, 1])


def test_rotary_scores_depend_on_distance_alone():
    here = turned_scores(rotate, torch.Generator().manual_seed(0))
    there = turned_scores(rotate, torch.Generator().manual_seed(0), shift=100)
    assert is_by_distance(here)
    assert torch.allclose(here, there, atol=1e-10)
    assert not torch.allclose(here, here.mT)  # forward and backward are told apart


def mirror(heads, cos, sin):
    """Wrong: one sign differs, so that pairs are mirrored instead of turned."""
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cos + second * sin, second * cos + first * sin], dim=-1)


def added(heads, cos, sin):
    """Wrong: the position is added to queries and keys."""
    return heads + torch.cat([cos, sin], dim=-1)


@pytest.mark.parametrize("wrong", [mirror, added])
def test_a_wrong_rotation_fails_the_law(wrong):
    assert not is_by_distance(turned_scores(wrong, torch.Generator().manual_seed(0)))


def test_alibi_is_symmetric_and_grows_with_distance():
    bias = alibi(4, T)
    assert bias.shape == (4, T, T)
    assert torch.equal(bias, bias.mT)
    assert bool((bias.diagonal(dim1=1, dim2=2) == 0).all())
    assert bool((bias[:, 0].diff(dim=-1) < 0).all())


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (8, [2**-i for i in range(1, 9)]),
        (4, [2**-2, 2**-4, 2**-6, 2**-8]),
        (6, [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]),
        (1, [2**-8]),
    ],
)
def test_alibi_slopes_are_those_of_the_paper(heads, slopes):
    assert torch.allclose(alibi_slopes(heads), torch.tensor(slopes, dtype=torch.float32))
