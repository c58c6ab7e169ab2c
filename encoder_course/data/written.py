"""The texts written for this course: six sets, each with a split to train on and one to test on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder_course.text.bio import Span

FOLDER = Path(__file__).parent / "written"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Review:
    """A short review and its verdict."""

    text: str
    label: str  # "positive" or "negative"
    domain: str  # what is reviewed
    hard: str | None  # "negation", "irony" or "mixed", where the words alone mislead


@dataclass(frozen=True)
class Message:
    """A message to a support desk, and the desk that must answer first."""

    text: str
    label: str  # "billing", "technical" or "general"
    intent: str  # one of twelve, which settles the label
    other: str | None  # the intent of a second request in the message


@dataclass(frozen=True)
class Clause:
    """A sentence or two of a contract or judgment, with its entities in order."""

    text: str
    clause: str | None  # its kind
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Use:
    """A text that uses an ambiguous word, `text[start:end]`, in one of its senses."""

    text: str
    word: str
    sense: str
    start: int
    end: int


@dataclass(frozen=True)
class Translation:
    """One sentence in English, Portuguese and Hindi."""

    id: str
    en: str
    pt: str
    hi: str


@dataclass(frozen=True)
class Pair:
    """Two sentences and how far they say the same: 0 (nothing) to 5 (everything)."""

    a: str
    b: str
    score: float


KINDS: dict[str, type] = {
    "reviews": Review,
    "support": Message,
    "contracts": Clause,
    "senses": Use,
    "parallel": Translation,
    "similarity": Pair,
}


def load(name: str, split: str = "train", folder: Path = FOLDER) -> tuple[Any, ...]:
    """The records of one split, in the order of its file.

    ValueError for an unknown set or split and for a line that is no such record (with its number);
    FileNotFoundError where the package was installed without its data files.
    """
    if name not in KINDS:
        raise ValueError(f"there is no written set {name!r}, only {', '.join(KINDS)}")
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}, only {' and '.join(SPLITS)}")
    path = folder / f"{name}.{split}.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; install the package with its data files")
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(
        _record(KINDS[name], line, f"line {number} of {path.name}")
        for number, line in enumerate(lines, 1)
    )


def _record(kind: Callable[..., Any], line: str, where: str) -> Any:
    try:
        fields = json.loads(line)
        if "spans" in fields:
            fields["spans"] = tuple(Span(*span) for span in fields["spans"])
        return kind(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} is no {kind.__name__}: {error}") from error
