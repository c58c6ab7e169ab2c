"""Checks of lab 01: a WordPiece tokenizer of one's own."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from random import Random
from string import ascii_lowercase

import torch

from encoder_course.check import tokens
from encoder_course.check.base import Exercise, Misconception
from encoder_course.text.bpe import join_pieces
from encoder_course.text.normalise import (
    Normaliser,
    bert_letters,
    course_letters,
    letters_of,
    spell,
    split_words,
)
from encoder_course.text.tokenizer import MAX_WORD_CHARS
from encoder_course.text.wordpiece import letter_pieces, pair_scores

Letters = list[tuple[str, int]]
Word = tuple[str, ...]
Words = dict[Word, int]
Pair = tuple[str, str]


def _renaming(letters: str, seed: int) -> dict[int, int]:
    """Other letters in the same order, for `str.translate`; with seed 0 each stays as it is."""
    drawn = sorted(Random(seed).sample(ascii_lowercase, len(letters))) if seed else letters
    return str.maketrans(letters, "".join(drawn))


# ---- letters


def _letters(
    text: str,
    form: str = "NFD",
    dropped: Collection[str] = ("Mn",),
    low: Callable[[str], str] = str.lower,
) -> Letters:
    return [
        (letter, at)
        for at, character in enumerate(text)
        for part in unicodedata.normalize(form, character)
        if unicodedata.category(part) not in dropped
        for letter in low(part)
    ]


def _bases(text):
    return [(unicodedata.normalize("NFD", c)[0].lower(), at) for at, c in enumerate(text)]


def _letter_cases(seed=0):
    pick = Random(seed).choice
    name, city = pick(["Zoë", "René", "Anaïs"]), pick(["Málaga", "Évora", "São Tomé"])
    decomposed = unicodedata.normalize("NFD", f"{city} {name}")
    return {
        "accented letters, each one code point": (f"{name}, {city}",),
        "accents that are code points of their own": (f"{decomposed} {pick(['Lima', 'Oslo'])}",),
        "a capital I with a dot": (f"{pick(['İzmir', 'İzmit', 'İznik'])} {name}",),
        "a letter that is no accented one": (f"{pick(['Straße', 'Größe', 'Fuß'])} ﬁn",),
        "Hindi": (f"{pick(['हिन्दी', 'किताब', 'दिल्ली'])} {pick(['सेब', 'मेला', 'देश'])} {name}",),
        "Korean, where one code point is a whole syllable": (pick(["한국", "서울", "부산"]),),
    }


letters = Exercise(
    number="lab01.1",
    title="letters",
    difficulty=2,
    minutes=12,
    reference=_letters,
    cases=_letter_cases,
    hidden=_letter_cases,
    misconceptions=(
        Misconception(
            "counted afterwards",
            "the letters are right and the positions are counted in the result: where an accent is "
            "gone, every later one leads to a wrong place in the original text",
            lambda text: [(letter, at) for at, (letter, _) in enumerate(_letters(text))],
        ),
        Misconception(
            "decomposed first",
            "the positions are those of the decomposed text, in which é takes two places: they "
            "must be taken before anything is changed",
            lambda text: _letters(unicodedata.normalize("NFD", text)),
        ),
        Misconception(
            "composed first",
            "the positions are those of the composed text: where the original has an accent of its "
            "own, all later positions are too small",
            lambda text: _letters(unicodedata.normalize("NFC", text)),
        ),
        Misconception(
            "lowered first",
            "the positions are those of the text in lower case, which can be longer than the "
            "original: İ becomes two code points",
            lambda text: _letters(text.lower()),
        ),
        Misconception(
            "case kept",
            "capitals are still there: `The` and `the` would be two pieces",
            lambda text: _letters(text, low=str),
        ),
        Misconception(
            "accents kept",
            "accents that are part of a letter are still there: lower case alone does not take "
            "them off",
            lambda text: [(low, at) for at, c in enumerate(text) for low in c.lower()],
        ),
        Misconception(
            "marks kept",
            "letters and accents have been taken apart, but the accents are still in the result",
            lambda text: _letters(text, dropped=()),
        ),
        Misconception(
            "not taken apart",
            "an accent that is a code point of its own is gone, and é in one code point is still "
            "there: it is no mark before it is taken apart",
            lambda text: _letters(text, form="NFC"),
        ),
        Misconception(
            "compatibility form",
            "the ligature ﬁ has become two letters: the forms with a K replace letters by similar "
            "ones, which is more than to take them apart",
            lambda text: _letters(text, form="NFKD"),
        ),
        Misconception(
            "all marks",
            "Hindi loses more signs than it has to: of the categories that begin with M, only the "
            "marks without a width of their own go",
            lambda text: _letters(text, dropped=("Mn", "Mc", "Me")),
        ),
        Misconception(
            "combining class",
            "Hindi keeps vowel signs without a width of their own: whether a sign has a combining "
            "class is another question than its category, and theirs is 0",
            lambda text: [
                (letter, at)
                for letter, at in _letters(text, dropped=())
                if not unicodedata.combining(letter)
            ],
        ),
        Misconception(
            "case folded",
            "ß has become two letters: folding case, which is made for comparing texts, does more "
            "than lower case",
            lambda text: _letters(text, low=str.casefold),
        ),
        Misconception(
            "ASCII only",
            "every letter outside ASCII has disappeared: nothing is left of Hindi and Korean",
            lambda text: [pair for pair in _letters(text, form="NFKD") if pair[0].isascii()],
        ),
        Misconception(
            "base only",
            "of each code point, the first part is kept and the others are dropped: a Korean "
            "syllable loses its vowel, and an accent that stands alone stays",
            _bases,
        ),
    ),
    spoilers=('"Mn"', "NFD", "enumerate", ".lower()"),
)


# ---- byte_prices

byte_prices = Exercise(  # data, ação, डेटा: in bytes of UTF-8
    number="lab01.2",
    title="prices in bytes",
    difficulty=2,
    minutes=6,
    reference=(4, 6, 12),
    misconceptions=(
        Misconception(
            "code points",
            "this counts code points; only one of the three words has a byte for each of them",
            (4, 4, 4),
        ),
        Misconception(
            "what is seen",
            "this counts what a reader sees as one letter: a vowel sign has bytes of its own",
            (4, 4, 2),
        ),
        Misconception(
            "letters by two bytes",
            "the Hindi word is dearer: the further up in Unicode, the longer a letter",
            (4, 6, 8),
        ),
        Misconception(
            "two bytes each",
            "two bytes for each code point would be UTF-16; in UTF-8 the length varies, and "
            "ASCII is cheapest",
            (8, 8, 8),
        ),
        Misconception(
            "four bytes each",
            "four bytes for each code point would be UTF-32; in UTF-8 the length varies",
            (16, 16, 16),
        ),
        Misconception(
            "decomposed",
            "the Portuguese word is counted in its decomposed form: here each accented letter is "
            "one code point",
            (4, 8, 12),
        ),
        Misconception(
            "all letters of the word",
            "in the Portuguese word two letters are plain ASCII: only the others cost more",
            (4, 8, 8),
        ),
    ),
    spoilers=("4, 6, 12", "12 bytes", "6 bytes", "three bytes"),
)


# ---- learn_step


def _joined(word: Word, pair: Pair, new: str) -> Word:
    merged: list[str] = []
    at = 0
    while at < len(word):
        found = word[at : at + 2] == pair
        merged.append(new if found else word[at])
        at += 2 if found else 1
    return tuple(merged)


def _learned(
    words: Words, pair: Pair, join: Callable[[str, str], str] = join_pieces
) -> tuple[str, Words]:
    """The piece that the pair makes, and the words with the pair joined in them."""
    new = join(*pair)
    return new, {_joined(word, pair, new): count for word, count in words.items()}


def _count_pairs(words: Words) -> Counter[Pair]:
    counts: Counter[Pair] = Counter()
    for word, count in words.items():
        for pair in pairwise(word):
            counts[pair] += count
    return counts


def _best(counts: Mapping[Pair, int | float]) -> Pair:
    return min(counts, key=lambda pair: (-counts[pair], pair))


def _learn_step(words: Words) -> tuple[str, Words]:
    return _learned(words, _best(_count_pairs(words)))


def _learn_by(count: Callable[[Words], Mapping[Pair, int | float]]):
    """Take the best pair after counting in another way."""
    return lambda words: _learned(words, _best(count(words)))


def _learn_named_by(join: Callable[[str, str], str]):
    """Take the right pair, and write its piece in another way."""
    return lambda words: _learned(words, _best(_count_pairs(words)), join)


def _count_once_a_word(words):
    counts = Counter()
    for word, count in words.items():
        counts.update(dict.fromkeys(pairwise(word), count))
    return counts


def _count_across_borders(words):
    return Counter(pairwise(p for word, count in words.items() for _ in range(count) for p in word))


def _count_without_marks(words):
    by_letters = Counter()
    for (left, right), count in _count_pairs(words).items():
        by_letters[left.removeprefix("##"), right] += count
    return {pair: by_letters[pair[0].removeprefix("##"), pair[1]] for pair in _count_pairs(words)}


def _learn_first_met(words):
    counts = _count_pairs(words)
    return _learned(words, max(counts, key=counts.get))


def _learn_last_of_equals(words):
    counts = _count_pairs(words)
    return _learned(words, max(counts, key=lambda pair: (counts[pair], pair)))


def _learn_first_place_only(words):
    pair = _best(_count_pairs(words))
    after = {}
    for word, count in words.items():
        at = [*pairwise(word), pair].index(pair)
        after[
            *word[:at], *_joined(word[at : at + 2], pair, join_pieces(*pair)), *word[at + 2 :]
        ] = count
    return join_pieces(*pair), after


def _learn_in_one_word(words):
    pair = _best(_count_pairs(words))
    new = join_pieces(*pair)
    only = max((word for word in words if pair in pairwise(word)), key=words.get)
    return new, {_joined(w, pair, new) if w == only else w: n for w, n in words.items()}


def _learn_by_text(words):
    pair = _best(_count_pairs(words))
    new = join_pieces(*pair)
    return new, {
        tuple(" ".join(word).replace(" ".join(pair), new).split()): count
        for word, count in words.items()
    }


def _word_cases(seed=0):
    renamed = _renaming("abcdefg", seed)
    factor = Random(seed).randint(2, 5)

    def case(counts):
        return ({tuple(w.translate(renamed).split()): n * factor for w, n in counts.items()},)

    def spelled(counts):
        return case({" ".join(letter_pieces(word)): count for word, count in counts.items()})

    return {
        "two frequent words, and three rare ones that are alike": spelled(
            {"cd": 1, "abf": 9, "cde": 1, "cdf": 1, "abg": 2}
        ),
        "three pairs that are equally frequent": spelled({"cd": 2, "ab": 2, "ef": 2}),
        "the same letter five times": spelled({"baaaaa": 2, "bc": 3}),
        "a word of one piece": spelled({"a": 5, "bc": 2}),
        "pieces that end alike": case({"c ##d": 4, "ac ##d": 1, "##c ##d": 2}),
        "the same letters at the start of a word and inside": spelled({"ab": 2, "cab": 2, "de": 3}),
    }


learn_step = Exercise(
    number="lab01.3",
    title="a step of learning",
    difficulty=3,
    minutes=18,
    reference=_learn_step,
    cases=_word_cases,
    hidden=_word_cases,
    misconceptions=(
        Misconception(
            "each word once",
            "a pair is joined that many different words hold, though another one occurs more often "
            "in the text: words have frequencies",
            _learn_by(lambda words: _count_pairs(dict.fromkeys(words, 1))),
        ),
        Misconception(
            "once a word",
            "a pair that a word holds several times is counted there as if it occurred once",
            _learn_by(_count_once_a_word),
        ),
        Misconception(
            "across word borders",
            "a pair is joined that does not lie inside one word: the words have been chained",
            _learn_by(_count_across_borders),
        ),
        Misconception(
            "marks ignored",
            "`a ##b` and `##a ##b` are counted together, but they become different pieces: one "
            "opens a word and the other continues one",
            _learn_by(_count_without_marks),
        ),
        Misconception(
            "by score",
            "the pair is taken that meets most often beyond chance; this exercise asks for the one "
            "that is most frequent",
            _learn_by(lambda words: pair_scores(words.items())),
        ),
        Misconception(
            "first met",
            "of equally frequent pairs, the one that was met first is taken: texts in another "
            "order would give another vocabulary",
            _learn_first_met,
        ),
        Misconception(
            "last of equals",
            "of equally frequent pairs, the last one in the alphabet is taken",
            _learn_last_of_equals,
        ),
        Misconception(
            "mark kept inside",
            "the new piece has `##` in its middle: the mark only ever opens a piece",
            _learn_named_by(lambda left, right: left + right),
        ),
        Misconception(
            "all marks lost",
            "a piece made of two that continue a word has lost its mark, and would open one",
            _learn_named_by(lambda left, right: (left + right).replace("##", "")),
        ),
        Misconception(
            "first place only",
            "in a word that holds the pair several times, only the first is joined",
            _learn_first_place_only,
        ),
        Misconception(
            "one word only",
            "the pair is joined in one word, and the others that hold it stay as they were: a "
            "merge is a rule for all words",
            _learn_in_one_word,
        ),
        Misconception(
            "by text",
            "the end of a longer piece is joined as well: compare whole pieces, not the text that "
            "they make",
            _learn_by_text,
        ),
    ),
    spoilers=("pairwise", "zip(", "removeprefix", "Counter", "min(", "-count"),
)


# ---- wordpiece


def _limited(cut: Callable[[str, set[str]], list[str]]):
    """Give up words of more than 100 letters, as BERT's tokenizer does, and `cut` the others."""

    def limited(word: str, vocabulary: set[str]) -> list[str]:
        return ["[UNK]"] if len(word) > MAX_WORD_CHARS else cut(word, vocabulary)

    return limited


_longest_match = tokens.longest_match.reference
_wordpiece = _limited(_longest_match)


def _cut_fewest(word, vocabulary):
    best = {0: []}  # the shortest spelling of word[:end]
    for end in range(1, len(word) + 1):
        last = {start: ("##" if start else "") + word[start:end] for start in best}
        spellings = [[*best[at], piece] for at, piece in last.items() if piece in vocabulary]
        if spellings:
            best[end] = min(reversed(spellings), key=len)
    return best.get(len(word), ["[UNK]"])


def _cut_from_the_end(word, vocabulary):
    pieces, end = [], len(word)
    while end:
        ends = {start: ("##" if start else "") + word[start:end] for start in range(end)}
        start = next((start for start, piece in ends.items() if piece in vocabulary), None)
        if start is None:
            return ["[UNK]"]
        pieces.insert(0, ends[start])
        end = start
    return pieces


def _cut_skipping(word, vocabulary):
    letter_known = {"##" + letter for letter in word} & set(vocabulary)
    kept = "".join(letter for letter in word if "##" + letter in letter_known)
    return _longest_match(kept, vocabulary)


def _mark_every_piece(word, vocabulary):
    return ["##" + piece.removeprefix("##") for piece in _longest_match(word, vocabulary)]


def _refuse_100(word, vocabulary):
    return ["[UNK]"] if len(word) >= MAX_WORD_CHARS else _longest_match(word, vocabulary)


def _cut_long(word, vocabulary):
    return _longest_match(word[:MAX_WORD_CHARS], vocabulary)


def _piece_cases(seed=0):
    renamed = _renaming("adefmnrst", seed)
    letters = {mark + letter for mark in ("", "##") for letter in "adefmnrst"}
    known = letters | {"data", "##frame", "##fra", "##mes", "##s", "rames", "frames", "dat", "at"}
    known |= {"##te", "##ter", "##tern", "mat", "mas", "##rs"}

    def case(word, vocabulary):
        return word.translate(renamed), {piece.translate(renamed) for piece in vocabulary}

    return {
        "a word the vocabulary can spell": case("dataframes", known),
        "a word that is a piece": case("frames", known),
        "a first piece that leads to many": case("masters", known - {"mast"} | {"ma", "##sters"}),
        "a letter the vocabulary lacks, at the end": case("dataX", known),
        "a letter the vocabulary lacks, in the middle": case("datXame", known),
        "a word of 100 letters": case("data" * 25, known),
        "a word of 101 letters": case("data" * 25 + "s", known),
    }


wordpiece = Exercise(
    number="lab01.4",
    title="wordpiece",
    difficulty=2,
    minutes=8,
    reference=_wordpiece,
    cases=_piece_cases,
    hidden=_piece_cases,
    misconceptions=(
        *(
            Misconception(idea.name, idea.message, _limited(idea.wrong))
            for idea in tokens.longest_match.misconceptions
            if idea.name != "as given"
        ),
        Misconception(
            "## on every piece",
            "the first piece is marked, too: the mark stands for what comes before a piece",
            _limited(_mark_every_piece),
        ),
        Misconception(
            "fewest pieces",
            "a shorter first piece was taken because fewer pieces follow from it: WordPiece does "
            "not look ahead",
            _limited(_cut_fewest),
        ),
        Misconception(
            "from the end",
            "the last piece is as long as it can be, and the first is not: the word is read from "
            "its end",
            _limited(_cut_from_the_end),
        ),
        Misconception(
            "unknown letter skipped",
            "a letter that the vocabulary lacks has silently disappeared: two different words look "
            "the same",
            _limited(_cut_skipping),
        ),
        Misconception(
            "no limit",
            "right on ordinary words, and a word above the limit is cut as well, where the library "
            "gives it up",
            _longest_match,
        ),
        Misconception(
            "limit too low",
            "a word that just reaches the limit is given up: `more than` does not include it",
            _refuse_100,
        ),
        Misconception(
            "cut at the limit",
            "a word above the limit is shortened to it: the rule gives up the whole word",
            _cut_long,
        ),
    ),
    spoilers=('["[UNK]"]', "> 100", "range(", "reversed", "end - 1", "end -= 1"),
)


# ---- encode


def _with_ids(words: Iterable[str], vocabulary: dict[str, int]) -> list[int]:
    known = set(vocabulary)
    pieces = [piece for word in words for piece in _wordpiece(word, known)]
    return [vocabulary[piece] for piece in ("[CLS]", *pieces, "[SEP]")]


def _words(text: str, normaliser: Normaliser = bert_letters) -> list[str]:
    return [spell(word) for word in split_words(normaliser(text))]


def _encode(text: str, vocabulary: dict[str, int]) -> list[int]:
    return _with_ids(_words(text), vocabulary)


def _encode_by_words(split: Callable[[str], list[str]]):
    """Encode after another way to find the words."""
    return lambda text, vocabulary: _with_ids(split(text), vocabulary)


def _encode_whole_words(text, vocabulary):
    known = [word if word in vocabulary else "[UNK]" for word in _words(text)]
    return [vocabulary[piece] for piece in ("[CLS]", *known, "[SEP]")]


def _encode_closing_words(text, vocabulary):
    rows = [_with_ids([word], vocabulary)[1:] for word in _words(text)]
    return [vocabulary["[CLS]"], *(i for row in rows for i in row)]


def _encode_with(unknown: list[int]):
    """Encode with other ids in the place of [UNK]."""

    def encoded(text, vocabulary):
        ids = _encode(text, vocabulary)
        return [j for i in ids for j in (unknown if i == vocabulary["[UNK]"] else [i])]

    return encoded


def _encode_by_heart(text, vocabulary):
    return [101, *_encode(text, vocabulary)[1:-1], 102]


def _encode_swapped(text, vocabulary):
    opened, *ids, closed = _encode(text, vocabulary)
    return [closed, *ids, opened]


def _text_cases(seed=0):
    draw = Random(seed)
    names = ["data", "merge", "read", "file", "cafe", "naive", "write", "##set", "##s", "##d"]
    names += ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,()!?", "a", "the", "##r", "café"]
    draw.shuffle(names)
    vocabulary = {name: i for i, name in enumerate(names, start=3)}
    verb, noun = draw.choice(["read", "write", "merge"]), draw.choice(["data", "file"])
    return {
        "small letters only": (f"{verb} the {noun}s", vocabulary),
        "capitals and accents": (f"{verb.title()} a Café datasets {noun.upper()}", vocabulary),
        "punctuation": (f"{verb}({noun}), {noun}s!", vocabulary),
        "a word the vocabulary cannot spell": (f"the xylophone {verb}s {noun}", vocabulary),
        "no text": ("", vocabulary),
    }


encode = Exercise(
    number="lab01.5",
    title="encode",
    difficulty=2,
    minutes=12,
    reference=_encode,
    cases=_text_cases,
    hidden=_text_cases,
    misconceptions=(
        Misconception(
            "no special tokens",
            "the ids of the text are right, and nothing opens and closes it: the models of this "
            "course have never seen such a row",
            lambda text, vocabulary: _encode(text, vocabulary)[1:-1],
        ),
        Misconception(
            "not closed",
            "the row is opened and not closed",
            lambda text, vocabulary: _encode(text, vocabulary)[:-1],
        ),
        Misconception(
            "swapped",
            "the two special tokens have changed places",
            _encode_swapped,
        ),
        Misconception(
            "ids by heart",
            "the special tokens have the ids that they have in BERT: this vocabulary has others, "
            "and every vocabulary can be asked",
            _encode_by_heart,
        ),
        Misconception(
            "each word closed",
            "[SEP] stands after every word: it closes a text, and words need no token between them",
            _encode_closing_words,
        ),
        Misconception(
            "case kept",
            "words with capitals are unknown: the text has not been normalised",
            _encode_by_words(lambda text: _words(text, letters_of)),
        ),
        Misconception(
            "accents kept",
            "an accented word has another id than the library gives: the course tokenizer keeps "
            "accents, and this one follows BERT",
            _encode_by_words(lambda text: _words(text, course_letters)),
        ),
        Misconception(
            "split at spaces only",
            "a word with a bracket or a comma at it is unknown: punctuation marks are words of "
            "their own",
            _encode_by_words(lambda text: spell(bert_letters(text)).split()),
        ),
        Misconception(
            "punctuation dropped",
            "brackets, commas and marks have disappeared, and the vocabulary has ids for them",
            _encode_by_words(lambda text: [word for word in _words(text) if word.isalnum()]),
        ),
        Misconception(
            "text as one word",
            "the whole text is treated as one word, spaces and all",
            _encode_by_words(lambda text: [spell(bert_letters(text))] if text else []),
        ),
        Misconception(
            "whole words only",
            "a word that is no entry of its own is unknown, even where pieces spell it: "
            "`wordpiece` is not used",
            _encode_whole_words,
        ),
        Misconception(
            "unknown dropped",
            "a word that cannot be spelled leaves no trace: the model cannot know that something "
            "stood there",
            _encode_with([]),
        ),
        Misconception(
            "unknown is 0",
            "a word that cannot be spelled gets the id 0, which is often the padding: the "
            "vocabulary has an entry for the unknown",
            _encode_with([0]),
        ),
    ),
    spoilers=('vocabulary["[CLS]"]', "bert_letters", "split_words", "spell("),
)


# ---- encode_pair

Ids = list[int]


def _pair(
    first: Ids, second: Ids, cls_id: int, sep_id: int, closing: int = 0
) -> tuple[Ids, list[int]]:
    """Both texts in one row; `closing` is the kind of the [SEP] between them."""
    ids = [cls_id, *first, sep_id, *second, sep_id]
    return ids, [0] * (len(first) + 1) + [closing] + [1] * (len(second) + 1)


def _room(first: Ids, max_len: int) -> int:
    return max_len - len(first) - 3  # [CLS] and two [SEP]


def _encode_pair(
    first: Ids, second: Ids, max_len: int, cls_id: int, sep_id: int
) -> tuple[Ids, list[int]]:
    return _pair(first, second[: _room(first, max_len)], cls_id, sep_id)


def _pair_with_room(more: int):
    """Leave room for `more` tokens than there is."""
    return lambda first, second, max_len, *special: _encode_pair(
        first, second, max_len + more, *special
    )


def _pair_cut_last(closing: int):
    """Put the row together and cut it afterwards."""

    def cut(first, second, max_len, *special):
        ids, kinds = _pair(first, second, *special, closing)
        return ids[:max_len], kinds[:max_len]

    return cut


def _pair_of_halves(first, second, max_len, *special):
    half = (max_len - 3) // 2
    if len(second) > _room(first, max_len):
        first, second = first[:half], second[:half]
    return _pair(first, second, *special)


def _pair_of_the_end(first, second, max_len, *special):
    return _pair(first, second[max(0, len(second) - _room(first, max_len)) :], *special)


def _pair_kinds_by_length(first, second, max_len, *special):
    return _encode_pair(first, second, max_len, *special)[0], _pair(first, second, *special)[1]


def _pair_of_one_kind(first, second, max_len, *special):
    ids, kinds = _encode_pair(first, second, max_len, *special)
    return ids, [0] * len(kinds)


def _pair_opened_twice(first, second, max_len, cls_id, sep_id):
    return _encode_pair(first, [cls_id, *second], max_len, cls_id, sep_id)


def _pair_unseparated(first, second, max_len, cls_id, sep_id):
    ids, kinds = _encode_pair(first, second, max_len + 1, cls_id, sep_id)
    border = len(first) + 1
    return ids[:border] + ids[border + 1 :], kinds[:border] + kinds[border + 1 :]


def _pair_kind_of_middle(first, second, max_len, *special):
    return _pair(first, second[: _room(first, max_len)], *special, 1)


def _pair_cases(seed=0):
    draw = Random(seed)
    cls_id, sep_id, *ids = draw.sample(range(4, 90), 24)
    size = draw.randint(3, 5)
    first, second = ids[:size], ids[size : size + 9]
    whole = len(first) + len(second) + 3
    return {
        "both texts fit": (first, second, whole + 4, cls_id, sep_id),
        "both texts just fit": (first, second, whole, cls_id, sep_id),
        "one token too many": (first, second, whole - 1, cls_id, sep_id),
        "five tokens too many": (first, second, whole - 5, cls_id, sep_id),
        "a second text without tokens": (first, [], whole, cls_id, sep_id),
    }


encode_pair = Exercise(
    number="lab01.6",
    title="encode a pair",
    difficulty=3,
    minutes=10,
    reference=_encode_pair,
    cases=_pair_cases,
    hidden=_pair_cases,
    misconceptions=(
        Misconception(
            "as given",
            "both bugs are still there: a long row loses its end, special token and all, and one "
            "token in the middle is counted with the wrong text",
            _pair_cut_last(closing=1),
        ),
        Misconception(
            "closing token cut",
            "the kinds are right; but a row that was too long is not closed any more, because the "
            "last token went with the text",
            _pair_cut_last(closing=0),
        ),
        Misconception(
            "kind of the middle [SEP]",
            "rows are closed now; but the [SEP] in the middle is counted with the second text, and "
            "it closes the first",
            _pair_kind_of_middle,
        ),
        Misconception(
            "special tokens not counted",
            "a long row has more than `max_len` tokens: those that are added need room, too",
            _pair_with_room(3),
        ),
        Misconception(
            "two special tokens counted",
            "a long row has one token more than `max_len`: a pair has more special tokens than a "
            "single text",
            _pair_with_room(1),
        ),
        Misconception(
            "one token too few",
            "a long row is shorter than `max_len`: text is thrown away that had room",
            _pair_with_room(-1),
        ),
        Misconception(
            "halves",
            "both texts have been cut, and the first one must stay whole: a question that has lost "
            "its end asks for something else",
            _pair_of_halves,
        ),
        Misconception(
            "beginning dropped",
            "of a long second text, the beginning is missing and not the end",
            _pair_of_the_end,
        ),
        Misconception(
            "kinds of the uncut row",
            "there are more kinds than tokens where the row was cut",
            _pair_kinds_by_length,
        ),
        Misconception(
            "one kind",
            "all tokens are of one kind: the model could not tell the two texts apart",
            _pair_of_one_kind,
        ),
        Misconception(
            "opened twice",
            "the second text is opened as if it were a row of its own: [CLS] stands once in a row",
            _pair_opened_twice,
        ),
        Misconception(
            "not separated",
            "no token stands between the two texts, so the question runs into the passage",
            _pair_unseparated,
        ),
    ),
    spoilers=("- 3", "-3", "+ 2", "len(first)", "three special"),
)


# ---- collate


def _collate_as_given(rows, pad_id):
    ids = torch.tensor(list(zip(*rows, strict=False))).T
    return ids, ids != pad_id


def _collate_wide(rows, pad_id):
    width = 512
    ids, keep = tokens.pad.reference([*rows, [pad_id] * width], pad_id)
    return ids[:-1], keep[:-1]


def _row_cases(seed=0):
    draw = Random(seed)
    pad_id, *ids = draw.sample(range(4, 90), 20)

    def row(length):
        return [2, *draw.sample(ids, length), 3]

    lengths = draw.sample(range(1, 7), 4)
    return {
        "four rows of different lengths": ([row(length) for length in lengths], pad_id),
        "two rows of the same length": ([row(3), row(3)], pad_id),
        "a row with the padding token in its text": ([[2, pad_id, *row(2)], row(1)], pad_id),
    }


collate = Exercise(
    number="lab01.7",
    title="collate",
    difficulty=2,
    minutes=6,
    reference=tokens.pad.reference,
    cases=_row_cases,
    hidden=_row_cases,
    misconceptions=(
        Misconception(
            "as given",
            "both bugs are still there: text is lost where rows differ in length, and a padding "
            "token that a text itself holds is hidden",
            _collate_as_given,
        ),
        *tokens.pad.misconceptions,
        Misconception(
            "one width for all",
            "the rectangle is far wider than the longest row: the model would compute on padding",
            _collate_wide,
        ),
    ),
    spoilers=(*tokens.pad.spoilers, "zip_longest", "pad_sequence"),
)


# ---- fertility

Counts = dict[str, int]
Pieces = dict[str, list[str]]
_UNKNOWN = ["[UNK]"]


def _fertility(counts: Counts, pieces: Pieces) -> tuple[float, float]:
    total = sum(counts.values())
    used = sum(len(pieces[word]) * count for word, count in counts.items())
    lost = sum(count for word, count in counts.items() if pieces[word] == _UNKNOWN)
    return used / total, lost / total


def _fertility_of_known(counts, pieces):
    known = {word: count for word, count in counts.items() if pieces[word] != _UNKNOWN}
    return _fertility(known, pieces)[0], _fertility(counts, pieces)[1]


def _fertility_free_unknown(counts, pieces):
    used, lost = _fertility(counts, pieces)
    return used - lost, lost


def _fertility_lost_of_tokens(counts, pieces):
    used, lost = _fertility(counts, pieces)
    return used, lost / used


def _fertility_lost_of_types(counts, pieces):
    return _fertility(counts, pieces)[0], _fertility(dict.fromkeys(counts, 1), pieces)[1]


def _fertility_of_letters(counts, pieces):
    letters = {word: list(word) for word in counts}
    used, lost = _fertility(counts, pieces)
    return _fertility(counts, letters)[0] / used, lost


def _count_cases(seed=0):
    draw = Random(seed)
    pieces = {
        "data": ["data"],
        "datasets": ["data", "##set", "##s"],
        "reader": ["read", "##er"],
        "ndarray": ["n", "##da", "##rra", "##y"],
        "नमस्ते": ["[UNK]"],
        "धन्यवाद": ["[UNK]"],
    }

    def case(*words):
        often = draw.sample(range(2, 40), len(words))
        return dict(zip(words, often, strict=True)), {word: pieces[word] for word in words}

    return {
        "words with one to four pieces": case("data", "datasets", "reader", "ndarray"),
        "words, some of them unknown": case("data", "datasets", "नमस्ते", "reader", "धन्यवाद"),
    }


fertility = Exercise(
    number="lab01.8",
    title="fertility",
    difficulty=2,
    minutes=8,
    reference=_fertility,
    cases=_count_cases,
    hidden=_count_cases,
    misconceptions=(
        Misconception(
            "each different word once",
            "a word that occurs forty times weighs as much as one that occurs twice: these are the "
            "numbers of a word list and not of a text",
            lambda counts, pieces: _fertility(dict.fromkeys(counts, 1), pieces),
        ),
        Misconception(
            "words per token",
            "the first number is upside down: it cannot be below 1, for a word has at least one "
            "token",
            lambda counts, pieces: (
                1 / _fertility(counts, pieces)[0],
                _fertility(counts, pieces)[1],
            ),
        ),
        Misconception(
            "unknown words left out",
            "unknown words are left out of the first number: they are words of the text, and their "
            "token is paid for",
            _fertility_of_known,
        ),
        Misconception(
            "unknown words are free",
            "an unknown word is counted as a word without tokens: it does cost one",
            _fertility_free_unknown,
        ),
        Misconception(
            "share of the tokens",
            "the second number is a share of the tokens, and the share of the words is asked for",
            _fertility_lost_of_tokens,
        ),
        Misconception(
            "share of the different words",
            "the second number does not look at how often a word occurs",
            _fertility_lost_of_types,
        ),
        Misconception(
            "percent",
            "the second number is a percentage, and a share between 0 and 1 is asked for",
            lambda counts, pieces: (
                _fertility(counts, pieces)[0],
                100 * _fertility(counts, pieces)[1],
            ),
        ),
        Misconception(
            "letters per token",
            "the first number says how many letters a token holds: here words are the measure",
            _fertility_of_letters,
        ),
        Misconception(
            "cuts per word",
            "the first number counts the cuts inside a word: a word of one piece would cost "
            "nothing",
            lambda counts, pieces: (
                _fertility(counts, pieces)[0] - 1,
                _fertility(counts, pieces)[1],
            ),
        ),
    ),
    spoilers=("sum(", "counts.values()", "total"),
)
