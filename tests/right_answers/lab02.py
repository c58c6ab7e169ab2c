"""Right answers to the exercises of lab 02."""

import math

import torch
from torch.nn import functional as F


def embed_by_lookup(ids, table, positions, types=None, kinds=None):
    places = torch.arange(ids.shape[1]).expand_as(ids)
    hidden = F.embedding(ids, table) + F.embedding(places, positions)
    if types is not None:
        hidden += F.embedding(torch.zeros_like(ids) if kinds is None else kinds, types)
    return hidden


def embed_in_loops(ids, table, positions, types=None, kinds=None):
    rows = []
    for b, row in enumerate(ids.tolist()):
        rows.append([])
        for t, token in enumerate(row):
            total = table[token] + positions[t]
            if types is not None:
                total = total + types[0 if kinds is None else kinds[b, t]]
            rows[b].append(total)
    return torch.stack([torch.stack(row) for row in rows])


def sinusoidal_in_place(length, dim):
    table = torch.zeros(length, dim, dtype=torch.float64)
    exponents = torch.arange(0, dim, 2).double() / dim
    angles = torch.outer(torch.arange(length).double(), 10_000**-exponents)
    table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table.float()


def sinusoidal_in_loops(length, dim):
    rows = []
    for t in range(length):
        angles = [t / 10_000 ** (2 * i / dim) for i in range(dim // 2)]
        rows.append([f(angle) for angle in angles for f in (math.sin, math.cos)])
    return torch.tensor(rows)


def shift_in_place(k, dim):
    matrix = torch.zeros(dim, dim)
    for i in range(0, dim, 2):
        angle = k / 10_000 ** (i / dim)
        matrix[i, i] = matrix[i + 1, i + 1] = math.cos(angle)
        matrix[i, i + 1], matrix[i + 1, i] = math.sin(angle), -math.sin(angle)
    return matrix


def shift_as_complex(k, dim):
    """Turn each unit vector (sine, cosine) as the number cosine + i sine."""
    speeds = 10_000 ** -(torch.arange(0, dim, 2).double() / dim)
    units = torch.eye(dim, dtype=torch.float64).unflatten(1, (-1, 2))  # (D, D/2, 2)
    numbers = torch.complex(units[..., 1], units[..., 0]) * torch.exp(1j * k * speeds)
    return torch.stack([numbers.imag, numbers.real], dim=-1).flatten(1).T.float()


def rotate_whole(x, base=10_000.0):
    length, half = x.shape[2], x.shape[3] // 2
    angles = torch.arange(length)[:, None] * base ** (-torch.arange(half) / half)
    cos, sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin


def rotate_as_complex(x, base=10_000.0):
    half = x.shape[-1] // 2
    angles = torch.outer(torch.arange(x.shape[2]), 1 / base ** (torch.arange(half) / half))
    numbers = torch.complex(x[..., :half], x[..., half:]) * torch.polar(angles * 0 + 1, angles)
    return torch.cat([numbers.real, numbers.imag], dim=-1)


def to_halves_by_index(weight, heads):
    rows = torch.arange(len(weight)).reshape(heads, -1)
    order = torch.cat([rows[:, 0::2], rows[:, 1::2]], dim=1)
    return weight[order.flatten()]


def to_halves_by_head(weight, heads):
    chunks = weight.chunk(heads)
    return torch.cat([part for chunk in chunks for part in (chunk[0::2], chunk[1::2])])


def gap_put_back(encode, ids, order):
    hidden, shuffled = encode(ids), encode(ids[:, order])
    back = shuffled[:, order.argsort()]
    return (back - hidden).norm(dim=-1).mean() / hidden.norm(dim=-1).mean()


def gap_in_loops(encode, ids, order):
    hidden, shuffled = encode(ids), encode(ids[:, order])
    distances, lengths = [], []
    for row in range(len(ids)):
        for place, token in enumerate(order.tolist()):
            distances.append(math.dist(hidden[row, token].tolist(), shuffled[row, place].tolist()))
            lengths.append(math.hypot(*hidden[row, token].tolist()))
    return sum(distances) / sum(lengths)


RIGHT = {
    "lab02.1": [embed_by_lookup, embed_in_loops],
    "lab02.2": [sinusoidal_in_place, sinusoidal_in_loops],
    "lab02.3": [shift_in_place, shift_as_complex],
    "lab02.4": [rotate_whole, rotate_as_complex],
    "lab02.5": [to_halves_by_index, to_halves_by_head],
    "lab02.6": [{"alibi", "rotary", "none"}, ["alibi", "none", "rotary"]],
    "lab02.7": [gap_put_back, gap_in_loops],
}
