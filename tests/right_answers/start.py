"""Right answers to the exercises of notebook 00."""

import torch


def cosines_by_loops(questions, documents):
    rows = []
    for question in questions:
        row = [torch.dot(question, d) / (question.norm() * d.norm()) for d in documents]
        rows.append(torch.stack(row))
    return torch.stack(rows)


def cosines_by_lengths(questions, documents):
    lengths = questions.norm(dim=1)[:, None] * documents.norm(dim=1)
    return questions @ documents.T / lengths


def best_one_by_one(scores, k):
    left, found = scores.clone(), []
    for _ in range(k):
        found.append(left.argmax())
        left[found[-1]] = -torch.inf
    return torch.stack(found)


RIGHT = {
    "0.1": [(3, 384), torch.Size([3, 384])],
    "0.2": [
        cosines_by_loops,
        cosines_by_lengths,
        lambda a, b: torch.cosine_similarity(a[:, None], b[None], dim=-1),
    ],
    "0.3": [best_one_by_one, lambda scores, k: scores.argsort(descending=True)[:k]],
}
