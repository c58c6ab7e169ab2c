"""Facts that docstrings state, with the places where they do: defaults, types, when what is raised.

The facts are found by rule, in the entries of a parameter list and of a list of exceptions. The
rules are narrow: where an entry says something in a form of its own, it gives no fact. Of a hundred
facts read by eye (25 defaults, 25 parameters without one, 25 types, 25 exceptions), three were
wrong or cut short: "all" for "all nodes", a type that was a description, a condition cut at "...".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from encoder_course.data.corpus import Corpus, Document, Entry

KINDS = ("default", "type", "raises")

_VALUE = r"""'[^'\s]*'|"[^"\s]*"|[-+]?\d(?:[\w.+-]*\w)?|None|True|False|\(\)|\[\]"""
_ENDS = r"(?=\s*[,.;)]|\s*$|\s+[A-Za-z])"  # not 100 in "100 * eps"
# In a type, after a sign, the value may be a name; in prose only a literal is safe.
_IN_TYPE = re.compile(
    rf"\b[Dd]efault(?:s to |\s*[=:]\s*| is )`?(?P<value>{_VALUE}|[A-Za-z_][\w.]*\w){_ENDS}"
    rf"|\b[Dd]efault (?P<literal>{_VALUE}){_ENDS}"
)
_IN_PROSE = re.compile(
    rf"\b[Dd]efault(?:s to |\s*[=:]\s*| is | value is )(?P<value>{_VALUE}){_ENDS}"
)
# What may state a default in words that no rule reads.
_OTHERWISE = re.compile(
    r"default|\bif (?:not|none|omitted|unspecified)|otherwise|unless|omitted|when (?:none|not)",
    re.I,
)
_AFTER_TYPE = re.compile(
    r"[\s,;(]*\b(?:keyword[- ]only|optional|by default|default|required|of shape|shape)\b.*$",
    re.I | re.S,
)
_NAME = re.compile(r"[A-Za-z]\w{2,}")  # a single letter is as easily a word of the question


@dataclass(frozen=True)
class Fact:
    """What `context[start:end]` says about a parameter or an exception; no places: it is not said.

    `source` is the object whose docstring the context is made of.
    """

    kind: str  # of KINDS
    about: str  # the parameter, or the exception
    context: str
    places: tuple[tuple[int, int], ...]
    source: str
    package: str

    @property
    def answer(self) -> str:
        """The words at the first place, or "" where there is none."""
        return self.context[slice(*self.places[0])] if self.places else ""


def facts(corpus: Corpus | Iterable[Document], words: range = range(20, 60)) -> list[Fact]:
    """The facts of every object whose parameters and exceptions take so many words to list.

    A parameter whose entry mentions no default, in whatever words, gives a fact without a place.
    """
    found: list[Fact] = []
    objects: dict[str, dict[str, Document]] = {}
    for document in corpus:
        if document.section in ("parameters", "raises"):
            objects.setdefault(document.name, {})[document.section] = document
    for name, sections in objects.items():
        parameters, raises = (
            sections[section].entries if section in sections else ()
            for section in ("parameters", "raises")
        )
        context, starts = listing(parameters, raises)
        if not parameters or len(context.split()) not in words:
            continue
        package = next(iter(sections.values())).package
        for kind, about, places in [
            *of_parameters(parameters, starts),
            *of_exceptions(raises, starts[len(parameters) :]),
        ]:
            found.append(Fact(kind, about, context, places, name, package))
    return found


def listing(parameters: Iterable[Entry], raises: Iterable[Entry]) -> tuple[str, list[int]]:
    """One line per entry, and where each line begins. Exceptions come last: "Raises KeyError: ..."

    Exceptions are written alike, however the docstring laid them out.
    """
    lines = [str(entry) for entry in parameters]
    lines += [f"Raises {exception(entry)}: {entry.text}" for entry in raises]
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    return "\n".join(lines), starts


def exception(entry: Entry) -> str:
    """The name of the exception: the styles write it in different places of the entry."""
    return entry.name or entry.type


Found = tuple[str, str, tuple[tuple[int, int], ...]]


def of_parameters(entries: Iterable[Entry], starts: Iterable[int]) -> list[Found]:
    """(kind, parameter, places) for the default and the type of each parameter."""
    found, entries = [], list(entries)
    names = [entry.name for entry in entries]
    for entry, start in zip(entries, starts, strict=False):
        if not _NAME.fullmatch(entry.name) or names.count(entry.name) > 1:
            continue
        begin = start + len(entry.name) + 2  # "name (" or "name: "
        after = begin + (len(entry.type) + 3 if entry.type else 0)
        values = {(begin + a, begin + b) for a, b in _values(_IN_TYPE, entry.type)}
        values |= {(after + a, after + b) for a, b in _values(_IN_PROSE, entry.text)}
        mentions = len(re.findall("default", f"{entry.type} {entry.text}", re.I))
        if len(values) == mentions == 1:
            found.append(("default", entry.name, tuple(values)))
        elif not mentions and entry.type and not _OTHERWISE.search(entry.text):
            found.append(("default", entry.name, ()))
        kind = _AFTER_TYPE.sub("", entry.type).rstrip(" ,;(")
        if kind and len(kind.split()) <= 8 and ". " not in kind and _balanced(kind):
            found.append(("type", entry.name, ((begin, begin + len(kind)),)))
    return found


def _values(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [match.span(match.lastgroup) for match in pattern.finditer(text)]


def _balanced(text: str) -> bool:
    return all(text.count(left) == text.count(right) for left, right in ("()", "[]", "{}"))


def of_exceptions(entries: Iterable[Entry], starts: Iterable[int]) -> list[Found]:
    """(kind, exception, places) for when each is raised; all the lines of one exception count."""
    places: dict[str, list[tuple[int, int]]] = {}
    for entry, start in zip(entries, starts, strict=True):
        name, text = exception(entry), entry.text.rstrip(". ")
        begin = start + len(f"Raises {name}: ")
        if re.fullmatch(r"[A-Z]\w+", name) and 3 <= len(text.split()) <= 25:
            if not re.match(r"with\b", text, re.I):  # what it says, not when it comes
                places.setdefault(name, []).append((begin, begin + len(text)))
    return [("raises", name, tuple(found)) for name, found in places.items()]
