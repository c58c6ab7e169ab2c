"""Checks of notebook 01: tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from encoder_course.check.base import Exercise, Misconception

Word = tuple[str, ...]
Pair = tuple[str, str]
Letters = list[tuple[str, int]]


def _pairs(pieces: Sequence[str]) -> list[Pair]:
    return list(zip(pieces, pieces[1:], strict=False))


def _count_pairs(words: dict[Word, int]) -> dict[Pair, int]:
    counts: Counter[Pair] = Counter()
    for pieces, count in words.items():
        for pair in _pairs(pieces):
            counts[pair] += count
    return dict(counts)


def _count_words_once(words):
    return _count_pairs(dict.fromkeys(words, 1))


def _count_across_borders(words):
    return dict(Counter(_pairs([p for w, n in words.items() for _ in range(n) for p in w])))


def _count_unordered(words):
    counts: Counter[Pair] = Counter()
    for pair, count in _count_pairs(words).items():
        counts[min(pair), max(pair)] += count
    return dict(counts)


def _count_by_twos(words):
    counts: Counter[Pair] = Counter()
    for pieces, count in words.items():
        for pair in zip(pieces[::2], pieces[1::2], strict=False):
            counts[pair] += count
    return dict(counts)


def _count_once_a_word(words):
    counts: Counter[Pair] = Counter()
    for pieces, count in words.items():
        for pair in set(_pairs(pieces)):
            counts[pair] += count
    return dict(counts)


def _count_any_two(words):
    counts: Counter[Pair] = Counter()
    for pieces, count in words.items():
        for at, left in enumerate(pieces):
            for right in pieces[at + 1 :]:
                counts[left, right] += count
    return dict(counts)


count_pairs = Exercise(
    number="1.1",
    title="count pairs",
    difficulty=2,
    minutes=10,
    reference=_count_pairs,
    cases=lambda: {
        "three words, one of them with the same letter three times": (
            {
                ("d", "o", "c", "s</w>"): 5,
                ("c", "o", "d", "o", "c</w>"): 2,
                ("f", "f", "f", "</w>"): 3,
            },
        ),
        "one word of one piece": ({("token</w>",): 4},),
    },
    misconceptions=(
        Misconception(
            "each word once",
            "each word is counted once, as if all words were equally frequent: look at the value"
            " that belongs to each word",
            _count_words_once,
        ),
        Misconception(
            "across word borders",
            "pairs are counted that do not lie inside one word: the words must not be chained, or"
            " a merge could swallow the border between two of them",
            _count_across_borders,
        ),
        Misconception(
            "order ignored",
            "a pair and its mirror image share one count, but `d o` and `o d` are joined into"
            " different pieces",
            _count_unordered,
        ),
        Misconception(
            "steps of two",
            "only every second pair is seen: a piece has a neighbour on each side, so it belongs"
            " to two pairs",
            _count_by_twos,
        ),
        Misconception(
            "once a word",
            "a pair that occurs twice in one word is counted as if it occurred once there",
            _count_once_a_word,
        ),
        Misconception(
            "not neighbours",
            "pieces are paired that do not stand side by side: only neighbours can be joined",
            _count_any_two,
        ),
    ),
    spoilers=("zip(", "[1:]", "Counter", "+="),
)


def _merge(pieces: list[str], pair: Pair) -> list[str]:
    merged: list[str] = []
    for piece in pieces:
        # A piece that has just been joined is longer than pair[0], so it is not joined again.
        if merged and (merged[-1], piece) == tuple(pair):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _merge_first_only(pieces, pair):
    found = [at for at, here in enumerate(_pairs(pieces)) if here == tuple(pair)]
    at = found[0] if found else len(pieces)
    return [*pieces[:at], *("".join(pair) for _ in found[:1]), *pieces[at + 2 :]]


def _merge_overlapping(pieces, pair):
    merged = []
    for at, piece in enumerate(pieces):
        if tuple(pieces[at : at + 2]) == tuple(pair):
            merged.append("".join(pair))
        elif at == 0 or tuple(pieces[at - 1 : at + 1]) != tuple(pair):
            merged.append(piece)
    return merged


def _merge_from_the_right(pieces, pair):
    merged = []
    for piece in reversed(pieces):
        if merged and (piece, merged[-1]) == tuple(pair):
            merged[-1] = piece + merged[-1]
        else:
            merged.append(piece)
    return merged[::-1]


def _merge_by_text(pieces, pair):
    return " ".join(pieces).replace(" ".join(pair), "".join(pair)).split(" ")


def _merge_and_keep(pieces, pair):
    merged = []
    for at, piece in enumerate(pieces):
        is_pair = tuple(pieces[at : at + 2]) == tuple(pair)
        merged.append("".join(pair) if is_pair else piece)
    return merged


def _merge_either_order(pieces, pair):
    return _merge(_merge(pieces, pair), (pair[1], pair[0]))


merge = Exercise(
    number="1.2",
    title="merge",
    difficulty=3,
    minutes=15,
    reference=_merge,
    cases=lambda: {
        "a pair that occurs twice": (["d", "o", "c", "d", "o", "g</w>"], ("d", "o")),
        "three equal letters": (["f", "f", "f", "</w>"], ("f", "f")),
        "a pair that ends other pieces": (["t", "h", "et", "h", "e</w>"], ("t", "h")),
        "the two pieces in the other order": (["c", "o", "d", "e</w>"], ("d", "o")),
        "no such pair": (["n", "o", "w</w>"], ("d", "o")),
    },
    misconceptions=(
        Misconception(
            "first only",
            "only the first occurrence is joined: a merge joins all of them",
            _merge_first_only,
        ),
        Misconception(
            "overlapping",
            "in three equal letters the middle one is used twice: a piece that has been joined to"
            " its left neighbour is gone",
            _merge_overlapping,
        ),
        Misconception(
            "from the right",
            "of three equal letters the last two are joined: the rule goes from left to right",
            _merge_from_the_right,
        ),
        Misconception(
            "by text",
            "the end of one piece is joined with the piece after it: compare whole pieces, not the"
            " text they make",
            _merge_by_text,
        ),
        Misconception(
            "right piece kept",
            "the right piece of the pair is still there after its letters went into the new one:"
            " the word has grown",
            _merge_and_keep,
        ),
        Misconception(
            "either order",
            "the mirror image of the pair is joined as well, but `d o` and `o d` are two pairs",
            _merge_either_order,
        ),
    ),
    spoilers=("+= 2", "+ 2", "append", "while"),
)


def _cut(word: str, vocab: set[str], longest: bool = True, sharp: bool = True, stuck: str = "word"):
    """Longest match first, and its wrong variants; `stuck` says what happens where none fits."""
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start and sharp else ""
        ends = range(len(word), start, -1) if longest else range(start + 1, len(word) + 1)
        end = next((end for end in ends if prefix + word[start:end] in vocab), None)
        if end is None and stuck == "word":
            return ["[UNK]"]
        if end is None and stuck == "stop":
            return pieces
        if end is None and stuck == "rest":
            return [*pieces, "[UNK]"]
        if end is None:
            pieces.append("[UNK]")
        else:
            pieces.append(prefix + word[start:end])
        start = end or start + 1
    return pieces


def _longest_match(word: str, vocab: set[str]) -> list[str]:
    return _cut(word, vocab)


def _match_cases():
    letters = set("tokenizrs") | {"##" + letter for letter in "tokenizrs"}
    vocab = letters | {"to", "token", "##ken", "##ize", "##izer", "##er", "##s", "##rs", "stop"}
    vocab |= {"izer", "##enize"}
    return {
        "a word the vocabulary can spell": ("tokenizers", vocab),
        "a word that is a piece": ("token", vocab),
        "a piece that is longer further on": ("tokenize", vocab - {"token"}),
        "a letter the vocabulary lacks": ("tokenX", vocab),
        "a lacking letter in the middle": ("toXken", vocab),
    }


longest_match = Exercise(
    number="1.3",
    title="longest match",
    difficulty=2,
    minutes=10,
    reference=_longest_match,
    cases=_match_cases,
    misconceptions=(
        Misconception(
            "as given",
            "pieces are as short as they can be, and a word that cannot be spelled comes back in"
            " part: there are two bugs, and the first is in the order in which ends are tried",
            lambda word, vocab: _cut(word, vocab, longest=False, stuck="stop"),
        ),
        Misconception(
            "shortest match",
            "pieces are as short as they can be: with every letter in the vocabulary, words fall"
            " into letters",
            lambda word, vocab: _cut(word, vocab, longest=False),
        ),
        Misconception(
            "stops where it is stuck",
            "a word with an unknown letter comes back in part, and nothing says that the rest of"
            " it is missing",
            lambda word, vocab: _cut(word, vocab, stuck="stop"),
        ),
        Misconception(
            "unknown letter",
            "only the unknown letter became [UNK]: WordPiece gives up the whole word, because a"
            " word that cannot be spelled has no pieces",
            lambda word, vocab: _cut(word, vocab, stuck="letter"),
        ),
        Misconception(
            "unknown rest",
            "the pieces before the unknown letter are still there: WordPiece gives up the whole"
            " word",
            lambda word, vocab: _cut(word, vocab, stuck="rest"),
        ),
        Misconception(
            "no ##",
            "pieces inside the word lack their mark: `izer` opens a word, and the vocabulary has"
            " another entry for the same letters inside one",
            lambda word, vocab: _cut(word, vocab, sharp=False),
        ),
    ),
    spoilers=("-1", "reversed", "range(", 'return ["[UNK]"]'),
)

pieces = Exercise(  # vocabulary: to, token, tokeni, ##ken, ##z, ##izers, ##e, ##ers, ##s
    number="1.4",
    title="pieces of a word",
    difficulty=2,
    minutes=5,
    reference=["tokeni", "##z", "##ers"],
    misconceptions=(
        Misconception(
            "fewest pieces",
            "fewer pieces, and still not what WordPiece gives: at every step it takes the longest"
            " piece that fits, and does not ask what comes of it",
            ["token", "##izers"],
        ),
        Misconception(
            "shortest match",
            "at the first step a longer piece fits",
            ["to", "##ken", "##izers"],
        ),
        Misconception(
            "no ##",
            "the cuts are right, but a piece inside a word is another entry of the vocabulary than"
            " the same letters at its beginning",
            ["tokeni", "z", "ers"],
        ),
        Misconception(
            "## on every piece",
            "the mark stands for what comes before a piece, and before the first one nothing comes",
            ["##tokeni", "##z", "##ers"],
        ),
        Misconception(
            "shorter end",
            "the beginning is right; at the last step a longer piece fits",
            ["tokeni", "##z", "##e", "##rs"],
        ),
        Misconception(
            "unknown",
            "every letter of the word is covered by pieces of the vocabulary, so it has a spelling",
            ["[UNK]"],
        ),
    ),
    spoilers=("##z", "tokeni"),
)


def _lengths(pieces: list[str]) -> list[int]:
    return [len(piece.removeprefix("##")) for piece in pieces]


def _spans(word: Letters, pieces: list[str]) -> list[tuple[int, int]]:
    found, place = [], 0
    for length in _lengths(pieces):
        found.append((word[place][1], word[place + length - 1][1] + 1))
        place += length
    return found


def _spans_in_normalised(word, pieces):
    return _spans([(letter, at) for at, (letter, _) in enumerate(word)], pieces)


def _spans_shifted(word, pieces):
    first = word[0][1]
    return [(first + start, first + end) for start, end in _spans_in_normalised(word, pieces)]


def _spans_with_marks(word, pieces):
    found, place = [], 0
    for piece in pieces:
        inside = word[place : place + len(piece)]
        found.append((inside[0][1], inside[-1][1] + 1) if inside else (word[-1][1] + 1,) * 2)
        place += len(piece)
    return found


def _spans_to_next(word, pieces):
    spans = _spans(word, pieces)
    starts = [start for start, _ in spans[1:]]
    return [*zip((s for s, _ in spans[:-1]), starts, strict=True), spans[-1]]


def _span_cases():
    return {
        "a word in the middle of a text": (
            [("p", 7), ("a", 8), ("d", 9), ("d", 10), ("i", 11), ("n", 12), ("g", 13)],
            ["padd", "##ing"],
        ),
        "a word that lost two accents": (
            [("r", 4), ("e", 5), ("s", 7), ("u", 8), ("m", 9), ("e", 10), ("s", 12)],
            ["re", "##su", "##me", "##s"],
        ),
        "a letter that became two": (
            [("i", 0), ("\u0307", 0), ("n", 1), ("e", 2)],
            ["i\u0307n", "##e"],
        ),
    }


offsets = Exercise(
    number="1.5",
    title="offsets",
    difficulty=3,
    minutes=15,
    reference=_spans,
    cases=_span_cases,
    misconceptions=(
        Misconception(
            "in the normalised word",
            "these are places in the normalised word: whoever cuts the original text with them"
            " gets other letters. Each letter carries the position that is needed",
            _spans_in_normalised,
        ),
        Misconception(
            "counted from the first letter",
            "the word starts in the right place, but its letters are then counted one by one: where"
            " an accent was dropped, the positions jump",
            _spans_shifted,
        ),
        Misconception(
            "## counted",
            "`##` takes up room here, but it stands in no text: it only says that a piece goes on",
            _spans_with_marks,
        ),
        Misconception(
            "end included",
            "`text[start:end]` misses the last letter of every piece: an end in Python is the"
            " position after it",
            lambda word, pieces: [(start, end - 1) for start, end in _spans(word, pieces)],
        ),
        Misconception(
            "up to the next piece",
            "a piece reaches up to the next one, over the accent that was dropped between them:"
            " its end follows from its own last letter",
            _spans_to_next,
        ),
    ),
    spoilers=("[-1]", "+ 1", "removeprefix", "- 1"),
)


def _pad(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows])
    keep = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
    return ids, keep


def _pad_inverted(rows, pad_id):
    ids, keep = _pad(rows, pad_id)
    return ids, ~keep


def _pad_left(rows, pad_id):
    ids, keep = _pad([row[::-1] for row in rows], pad_id)
    return ids.flip(1), keep.flip(1)


def _pad_left_only_ids(rows, pad_id):
    return _pad_left(rows, pad_id)[0], _pad(rows, pad_id)[1]


def _pad_cut(rows, pad_id):
    shortest = min(map(len, rows))
    return _pad([row[:shortest] for row in rows], pad_id)


def _pad_keep_by_id(rows, pad_id):
    ids, _ = _pad(rows, pad_id)
    return ids, ids != pad_id


def _pad_by_repeating(rows, pad_id):
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *row[-1:] * (longest - len(row))] for row in rows])
    return ids, _pad(rows, pad_id)[1]


def _pad_one_more(rows, pad_id):
    ids, keep = _pad(rows, pad_id)
    column = torch.full((len(rows), 1), pad_id)
    return torch.cat([ids, column], 1), torch.cat([keep, torch.zeros_like(column).bool()], 1)


def _pad_cases():
    return {
        "three rows of different lengths": ([[2, 31, 3], [2, 41, 42, 43, 3], [2, 51, 52, 3]], 7),
        "two rows of the same length": ([[2, 31, 3], [2, 41, 3]], 7),
        "a row in which the padding token is part of the text": ([[2, 7, 31, 3], [2, 3]], 7),
    }


pad = Exercise(
    number="1.6",
    title="pad",
    difficulty=2,
    minutes=10,
    reference=_pad,
    cases=_pad_cases,
    misconceptions=(
        Misconception(
            "keep inverted",
            "`keep` is True on the padding: in this course True means that a place may be looked"
            " at. Some libraries mean the opposite, which is worth checking every time",
            _pad_inverted,
        ),
        Misconception(
            "left",
            "the padding stands on the left, so the first token of the text has another position in"
            " every row, and [CLS] is no longer at 0",
            _pad_left,
        ),
        Misconception(
            "ids left, keep right",
            "the ids are padded on one side and `keep` says it was the other: real tokens would be"
            " hidden",
            _pad_left_only_ids,
        ),
        Misconception(
            "another id",
            "the padding is made of id 0, and not of the one given: in another vocabulary 0 is a"
            " word",
            lambda rows, pad_id: (_pad(rows, 0)[0], _pad(rows, pad_id)[1]),
        ),
        Misconception(
            "last token repeated",
            "the last token of a row is repeated instead of padding it",
            _pad_by_repeating,
        ),
        Misconception(
            "cut to the shortest",
            "rows are cut to the shortest one, and text is lost",
            _pad_cut,
        ),
        Misconception(
            "keep read off the ids",
            "`keep` is False where a text itself holds the padding token: what is padding follows"
            " from the lengths of the rows, not from the ids",
            _pad_keep_by_id,
        ),
        Misconception(
            "one column too many",
            "every row ends in padding, the longest one too: the last column is work for nothing",
            _pad_one_more,
        ),
    ),
    spoilers=("arange", "max(", "len(", "torch.full"),
)
