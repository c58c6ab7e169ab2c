"""Right answers to the exercises of notebook 03."""

import math

import torch


def scores_by_einsum(q, k):
    return torch.einsum("...tk,...sk->...ts", q, k) / math.sqrt(q.shape[-1])


def scores_by_scaled_queries(q, k):
    return (q * k.shape[-1] ** -0.5) @ k.transpose(-2, -1)


def weights_by_infinity(scores, keep):
    weights = scores.masked_fill(~keep, -torch.inf).softmax(dim=-1)
    return weights.nan_to_num(0.0)


def weights_by_hand(scores, keep):
    powers = torch.where(keep, (scores - scores.amax(dim=-1, keepdim=True)).exp(), 0.0)
    return powers / powers.sum(dim=-1, keepdim=True).clamp_min(1e-30)


def causal_by_places(keep):
    places = torch.arange(keep.shape[1])
    return keep[:, None, None, :] & (places[None, :] <= places[:, None])


def causal_by_loop(keep):
    rows, length = keep.shape
    mask = torch.zeros(rows, 1, length, length, dtype=torch.bool)
    for t in range(length):
        mask[:, 0, t, : t + 1] = keep[:, : t + 1]
    return mask


def merged_by_permute(values):
    rows, heads, length, width = values.shape
    return values.permute(0, 2, 1, 3).reshape(rows, length, heads * width)


def merged_by_cat(values):
    return torch.cat(list(values.unbind(dim=1)), dim=-1)


def share_by_loop(weights, keep):
    found = [
        weights[row, :, t, t - 1]
        for row in range(len(keep))
        for t in range(1, keep.shape[1])
        if keep[row, t]
    ]
    return torch.stack(found).mean(dim=0)


def share_by_mask(weights, keep):
    places = torch.arange(keep.shape[1])
    is_previous = places[None, :] == places[:, None] - 1  # (T, S)
    asked = keep[:, None, :, None] & is_previous  # (B, 1, T, S)
    return (weights * asked).sum(dim=(0, 2, 3)) / asked.sum()


RIGHT = {
    "3.1": [scores_by_einsum, scores_by_scaled_queries],
    "3.2": [weights_by_infinity, weights_by_hand],
    "3.3": [causal_by_places, causal_by_loop],
    "3.4": [merged_by_permute, merged_by_cat],
    "3.5": [
        {
            "projected": [2, 9, 12],
            "queries": torch.Size([2, 3, 9, 4]),
            "keep": (2, 1, 1, 9),
            "scores": (2, 3, 9, 9),
            "output": (2, 9, 12),
        }
    ],
    "3.6": [share_by_loop, share_by_mask],
}
