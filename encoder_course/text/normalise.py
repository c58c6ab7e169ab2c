"""Unicode normalisation by hand, with the way back to the original text.

Legend: a *letter* is a pair (character, at): one character of the text as it is now, and the
position in the original text that it comes from. Every function here takes `Letters` and returns
new ones, so that any token can still say which part of the original it stands for:

    "É x"  --decompose-->  ("E", 0) ("\N{COMBINING ACUTE ACCENT}", 0) (" ", 1) ("x", 2)
           --strip_accents, lower-->  ("e", 0) (" ", 1) ("x", 2)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

Letters = list[tuple[str, int]]
Normaliser = Callable[[str], Letters]

CJK_BLOCKS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
"""Ideographs, written without spaces; kana and hangul are not among them."""


def course_letters(text: str) -> Letters:
    """Normalise as the course tokenizer does: composed (NFC), clean, lower case, accents kept."""
    return lower(space_cjk(clean(compose(letters_of(text)))))


def bert_letters(text: str) -> Letters:
    """Normalise as BERT-uncased does: clean, accents stripped, lower case (Devlin et al. 2018)."""
    return lower(strip_accents(space_cjk(clean(letters_of(text)))))


def letters_of(text: str) -> Letters:
    """Each character with its position; see `check_text` for what raises."""
    check_text(text)
    return [(character, at) for at, character in enumerate(text)]


def check_text(text: str, name: str = "text") -> None:
    """Raise TypeError for anything that is not str, ValueError for half a surrogate pair."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be str but is {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has the lone surrogate U+{ord(text[error.start]):04X} at position "
            f"{error.start}, which is not a character"
        ) from error


def spell(letters: Letters) -> str:
    """The characters alone, as a str."""
    return "".join(character for character, _ in letters)


def span(letters: Letters) -> tuple[int, int]:
    """Where these letters lie in the original text: `text[start:end]`."""
    return letters[0][1], letters[-1][1] + 1


def clean(letters: Letters) -> Letters:
    """Every white space becomes one space; control and format characters disappear.

    Format characters (category Cf) are the invisible ones: zero-width joiners, direction marks,
    the soft hyphen. Unassigned code points stay, as in the library.
    """
    return [
        (" " if character.isspace() else character, at)
        for character, at in letters
        if not is_control(character)
    ]


@cache
def is_control(character: str) -> bool:
    """Whether `clean` drops it; tab and line ends count as white space, U+FFFD as an error."""
    if character in "\t\n\r":
        return False
    return character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co")


def lower(letters: Letters) -> Letters:
    """Lower case, one character at a time: a final capital sigma gives σ, not ς."""
    return [(low, at) for character, at in letters for low in character.lower()]


def space_cjk(letters: Letters) -> Letters:
    """Put spaces around every ideograph, so that each becomes a word of its own."""
    spaced: Letters = []
    for character, at in letters:
        if is_cjk(character):
            spaced += [(" ", at), (character, at), (" ", at)]
        else:
            spaced.append((character, at))
    return spaced


@cache
def is_cjk(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in CJK_BLOCKS)


def strip_accents(letters: Letters) -> Letters:
    """Decompose and drop the marks (category Mn): é becomes e, but Hindi loses vowel signs too."""
    return [
        (character, at)
        for character, at in decompose(letters)
        if unicodedata.category(character) != "Mn"
    ]


def decompose(letters: Letters) -> Letters:
    """Split every character into its base and its marks, marks in standard order (NFD)."""
    split = [(part, at) for c, at in letters for part in unicodedata.normalize("NFD", c)]
    ordered: Letters = []
    marks: Letters = []
    for character, at in split:
        if unicodedata.combining(character):
            marks.append((character, at))
        else:
            ordered += [*_in_order(marks), (character, at)]
            marks = []
    return ordered + _in_order(marks)


def _in_order(marks: Letters) -> Letters:
    """Sort the marks on one base by combining class; the positions stay in text order."""
    characters = sorted((character for character, _ in marks), key=unicodedata.combining)
    return [(character, at) for character, (_, at) in zip(characters, marks, strict=True)]


def compose(letters: Letters) -> Letters:
    """Join each base with the marks it can absorb (NFC): e and an acute accent become é.

    The result has the position of its base. Unicode Standard Annex 15, canonical composition.
    """
    if unicodedata.is_normalized("NFC", spell(letters)):
        return letters
    letters = decompose(letters)
    composed: list[str] = []
    absorbed: list[int] = []  # how many letters each composed character took up besides its base
    base = None  # index in `composed` of the last character that can absorb
    for character, _ in letters:
        if base is not None and not _blocked(composed[base:], character):
            joined = unicodedata.normalize("NFC", composed[base] + character)
            if len(joined) == 1:
                composed[base] = joined
                absorbed[base] += 1
                continue
        composed.append(character)
        absorbed.append(0)
        if not unicodedata.combining(character):
            base = len(composed) - 1
    result: Letters = []
    place = 0
    for character, more in zip(composed, absorbed, strict=True):
        result.append((character, letters[place][1]))
        place += 1 + more
    return result


def _blocked(since_base: list[str], character: str) -> bool:
    """A mark of the same or a higher class in between keeps `character` away from its base."""
    if len(since_base) == 1:
        return False
    return unicodedata.combining(since_base[-1]) >= unicodedata.combining(character)


def split_words(letters: Letters) -> list[Letters]:
    """Cut at spaces, and around every punctuation character, which is a word by itself."""
    words: list[Letters] = []
    joining = False  # whether the next letter continues the last word
    for letter in letters:
        character = letter[0]
        if character.isspace():
            joining = False
        elif is_punctuation(character):
            words.append([letter])
            joining = False
        elif joining:
            words[-1].append(letter)
        else:
            words.append([letter])
            joining = True
    return words


@cache
def is_punctuation(character: str) -> bool:
    """Unicode punctuation, and every ASCII symbol (`$`, `+`, `^` ... are not P in Unicode)."""
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")
