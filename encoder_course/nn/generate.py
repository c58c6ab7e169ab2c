"""Writing with a model that knows the next token: the best one at a time, or several drafts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

# From the tokens so far, (B, T), to the scores of the next one, (B, V).
NextLogits = Callable[[Tensor], Tensor]


@torch.no_grad()
def greedy(
    next_logits: NextLogits, start: Int[Tensor, "B T"], end_id: int, limit: int
) -> Int[Tensor, "B L"]:
    """Add the most probable token, up to `limit` times, and return `start` with what follows.

    A row that has said `end_id` goes on with `end_id` alone; all rows finished, it stops.
    """
    ids, finished = start, torch.zeros(len(start), dtype=torch.bool, device=start.device)
    for _ in range(limit):
        token = next_logits(ids).argmax(dim=-1).masked_fill(finished, end_id)  # (B,)
        ids = torch.cat([ids, token[:, None]], dim=1)
        finished = finished | (token == end_id)
        if finished.all():
            break
    return ids


@torch.no_grad()
def beam(
    next_logits: NextLogits,
    start: Int[Tensor, "B T"],
    end_id: int,
    limit: int,
    width: int = 4,
    length_power: float | int = 0.0,
) -> tuple[Int[Tensor, "B W L"], Float[Tensor, "B W"]]:
    """Keep the `width` best drafts of each row, and return them with their scores, best first.

    A draft's score is the log probability of what it adds, divided by its number of added tokens
    (the end among them) to the power `length_power`: 0 compares whole texts, 1 their tokens, which
    favours longer ones. `next_logits` sees the W drafts of a row in succession, (B * W, T).
    Lowerre, 1976; Wu et al., 2016. ValueError for a width below 1.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, but it is {width}")
    rows = len(start)
    ids = start[:, None].expand(-1, width, -1)  # (B, W, T)
    total = torch.full((rows, width), -torch.inf, device=start.device)
    total[:, 0] = 0.0  # all drafts are the same yet: only one may have children
    finished = torch.zeros_like(total, dtype=torch.bool)
    length = torch.zeros_like(total)
    for _ in range(limit):
        logs = next_logits(ids.flatten(0, 1)).log_softmax(dim=-1).unflatten(0, (rows, width))
        stay = torch.full_like(logs, -torch.inf)
        stay[..., end_id] = 0.0  # a finished draft has one child, itself
        logs = torch.where(finished[..., None], stay, logs)  # (B, W, V)
        total, best = (total[..., None] + logs).flatten(1).topk(width, dim=1)  # (B, W)
        parent, token = best // logs.shape[-1], best % logs.shape[-1]
        ids = ids.gather(1, parent[..., None].expand(-1, -1, ids.shape[-1]))
        ids = torch.cat([ids, token[..., None]], dim=-1)
        finished, length = finished.gather(1, parent), length.gather(1, parent)
        length = length + ~finished
        finished = finished | (token == end_id)
        if finished.all():
            break
    scores, order = (total / length.clamp(min=1) ** length_power).sort(dim=1, descending=True)
    return ids.gather(1, order[..., None].expand_as(ids)), scores
