"""Right answers to the exercises of notebook 02."""

import math

import torch
from torch.nn import functional as F


def lookup_by_comparing(ids, table):
    names = torch.arange(table.shape[0])
    return (ids[..., None] == names).float() @ table


def lookup_by_filling(ids, table):
    flat = ids.flatten()
    hot = torch.zeros(len(flat), len(table))
    hot[torch.arange(len(flat)), flat] = 1.0
    return (hot @ table).reshape(*ids.shape, -1)


def ppmi_in_loops(counts):
    total = counts.sum()
    information = torch.zeros_like(counts)
    for a in range(counts.shape[0]):
        for b in range(counts.shape[1]):
            if counts[a, b] > 0:
                ratio = counts[a, b] * total / (counts[a].sum() * counts[:, b].sum())
                information[a, b] = max(0.0, math.log(ratio))
    return information


def ppmi_by_chance(counts):
    joint = counts / counts.sum()
    chance = torch.outer(joint.sum(1), joint.sum(0))
    information = torch.log(joint / chance)
    return torch.nan_to_num(information, nan=0.0, neginf=0.0).relu()


def sines_in_place(length, dim):
    table = torch.zeros(length, dim)
    pairs = torch.arange(0, dim, 2)
    angles = torch.arange(length)[:, None] / 10_000 ** (pairs / dim)
    table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table


def sines_in_loops(length, dim):
    rows = []
    for t in range(length):
        row = []
        for i in range(dim // 2):
            angle = t / 10_000 ** (2 * i / dim)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


def turn_by_halves(q, k, v):
    half = q.shape[1] // 2
    angles = torch.arange(len(q))[:, None] * 10_000 ** (-torch.arange(half) / half)
    cos, sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)

    def turned(x):
        return x * cos + torch.cat([-x[:, half:], x[:, :half]], dim=1) * sin

    return turned(q), turned(k), v


def turn_as_complex(q, k, v):
    half = q.shape[1] // 2
    angles = torch.arange(len(q))[:, None] / 10_000 ** (torch.arange(half) / half)
    phases = torch.polar(torch.ones_like(angles), angles)

    def turned(x):
        numbers = torch.complex(x[:, :half], x[:, half:]) * phases
        return torch.cat([numbers.real, numbers.imag], dim=1)

    return turned(q), turned(k), v


RIGHT = {
    "2.1": [
        lookup_by_comparing,
        lookup_by_filling,
        lambda ids, table: F.one_hot(ids, len(table)).float() @ table,
    ],
    "2.2": [ppmi_in_loops, ppmi_by_chance],
    "2.3": [31_036 * 768],
    "2.4": [sines_in_place, sines_in_loops],
    "2.5": [turn_by_halves, turn_as_complex],
    "2.6": ["rotary", "Rotary "],
}
