"""Byte-pair encoding by hand: learn merges from word counts, then replay them on new words.

Legend: a *piece* is a str of the vocabulary; a word is a list of pieces; `</w>` closes a word, so
that `est</w>` (in "lowest") and `est` (in "estate") are different pieces.

Sennrich, Haddow and Birch 2016, Neural machine translation of rare words with subword units.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from encoder_course.text.normalise import Normaliser, course_letters, span, spell, split_words
from encoder_course.text.tokenizer import Encoded

END = "</w>"
UNKNOWN = "[UNK]"
Pair = tuple[int, int]
Speller = Callable[[str], list[str]]
"""How a word is written before the first merge: `letter_pieces`, here or in `wordpiece`."""


class BPE:
    """A trained byte-pair tokenizer: `vocab` (piece to id) and `merges` (in the order learned)."""

    def __init__(
        self,
        vocab: dict[str, int],
        merges: Sequence[tuple[str, str]],
        normaliser: Normaliser = course_letters,
    ) -> None:
        for left, right in merges:
            if left + right not in vocab:
                raise ValueError(f"the merge {left!r} + {right!r} gives a piece not in vocab")
        if UNKNOWN not in vocab:
            raise ValueError(f"vocab has {len(vocab)} pieces but not {UNKNOWN}")
        self.vocab = vocab
        self.merges = list(merges)
        self.ranks = {merge: rank for rank, merge in enumerate(merges)}
        self.normaliser = normaliser

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, normaliser: Normaliser = course_letters
    ) -> BPE:
        """Merge the most frequent pair of neighbouring pieces until `vocab_size` is reached.

        Raises ValueError when `vocab_size` has no room for the letters of the texts.
        """
        counts = count_words(texts, normaliser)
        vocab = first_pieces(counts, letter_pieces, [UNKNOWN])
        merges = learn_merges(counts, letter_pieces, vocab, vocab_size)
        return cls(vocab, merges, normaliser)

    def split(self, word: str) -> list[str]:
        """The pieces of one word."""
        return self.steps(word)[-1]

    def steps(self, word: str) -> list[list[str]]:
        """Replay the merges on one word, from its letters on: the merge tree, level by level.

        Of all pairs present, the one learned first is merged next, at its leftmost occurrence.
        """
        pieces = [piece if piece in self.vocab else UNKNOWN for piece in letter_pieces(word)]
        steps = [pieces]
        while True:
            pairs = list(zip(pieces, pieces[1:], strict=False))
            known = [pair for pair in pairs if pair in self.ranks]
            if not known:
                return steps
            at = pairs.index(min(known, key=self.ranks.__getitem__))
            pieces = [*pieces[:at], "".join(pairs[at]), *pieces[at + 2 :]]
            steps.append(pieces)

    def encode(self, text: str) -> Encoded:
        """Ids, pieces, offsets into `text` and the number of the word, for each token."""
        tokens, offsets, word_ids = [], [], []
        for number, word in enumerate(split_words(self.normaliser(text))):
            place = 0
            for piece in self.split(spell(word)):
                length = 1 if piece == UNKNOWN else len(piece.removesuffix(END))
                tokens.append(piece)
                offsets.append(span(word[place : place + length]))
                word_ids.append(number)
                place += length
        ids = [self.vocab[token] for token in tokens]
        return Encoded(ids, tokens, offsets, word_ids, [0] * len(ids))

    def decode(self, ids: Iterable[int]) -> str:
        """Ids back to normalised text, one space after every word."""
        return "".join(look_up(ids, self.vocab)).replace(END, " ").rstrip()


def letter_pieces(word: str) -> list[str]:
    """The pieces BPE starts from: `low` is `l`, `o`, `w</w>`."""
    return [*word[:-1], *(letter + END for letter in word[-1:])]


def look_up(ids: Iterable[int], vocab: dict[str, int]) -> list[str]:
    """The pieces with these ids. Raises ValueError for an id outside the vocabulary."""
    pieces = {i: piece for piece, i in vocab.items()}
    ids = list(ids)
    unknown = [i for i in ids if i not in pieces]
    if unknown:
        raise ValueError(f"ids {unknown} are outside the vocabulary of {len(vocab)} pieces")
    return [pieces[i] for i in ids]


def count_words(texts: Iterable[str], normaliser: Normaliser = course_letters) -> Counter[str]:
    """How often each normalised word occurs: all that training needs to know of the texts."""
    if isinstance(texts, str):
        raise TypeError("texts must be a list of str but is one str")
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(spell(word) for word in split_words(normaliser(text)))
    if not counts:
        raise ValueError("there is no word in the texts")
    return counts


def first_pieces(
    counts: Counter[str], spell_out: Speller, specials: Sequence[str]
) -> dict[str, int]:
    """The vocabulary before the first merge: specials, marked letters, plain letters.

    Sorted, because ids settle ties between merges: the same texts must give the same ids.
    """
    plain = {letter for word in counts for letter in word}
    marked = {piece for word in counts for piece in spell_out(word)} - plain
    pieces = [*specials, *sorted(marked), *sorted(plain)]
    return {piece: i for i, piece in enumerate(pieces)}


def join_pieces(left: str, right: str) -> str:
    """The piece two neighbours make; the `##` of WordPiece only ever opens a piece."""
    return left + right.removeprefix("##")


def learn_merges(
    counts: Counter[str], spell_out: Speller, vocab: dict[str, int], vocab_size: int
) -> list[tuple[str, str]]:
    """Grow `vocab` by merges, in place, up to `vocab_size`; return the merges in order.

    The next merge is the most frequent pair; between equals, the one with the smaller ids, as in
    the `tokenizers` library. Counting again after every merge would be slow: a merge changes only
    the words that hold the pair, so only their neighbouring pairs are counted anew.
    """
    if vocab_size < len(vocab):
        raise ValueError(f"vocab_size is {vocab_size} but the letters alone are {len(vocab)}")
    pieces = list(vocab)
    words = [[vocab[piece] for piece in spell_out(word)] for word in counts]
    frequency = list(counts.values())
    pair_counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, word in enumerate(words):
        for pair in zip(word, word[1:], strict=False):
            pair_counts[pair] += frequency[number]
            where[pair].add(number)
    heap = [(-count, pair) for pair, count in pair_counts.items()]
    heapq.heapify(heap)

    merges: list[tuple[str, str]] = []
    while heap and len(vocab) < vocab_size:
        negative, pair = heapq.heappop(heap)
        if -negative != pair_counts[pair]:  # the count has changed since: file it again
            if pair_counts[pair] > 0:
                heapq.heappush(heap, (-pair_counts[pair], pair))
            continue
        left, right = pieces[pair[0]], pieces[pair[1]]
        joined = join_pieces(left, right)
        merges.append((left, right))
        if joined not in vocab:
            vocab[joined] = len(pieces)
            pieces.append(joined)
        changes: Counter[Pair] = Counter()
        for number in where.pop(pair):
            before = words[number]
            after = merge_pair(before, pair, vocab[joined])
            for old in zip(before, before[1:], strict=False):
                changes[old] -= frequency[number]
            for new in zip(after, after[1:], strict=False):
                changes[new] += frequency[number]
                where[new].add(number)
            words[number] = after
        for changed, by in changes.items():
            pair_counts[changed] += by
            if by > 0:
                heapq.heappush(heap, (-pair_counts[changed], changed))
    return merges


def merge_pair(word: list[int], pair: Pair, joined: int) -> list[int]:
    """Replace every occurrence of the pair, from left to right."""
    merged: list[int] = []
    i = 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            merged.append(joined)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return merged
