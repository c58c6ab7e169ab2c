"""Right answers to the exercises of notebook 01."""

from collections import Counter, defaultdict

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence


def count_by_index(words):
    counts = defaultdict(int)
    for pieces in words:
        for i in range(len(pieces) - 1):
            counts[pieces[i], pieces[i + 1]] += words[pieces]
    return counts


def count_by_counter(words):
    counts = Counter()
    for pieces, count in words.items():
        counts += Counter(
            {
                pair: count * times
                for pair, times in Counter(zip(pieces[:-1], pieces[1:], strict=True)).items()
            }
        )
    return counts


def merge_by_while(pieces, pair):
    merged, i = [], 0
    while i < len(pieces):
        found = tuple(pieces[i : i + 2]) == tuple(pair)
        merged.append(pieces[i] + pieces[i + 1] if found else pieces[i])
        i += 2 if found else 1
    return merged


def merge_by_recursion(pieces, pair):
    if tuple(pieces[:2]) == tuple(pair):
        return ["".join(pair), *merge_by_recursion(pieces[2:], pair)]
    return [pieces[0], *merge_by_recursion(pieces[1:], pair)] if pieces else []


def match_by_shrinking(word, vocab):
    pieces, start = [], 0
    while start < len(word):
        prefix, end = "##" if pieces else "", len(word)
        while end > start and prefix + word[start:end] not in vocab:
            end -= 1
        if end == start:
            return ["[UNK]"]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces


def match_by_max(word, vocab):
    rest, prefix, pieces = word, "", []
    while rest:
        fitting = [piece for piece in vocab if (prefix + rest).startswith(piece)]
        fitting = [piece for piece in fitting if len(piece) > len(prefix)]
        if not fitting:
            return ["[UNK]"]
        pieces.append(max(fitting, key=len))
        rest = rest[len(pieces[-1]) - len(prefix) :]
        prefix = "##"
    return pieces


def spans_by_iterator(word, pieces):
    letters = iter(word)
    spans = []
    for piece in pieces:
        letters_of_piece = [next(letters) for _ in piece.replace("##", "")]
        spans.append((letters_of_piece[0][1], letters_of_piece[-1][1] + 1))
    return spans


def spans_by_sums(word, pieces):
    at = np.array([position for _, position in word])
    ends = np.cumsum([len(piece.removeprefix("##")) for piece in pieces])
    return np.stack([at[np.concatenate([[0], ends[:-1]])], at[ends - 1] + 1], axis=1).tolist()


def pad_by_filling(rows, pad_id):
    ids = torch.full((len(rows), max(len(row) for row in rows)), pad_id)
    keep = torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        keep[i, : len(row)] = True
    return ids, keep


def pad_by_the_library(rows, pad_id):
    tensors = [torch.tensor(row) for row in rows]
    ids = pad_sequence(tensors, batch_first=True, padding_value=pad_id)
    ones = [torch.ones(len(row), dtype=torch.bool) for row in rows]
    return ids, pad_sequence(ones, batch_first=True, padding_value=False)


RIGHT = {
    "1.1": [count_by_index, count_by_counter],
    "1.2": [merge_by_while, merge_by_recursion],
    "1.3": [match_by_shrinking, match_by_max],
    "1.4": [["tokeni", "##z", "##ers"], ("tokeni", "##z", "##ers")],
    "1.5": [spans_by_iterator, spans_by_sums],
    "1.6": [pad_by_filling, pad_by_the_library],
}
