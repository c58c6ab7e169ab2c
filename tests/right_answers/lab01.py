"""Right answers to the exercises of lab 01."""

import re
import unicodedata
from collections import Counter, defaultdict
from itertools import chain

import torch
from torch.nn.utils.rnn import pad_sequence

from encoder_course.text import normalise
from encoder_course.text.wordpiece import WordPiece
from right_answers.tokens import match_by_max, match_by_shrinking


def letters_by_loop(text):
    found = []
    for at in range(len(text)):
        for part in unicodedata.normalize("NFD", text[at]):
            if unicodedata.category(part) == "Mn":
                continue
            found.extend((letter, at) for letter in part.lower())
    return found


def letters_by_package(text):
    return normalise.lower(normalise.strip_accents(normalise.letters_of(text)))


def join(left, right):
    return left + right[2:]


def learn_by_index(words):
    counts = defaultdict(int)
    for word, count in words.items():
        for i in range(len(word) - 1):
            counts[word[i], word[i + 1]] += count
    most = max(counts.values())
    left, right = sorted(pair for pair in counts if counts[pair] == most)[0]
    after = {}
    for word, count in words.items():
        pieces, i = [], 0
        while i < len(word):
            if word[i : i + 2] == (left, right):
                pieces.append(join(left, right))
                i += 1
            else:
                pieces.append(word[i])
            i += 1
        after[tuple(pieces)] = count
    return join(left, right), after


def learn_by_growing(words):
    counts = Counter()
    for word, count in words.items():
        for pair in zip(word[:-1], word[1:], strict=True):
            counts.update({pair: count})
    pair, _ = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[0]
    after = {}
    for word, count in words.items():
        grown = []
        for piece in word:
            grown.append(piece)
            if tuple(grown[-2:]) == pair:
                grown[-2:] = [join(*pair)]
        after[tuple(grown)] = count
    return join(*pair), after


def wordpiece_by_shrinking(word, vocabulary):
    return match_by_shrinking(word, vocabulary) if len(word) <= 100 else ["[UNK]"]


def wordpiece_by_max(word, vocabulary):
    if len(word) > 100:
        return ["[UNK]"]
    return match_by_max(word, vocabulary)


def encode_by_words(text, vocabulary):
    ids = [vocabulary["[CLS]"]]
    for word in normalise.split_words(normalise.bert_letters(text)):
        pieces = wordpiece_by_shrinking(normalise.spell(word), set(vocabulary))
        ids += [vocabulary[piece] for piece in pieces]
    return [*ids, vocabulary["[SEP]"]]


def encode_by_package(text, vocabulary):
    return WordPiece(vocabulary, normalise.bert_letters).encode(text).ids


def encode_by_pattern(text, vocabulary):
    plain = "".join(letter for letter, _ in letters_by_loop(text))
    words = re.findall(r"\w+|[^\w\s]", plain)
    pieces = chain.from_iterable(wordpiece_by_shrinking(word, vocabulary) for word in words)
    return [vocabulary[piece] for piece in ["[CLS]", *pieces, "[SEP]"]]


def pair_by_room(first, second, max_len, cls_id, sep_id):
    start = [cls_id, *first, sep_id]
    end = [*second[: max_len - len(start) - 1], sep_id]
    return start + end, [0 for _ in start] + [1 for _ in end]


def pair_by_popping(first, second, max_len, cls_id, sep_id):
    ids = [cls_id, *first, sep_id, *second]
    while len(ids) > max_len - 1:
        ids.pop()
    ids.append(sep_id)
    return ids, [int(place > len(first) + 1) for place in range(len(ids))]


def collate_by_filling(rows, pad_id):
    ids = torch.full((len(rows), max(map(len, rows))), pad_id)
    keep = torch.zeros(ids.shape, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        keep[i, : len(row)] = True
    return ids, keep


def collate_by_the_library(rows, pad_id):
    ids = pad_sequence([torch.tensor(row) for row in rows], True, pad_id)
    lengths = torch.tensor([[len(row)] for row in rows])
    return ids, torch.arange(ids.shape[1]) < lengths


def fertility_by_repeating(counts, pieces):
    cuts = [pieces[word] for word, count in counts.items() for _ in range(count)]
    return sum(map(len, cuts)) / len(cuts), cuts.count(["[UNK]"]) / len(cuts)


def fertility_by_tensors(counts, pieces):
    often = torch.tensor([float(counts[word]) for word in counts])
    used = torch.tensor([float(len(pieces[word])) for word in counts])
    lost = torch.tensor([float("[UNK]" in pieces[word]) for word in counts])
    return (often @ used / often.sum()).item(), (often @ lost / often.sum()).item()


RIGHT = {
    "lab01.1": [letters_by_loop, letters_by_package],
    "lab01.2": [(4, 6, 12), [len(word.encode()) for word in ("data", "ação", "डेटा")]],
    "lab01.3": [learn_by_index, learn_by_growing],
    "lab01.4": [wordpiece_by_shrinking, wordpiece_by_max],
    "lab01.5": [encode_by_words, encode_by_package, encode_by_pattern],
    "lab01.6": [pair_by_room, pair_by_popping],
    "lab01.7": [collate_by_filling, collate_by_the_library],
    "lab01.8": [fertility_by_repeating, fertility_by_tensors],
}
