"""The tokenizer every lesson uses: WordPiece of the `tokenizers` library, a small interface.

Notebook 01 writes the same algorithm by hand (`normalise`, `wordpiece`); this one is for speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from encoder_course.progress import track
from encoder_course.text.normalise import check_text

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_WORD_CHARS = 100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoded text (or pair); all lists have one entry per token.

    `offsets` are character positions, `text[start:end]` (for a pair: in the text the token comes
    from, see `segments`); a special token that was added has the offset (0, 0) and no word.
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    word_ids: list[int | None]
    segments: list[int]

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer:
    """Turns text into ids and back; made by `Tokenizer.train` or `Tokenizer.load`.

    Raises ValueError when the vocabulary lacks one of the five special tokens.
    """

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self.vocab: dict[str, int] = backend.get_vocab()
        missing = [token for token in SPECIALS if token not in self.vocab]
        if missing:
            raise ValueError(
                f"the vocabulary of {len(self.vocab)} tokens lacks the special tokens {missing}"
            )
        backend.no_truncation()
        backend.no_padding()
        self.backend = backend
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = (
            self.vocab[token] for token in SPECIALS
        )

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int = 8192, progress: bool = True
    ) -> Tokenizer:
        """Learn a lower-cased WordPiece vocabulary from texts; accents are kept.

        The same texts, in any order, always give the same ids. The library alone does not promise
        that: it numbers the continuing letters (`##a`) in hash order, and equally frequent merges
        are taken in the order of those numbers. So a first pass finds the letters, and a second
        one is handed them sorted.

        Raises TypeError for anything that is not a sequence of str, ValueError when there is no
        text or `vocab_size` has no room for the special tokens and the letters.
        """
        texts = _checked(texts, "train")
        letters = _train(_course_backend(), texts, 0, list(SPECIALS), progress).get_vocab()
        if vocab_size < len(letters):
            raise ValueError(
                f"vocab_size is {vocab_size} but the special tokens and the letters of the texts "
                f"alone are {len(letters)}"
            )
        continuing = sorted(letter for letter in letters if letter.startswith("##"))
        continuing = [letter for letter in continuing if len(letter) > 2]
        first = [*SPECIALS, *continuing]
        trained = _train(_course_backend(), texts, vocab_size, first, progress)
        # The trainer marks everything in `first` as special; a fresh backend has only the five.
        return cls(_course_backend(trained.get_vocab()))

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Read a `tokenizer.json`: ours, or that of a BERT model; saved truncation and padding
        are switched off. Raises FileNotFoundError, or ValueError for an unreadable file."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no tokenizer file at {path}")
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path} is not a tokenizer file: {error}") from error
        return cls(backend)

    def save(self, path: str | Path) -> None:
        """Write a `tokenizer.json` that `Tokenizer.load` and Hugging Face can read."""
        self.backend.save(str(path))

    def encode(
        self,
        text: str,
        pair: str | None = None,
        max_len: int | None = None,
        special: bool = True,
    ) -> Encoded:
        """Encode one text, `[CLS] text [SEP]`, or two, `[CLS] text [SEP] pair [SEP]`.

        `max_len` counts every token, the special ones too; of a pair the longer text is cut first.
        `special=False` leaves the special tokens out. Raises TypeError for anything that is not
        str, ValueError for a lone surrogate or a `max_len` too small for the special tokens.
        """
        pairs = None if pair is None else [pair]
        return self.encode_batch([text], pairs, max_len=max_len, special=special)[0]

    def encode_batch(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        max_len: int | None = None,
        special: bool = True,
    ) -> list[Encoded]:
        """Encode many texts (or `texts[i]` with `pairs[i]`) in parallel; see `encode`."""
        room = self._room(max_len, special, paired=pairs is not None)
        first = self._encode(self.backend.encode_batch, texts)
        second = [None] * len(first)
        if pairs is not None:
            second = self._encode(self.backend.encode_batch, pairs)
        if len(first) != len(second):
            raise ValueError(f"there are {len(first)} texts but {len(second)} pairs")
        encoded = []
        for a, b in zip(first, second, strict=True):
            if room is not None:
                keep_a, keep_b = _longest_first(len(a), 0 if b is None else len(b), room)
                a.truncate(keep_a)
                if b is not None:
                    b.truncate(keep_b)
            e = self.backend.post_process(a, b, add_special_tokens=special)
            encoded.append(Encoded(e.ids, e.tokens, e.offsets, e.word_ids, e.type_ids))
        return encoded

    def ids(
        self, texts: Sequence[str], max_len: int | None = None, special: bool = True
    ) -> list[list[int]]:
        """Ids only, without tokens and offsets: several times faster, for whole corpora."""
        room = self._room(max_len, special, paired=False)
        rows = [e.ids[:room] for e in self._encode(self.backend.encode_batch_fast, texts)]
        return [[self.cls_id, *row, self.sep_id] for row in rows] if special else rows

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """Ids back to readable text. Raises ValueError for an id outside the vocabulary."""
        for i in ids:
            if not 0 <= i < len(self):
                raise ValueError(f"id {i} is outside the vocabulary of {len(self)} tokens")
        return self.backend.decode(list(ids), skip_special_tokens=skip_special)

    def id(self, token: str) -> int:
        """The id of one token. Raises ValueError when the vocabulary does not have it."""
        if token not in self.vocab:
            raise ValueError(f"{token!r} is not among the {len(self)} tokens of the vocabulary")
        return self.vocab[token]

    def __len__(self) -> int:
        return len(self.vocab)

    def _room(self, max_len: int | None, special: bool, paired: bool) -> int | None:
        """How many tokens of the text itself fit into `max_len`."""
        if max_len is None:
            return None
        added = (2 + paired) if special else 0
        if max_len <= added:
            raise ValueError(f"max_len is {max_len} but special tokens alone take {added}")
        return max_len - added

    def _encode(self, encode, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        return encode(_checked(texts, "encode"), add_special_tokens=False)


def _checked(texts: Iterable[str], purpose: str) -> list[str]:
    if isinstance(texts, str | bytes):
        raise TypeError(f"{purpose} takes a list of texts but got one {type(texts).__name__}")
    texts = list(texts)
    if not texts:
        raise ValueError(f"there is no text to {purpose}: the list is empty")
    for i, text in enumerate(texts):
        check_text(text, f"text {i}")
    return texts


def _course_backend(vocab: dict[str, int] | None = None) -> tokenizers.Tokenizer:
    """BERT's tokenizer (Devlin et al. 2018), except that accents stay and text is NFC.

    Stripping accents would also strip vowel signs and viramas of Devanagari (see notebook 01).
    """
    vocab = vocab or {}
    backend = tokenizers.Tokenizer(
        models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=MAX_WORD_CHARS)
    )
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.BertNormalizer(
                clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=True
            ),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    if vocab:
        backend.add_special_tokens(list(SPECIALS))
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS]:0 $A:0 [SEP]:0",
            pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
            special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
        )
    return backend


def _train(
    backend: tokenizers.Tokenizer,
    texts: list[str],
    vocab_size: int,
    first: list[str],
    progress: bool,
) -> tokenizers.Tokenizer:
    """Train in place; the tokens of `first` take the lowest ids."""
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=first, show_progress=False
    )
    name = "merging pieces" if vocab_size else "finding letters"
    backend.train_from_iterator(track(texts, name, progress), trainer)
    return backend


def _longest_first(length_a: int, length_b: int, room: int) -> tuple[int, int]:
    """How many tokens of a and b to keep so that both fit, cutting the longer one first."""
    if length_a + length_b <= room:
        return length_a, length_b
    half = room // 2
    if length_a <= length_b:
        keep_a = min(length_a, half)
        return keep_a, room - keep_a
    keep_b = min(length_b, half)
    return room - keep_b, keep_b
