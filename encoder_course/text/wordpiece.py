"""WordPiece by hand: the tokenizer of BERT. Learned like BPE, applied longest match first.

Legend: a *piece* opens a word (`token`) or continues one (`##ization`). Only the vocabulary is
kept, not the merges: a word takes the longest piece it starts with, then the longest that
continues it, and so on.

Wu et al. 2016 (Google's neural machine translation system), Devlin et al. 2018 (BERT).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from encoder_course.text.bpe import count_words, first_pieces, learn_merges, look_up
from encoder_course.text.normalise import Normaliser, course_letters, span, spell, split_words
from encoder_course.text.tokenizer import MAX_WORD_CHARS, SPECIALS, Encoded

CONTINUES = "##"
UNKNOWN = "[UNK]"
SPECIAL_PATTERN = "(" + "|".join(re.escape(token) for token in SPECIALS) + ")"


class WordPiece:
    """A WordPiece tokenizer over a vocabulary (piece to id), trained here or taken from a model.

    Raises ValueError when the vocabulary lacks one of the five special tokens.
    """

    def __init__(self, vocab: dict[str, int], normaliser: Normaliser = course_letters) -> None:
        missing = [token for token in SPECIALS if token not in vocab]
        if missing:
            raise ValueError(f"the vocabulary of {len(vocab)} pieces lacks {missing}")
        self.vocab = vocab
        self.normaliser = normaliser

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, normaliser: Normaliser = course_letters
    ) -> WordPiece:
        """Learn a vocabulary as the `tokenizers` library does: merge the most frequent pair.

        The original WordPiece merges the pair with the highest of `pair_scores`. Raises
        ValueError when `vocab_size` has no room for the letters of the texts.
        """
        counts = count_words(texts, normaliser)
        vocab = first_pieces(counts, letter_pieces, SPECIALS)
        learn_merges(counts, letter_pieces, vocab, vocab_size)
        return cls(vocab, normaliser)

    def split(self, word: str) -> list[str]:
        """Longest match first; [UNK] for a word that cannot be spelled or is over 100 letters."""
        if len(word) > MAX_WORD_CHARS:
            return [UNKNOWN]
        pieces: list[str] = []
        start = 0
        while start < len(word):
            prefix = CONTINUES if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self.vocab), None)
            if end is None:
                return [UNKNOWN]
            pieces.append(prefix + word[start:end])
            start = end
        return pieces

    def encode(self, text: str, special: bool = True) -> Encoded:
        """Ids, pieces, offsets into `text` and word numbers; [CLS] and [SEP] when `special`.

        A special token written in the text, as in `a [MASK] day`, is that token.
        """
        tokens, offsets, word_ids = [], [], []
        for number, (pieces, spans) in enumerate(self._words(text)):
            tokens += pieces
            offsets += spans
            word_ids += [number] * len(pieces)
        if special:
            tokens = ["[CLS]", *tokens, "[SEP]"]
            offsets = [(0, 0), *offsets, (0, 0)]
            word_ids = [None, *word_ids, None]
        ids = [self.vocab[token] for token in tokens]
        return Encoded(ids, tokens, offsets, word_ids, [0] * len(ids))

    def _words(self, text: str) -> Iterable[tuple[list[str], list[tuple[int, int]]]]:
        """Each word's pieces and their offsets."""
        start = 0
        for part in re.split(SPECIAL_PATTERN, text):
            if part in SPECIALS:
                yield [part], [(start, start + len(part))]
            else:
                for word in split_words(self.normaliser(part)):
                    word = [(character, start + at) for character, at in word]
                    pieces = self.split(spell(word))
                    yield pieces, piece_spans(word, pieces)
            start += len(part)

    def decode(self, ids: Iterable[int]) -> str:
        """Ids back to normalised text: words apart, continuing pieces joined, specials left out."""
        kept = [piece for piece in look_up(ids, self.vocab) if piece not in SPECIALS]
        return " ".join(kept).replace(f" {CONTINUES}", "")


def letter_pieces(word: str) -> list[str]:
    """The pieces training starts from: `low` is `l`, `##o`, `##w`."""
    return [*word[:1], *(CONTINUES + letter for letter in word[1:])]


def piece_spans(word: list[tuple[str, int]], pieces: Sequence[str]) -> list[tuple[int, int]]:
    """The offsets of a word's pieces; [UNK] stands for the whole word."""
    if pieces == [UNKNOWN]:
        return [span(word)]
    spans = []
    place = 0
    for piece in pieces:
        length = len(piece.removeprefix(CONTINUES))
        spans.append(span(word[place : place + length]))
        place += length
    return spans


def pair_scores(words: Iterable[tuple[Sequence[str], int]]) -> dict[tuple[str, str], float]:
    """count(ab) / (count(a) count(b)) of every pair of neighbours: do they meet beyond chance?

    `words` are the words cut into pieces, each with how often it occurs. This is the criterion
    usually told for WordPiece (after Schuster and Nakajima 2012): it joins rare pieces that always
    stand together, where BPE's plain count joins frequent ones.
    """
    single: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for pieces, count in words:
        for piece in pieces:
            single[piece] += count
        for pair in zip(pieces, pieces[1:], strict=False):
            pairs[pair] += count
    return {(a, b): count / (single[a] * single[b]) for (a, b), count in pairs.items()}
