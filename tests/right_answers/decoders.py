"""Right answers to the exercises of notebook 13."""

import torch


def mask_by_triangle(keep):
    length = keep.shape[1]
    past = torch.tril(torch.ones(length, length)) == 1
    return torch.logical_and(past, keep.unsqueeze(1).unsqueeze(1))


def mask_by_places(keep):
    places = torch.arange(keep.shape[1])
    return (places[None, :] <= places[:, None]) & keep[:, None, None]


def shift_by_cat(labels, start_id, pad_id):
    start = torch.full((len(labels), 1), start_id)
    inputs = torch.cat([start, labels[:, :-1]], dim=1)
    return torch.where(inputs < 0, pad_id, inputs)


def shift_by_roll(labels, start_id, pad_id):
    inputs = labels.roll(1, dims=1)
    inputs[:, 0] = start_id
    inputs[inputs == -100] = pad_id
    return inputs


def write_by_for(next_logits, start_id, end_id, limit):
    written = []
    for _ in range(limit):
        token = next_logits([start_id, *written]).argmax().item()
        if token == end_id:
            return written
        written = [*written, token]
    return written


def write_by_while(next_logits, start_id, end_id, limit):
    ids = [start_id]
    while ids[-1] != end_id and len(ids) < limit + 1:
        scores = next_logits(ids).tolist()
        ids.append(scores.index(max(scores)))
    return [token for token in ids[1:] if token != end_id]


def accuracy_by_loops(next_logits, targets, start_id):
    right = asked = 0
    for target in targets:
        ids = [start_id]
        for wanted in target:
            ids.append(int(next_logits(ids).argmax()))
            right += ids[-1] == wanted
            asked += 1
    return right / asked


def accuracy_by_tensors(next_logits, targets, start_id):
    written, wanted = [], []
    for target in targets:
        ids = [start_id]
        while len(ids) <= len(target):
            ids = [*ids, next_logits(ids).argmax().item()]
        written += ids[1:]
        wanted += target
    return (torch.tensor(written) == torch.tensor(wanted)).double().mean().item()


RIGHT = {
    "13.1": [mask_by_triangle, mask_by_places],
    "13.2": [13 / 24],
    "13.3": [shift_by_cat, shift_by_roll],
    "13.4": [write_by_for, write_by_while],
    "13.5": [accuracy_by_loops, accuracy_by_tensors],
}
