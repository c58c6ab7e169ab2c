"""Right answers to the exercises of lab 13."""

import torch

from encoder_course.nn import Sight


def masks_by_triangle(keep_source, keep_target):
    length = keep_target.shape[1]
    source = keep_source[:, None, None]
    past = torch.ones(length, length, dtype=torch.bool).tril()
    return {"encoder": source, "decoder": keep_target[:, None, None] & past, "cross": source}


def masks_by_places(keep_source, keep_target):
    places = torch.arange(keep_target.shape[1])
    past = places <= places.view(-1, 1)
    return {
        "cross": keep_source.view(len(keep_source), 1, 1, -1),
        "encoder": keep_source.unsqueeze(1).unsqueeze(2),
        "decoder": torch.logical_and(keep_target.unsqueeze(1).unsqueeze(2), past[None, None]),
    }


def teach_by_lists(rows, start_id, end_id, pad_id):
    length = 1 + max(len(row) for row in rows)
    inputs, labels = [], []
    for row in rows:
        spare = length - len(row) - 1
        inputs.append([start_id, *row] + [pad_id] * spare)
        labels.append([*row, end_id] + [-100] * spare)
    return {"inputs": torch.tensor(inputs), "labels": torch.tensor(labels)}


def teach_by_filling(rows, start_id, end_id, pad_id):
    shape = len(rows), max(map(len, rows)) + 1
    inputs, labels = torch.full(shape, pad_id), torch.full(shape, -100)
    inputs[:, 0] = start_id
    for i, row in enumerate(rows):
        ids = torch.tensor(row)
        inputs[i, 1 : len(row) + 1] = ids
        labels[i, : len(row)] = ids
        labels[i, len(row)] = end_id
    return {"labels": labels, "inputs": inputs}


def decode_by_steps(block, hidden, memory, keep_memory):
    length = hidden.shape[1]
    past = torch.ones(length, length, dtype=torch.bool).tril()
    hidden = hidden + block.attention(block.attention_norm(hidden), Sight(keep=past))
    sight = Sight(keep=keep_memory[:, None, None, :])
    hidden = hidden + block.cross_attention(block.cross_attention_norm(hidden), sight, memory)
    return hidden + block.feed_forward(block.feed_forward_norm(hidden))


def decode_by_the_block(block, hidden, memory, keep_memory):
    places = torch.arange(hidden.shape[1])
    past = Sight(keep=places[None] <= places[:, None])
    return block(hidden, past, memory, Sight(keep=keep_memory[:, None, None]))


def step_by_topk(total, logs, finished, end_id):
    logs = logs.masked_fill(finished[:, None], -float("inf"))
    logs[finished, end_id] = 0.0
    best = (total[:, None] + logs).flatten().topk(len(total))
    return {
        "total": best.values,
        "draft": best.indices // logs.shape[1],
        "token": best.indices % logs.shape[1],
    }


def step_by_sorting(total, logs, finished, end_id):
    children = []
    for draft in range(len(total)):
        for token in range(logs.shape[1]):
            if finished[draft]:
                gain = 0.0 if token == end_id else -float("inf")
            else:
                gain = logs[draft, token].item()
            children.append((total[draft].item() + gain, draft, token))
    children.sort(reverse=True)
    worth, drafts, tokens = zip(*children[: len(total)], strict=True)
    return {
        "total": torch.tensor(worth, dtype=total.dtype),
        "draft": torch.tensor(drafts),
        "token": torch.tensor(tokens),
    }


def survival_by_loop(written, labels):
    shares = []
    for t in range(labels.shape[1]):
        asked = labels[:, t] != -100
        same = (written[asked, : t + 1] == labels[asked, : t + 1]).all(dim=1)
        shares.append(same.float().mean())
    return torch.stack(shares)


def survival_by_cumprod(written, labels):
    asked = labels != -100
    alive = (written == labels).long().cumprod(dim=1)
    return (alive * asked).sum(dim=0) / asked.sum(dim=0)


RIGHT = {
    "lab13.1": [masks_by_triangle, masks_by_places],
    "lab13.2": [teach_by_lists, teach_by_filling],
    "lab13.3": [{"word": [0, 1, 2, 3], "padding": set(), "input": {2, 3}, "label": set()}],
    "lab13.4": [decode_by_steps, decode_by_the_block],
    "lab13.5": [step_by_topk, step_by_sorting],
    "lab13.6": [survival_by_loop, survival_by_cumprod],
}
