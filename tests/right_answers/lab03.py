"""Right answers to the exercises of lab 03."""

import math

import torch
from torch import nn


def attend_by_infinity(q, k, v, keep):
    scores = torch.einsum("bhtk,bhsk->bhts", q, k) * q.shape[-1] ** -0.5
    weights = torch.where(keep, scores, -math.inf).softmax(dim=-1).nan_to_num(0.0)
    return weights @ v, weights


def attend_by_hand(q, k, v, keep):
    scores = (q / math.sqrt(k.shape[-1])) @ k.transpose(-2, -1)
    scores = scores - scores.masked_fill(~keep, -1e30).amax(dim=-1, keepdim=True)
    powers = scores.exp().where(keep, 0.0)
    weights = powers / powers.sum(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.einsum("bhts,bhsk->bhtk", weights, v), weights


def split_by_view(x, heads):
    rows, length, dim = x.shape
    return x.view(rows, length, heads, dim // heads).permute(0, 2, 1, 3)


def split_by_chunks(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


def merge_by_cat(values):
    return torch.cat(values.unbind(dim=1), dim=-1)


def merge_by_view(values):
    rows, heads, length, width = values.shape
    return values.permute(0, 2, 1, 3).contiguous().view(rows, length, heads * width)


class MultiHeadOfParts(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x, keep):
        if keep.dim() == 2:
            keep = keep.unsqueeze(1).unsqueeze(1)
        q, k, v = (split_by_view(f(x), self.heads) for f in (self.query, self.key, self.value))
        return self.out(merge_by_cat(attend_by_infinity(q, k, v, keep)[0]))


class MultiHeadByLoop(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.width = heads, dim // heads
        self.out = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.query = nn.Linear(dim, dim)

    def forward(self, x, keep):
        keep = keep[:, None, None] if keep.ndim == 2 else keep
        parts = (f(x).split(self.width, dim=-1) for f in (self.query, self.key, self.value))
        found = []
        for head, (q, k, v) in enumerate(zip(*parts, strict=True)):
            own = keep[:, head if keep.shape[1] > 1 else 0, None]
            found.append(attend_by_hand(q[:, None], k[:, None], v[:, None], own)[0][:, 0])
        return self.out(torch.cat(found, dim=-1))


def cross_by_parts(layer, x, source, keep):
    q = split_by_view(layer.query(x), layer.heads)
    k = split_by_view(layer.key(source), layer.heads)
    v = split_by_view(layer.value(source), layer.heads)
    values, _ = attend_by_hand(q, k, v, keep[:, None, None, :])
    return layer.out(merge_by_view(values))


def cross_repaired(layer, x, source, keep):
    B, T, D = x.shape
    H, S = layer.heads, source.shape[1]
    K = D // H
    q = layer.query(x).view(B, T, H, K).transpose(1, 2)
    k = layer.key(source).view(B, S, H, K).transpose(1, 2)
    v = layer.value(source).view(B, S, H, K).transpose(1, 2)
    scores = q @ k.transpose(-2, -1) / K**0.5
    scores = scores.masked_fill(~keep.view(B, 1, 1, S), -1e9)
    values = scores.softmax(dim=-1) @ v
    return layer.out(values.transpose(1, 2).reshape(B, T, D))


def view_by_loop(weights, keep):
    counts = []
    for row, real in zip(weights, keep, strict=True):
        of_real = row[:, real]
        counts.append((-of_real * of_real.clamp_min(1e-30).log()).sum(dim=-1).exp())
    return torch.cat(counts, dim=-1).mean(dim=-1)


def view_by_sums(weights, keep):
    entropy = -torch.special.xlogy(weights, weights).sum(dim=-1)
    return (entropy.exp() * keep[:, None]).sum(dim=(0, 2)) / keep.sum()


RIGHT = {
    "lab03.1": [attend_by_infinity, attend_by_hand],
    "lab03.2": [split_by_view, split_by_chunks],
    "lab03.3": [merge_by_cat, merge_by_view],
    "lab03.4": [MultiHeadOfParts, MultiHeadByLoop],
    "lab03.5": [
        {
            "padding": [(1, 3)],
            "word": {(1, token) for token in range(4)},
            "causal": [[0, 2], [0, 3]],
            "longer": set(),
        }
    ],
    "lab03.6": [cross_by_parts, cross_repaired],
    "lab03.7": [view_by_loop, view_by_sums],
}
