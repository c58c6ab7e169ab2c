"""What the documentation corpus is made of: entries, documents, and the corpus that holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a parameter list, a return list or a See Also list; absent parts are empty."""

    name: str
    type: str
    text: str

    def __str__(self) -> str:
        head = f"{self.name} ({self.type})" if self.name and self.type else self.name or self.type
        return f"{head}: {self.text}" if self.text else head


@dataclass(frozen=True, slots=True)
class Document:
    """One section of one object's documentation, as clean prose, with where it comes from.

    `name` is qualified ("numpy.linalg.norm"), so all sections of an object share it, and no two
    documents share both `name` and `section`. `text` holds paragraphs separated by blank lines;
    in sections that list things it is the lead paragraphs followed by one line per entry.
    """

    package: str
    version: str
    name: str
    kind: str  # "module", "class", "function" or "topic"
    section: str  # "summary", "description", "parameters", "returns", "see also", ...
    text: str
    code: tuple[str, ...] = ()
    doctest: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()

    def to_row(self) -> list:
        """The fields as plain lists and strings, fit for JSON."""
        row = [getattr(self, part) for part in self.__slots__]
        row[-1] = [(entry.name, entry.type, entry.text) for entry in self.entries]
        return row

    @classmethod
    def from_row(cls, row: list) -> Document:
        """The document whose `to_row` gave this. Raises TypeError for a row of another shape."""
        *labels, code, doctest, entries = row
        return cls(*labels, tuple(code), tuple(doctest), tuple(Entry(*e) for e in entries))


@dataclass(frozen=True)
class Report:
    """What a harvest read and what it left out, so that nothing disappears silently."""

    files: int  # read and parsed
    bytes: int  # of source text in those files
    documents: int  # kept
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason -> how many
    missing: tuple[str, ...] = ()  # packages asked for and not installed
    seconds: float = 0.0  # the harvest took, not the loading of its cache


class Corpus(Sequence[Document]):
    """An immutable sequence of documents, in the order in which they were read."""

    def __init__(self, documents: Iterable[Document], report: Report) -> None:
        self._documents = tuple(documents)
        self.report = report

    def __len__(self) -> int:
        return len(self._documents)

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> Corpus: ...
    def __getitem__(self, index: int | slice) -> Document | Corpus:
        if isinstance(index, slice):
            return Corpus(self._documents[index], self.report)
        return self._documents[index]

    def __repr__(self) -> str:
        return f"Corpus({len(self):,} documents of {len(self.packages)} packages)"

    @property
    def packages(self) -> dict[str, str]:
        """The version of each package that has documents here, in order of first appearance."""
        return {document.package: document.version for document in self}

    def texts(self) -> list[str]:
        """The prose alone, one string per document: what a tokenizer or a model is trained on."""
        return [document.text for document in self]

    def objects(self) -> dict[str, dict[str, Document]]:
        """Documents by qualified name, then by section: for summary/body or See Also pairs."""
        found: dict[str, dict[str, Document]] = {}
        for document in self:
            found.setdefault(document.name, {})[document.section] = document
        return found

    def split(self, heldout: float = 0.05) -> tuple[Corpus, Corpus]:
        """(train, held-out), decided by a hash of the object's name.

        The same object falls on the same side on every machine and in every version, and its
        sections never straddle the two. Raises ValueError unless 0 < heldout < 1.
        """
        if not 0 < heldout < 1:
            raise ValueError(f"heldout is {heldout} but a share must lie between 0 and 1")
        sides: tuple[list[Document], list[Document]] = ([], [])
        for document in self:
            sides[_share(document.name) < heldout].append(document)
        return Corpus(sides[0], self.report), Corpus(sides[1], self.report)


def _share(name: str) -> float:
    """A number in [0, 1) that depends on the name alone (`hash` changes with each process)."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
