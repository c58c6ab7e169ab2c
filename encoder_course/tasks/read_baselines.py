"""Readers that know no encoder: the line that shares words with the question, and a rule."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from encoder_course.tasks.metrics import Report
from encoder_course.tasks.span_metrics import SILENT, Extract, report

_WORD = re.compile(r"\w+")


class Reader:
    """What answers questions without having been trained; `evaluate` is that of `Answerer`."""

    def answer(self, question: str, context: str) -> Extract:
        """The answer to one question."""
        raise NotImplementedError

    def predict(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Extract]:
        """The answer to each question in its context."""
        return [self.answer(q, c) for q, c in zip(questions, contexts, strict=True)]

    def evaluate(self, examples: Sequence[Any], *, resamples: int = 1000, seed: int = 0) -> Report:
        """Exact match, F1, and how often it is right that there is an answer; with intervals."""
        found = self.predict([e.question for e in examples], [e.context for e in examples])
        return report(examples, found, type(self).__name__, resamples=resamples, seed=seed)


class SilentReader(Reader):
    """Never answers: right wherever the text does not say."""

    def answer(self, question: str, context: str) -> Extract:
        return SILENT


class OverlapReader(Reader):
    """The words that follow the question's words: a window beside what both share.

    Each word weighs the more, the fewer words of `contexts` it is. Of all spans of one to `longest`
    words in the context that share no word with the question, the one whose neighbours (`reach`
    words on each side, nearer ones weigh more) share most with it; the shorter wins. No shared
    word: no answer. After the sliding window of Richardson et al., 2013.
    """

    def __init__(self, contexts: Sequence[str], longest: int = 3, reach: int = 8) -> None:
        counts = Counter(word for text in contexts for word in set(_words(text)))
        self.weight = {w: math.log((len(contexts) + 1) / (n + 1)) for w, n in counts.items()}
        self.rarest = math.log(len(contexts) + 1)
        self.longest, self.reach = longest, reach

    def answer(self, question: str, context: str) -> Extract:
        asked = set(_words(question))
        found = list(_WORD.finditer(context))
        shared = [m.group().lower() in asked for m in found]
        worth = [
            self.weight.get(m.group().lower(), self.rarest) if s else 0.0
            for m, s in zip(found, shared, strict=True)
        ]
        best, place = 0.0, None
        for first in range(len(found)):
            for last in range(first, min(first + self.longest, len(found))):
                if shared[last]:
                    break
                score = sum(
                    (worth[first - d] if first >= d else 0.0) / d
                    + (worth[last + d] if last + d < len(found) else 0.0) / d
                    for d in range(1, self.reach + 1)
                )
                if score > best:
                    best, place = score, (found[first].start(), found[last].end())
        return Extract(*place, context[slice(*place)], best) if place else SILENT


class RuleReader(Reader):
    """Regular expressions written by one who has seen how the docstrings are laid out.

    The question's words say what is asked (`KINDS`); the line that begins with the longest word of
    the question says where. It knows the layouts `name (type, default=1): text` and `Raises
    KeyError: text`, and is silent where either fails.
    """

    KINDS = (
        ("raises", re.compile(r"rais|fail|when do|occur|leads to|\bwhen\?", re.I)),
        ("default", re.compile(r"default|unless|left out", re.I)),
        ("type", re.compile(r"\btype|kind of value|pass as|string", re.I)),
    )
    DEFAULT = re.compile(r"defaults?(?: to| is|:)?[ =]*([^\s,;)]+)", re.I)

    def answer(self, question: str, context: str) -> Extract:
        kind = next((name for name, ask in self.KINDS if ask.search(question)), None)
        asked = sorted(_WORD.findall(question), key=len, reverse=True)
        for word in asked:
            head = rf"^Raises {word}: " if kind == "raises" else rf"^{word}(?=[ :])"
            line = re.search(rf"{head}(.*)$", context, re.M)
            if kind and line:
                return self.read(kind, context, line.start(1), line.end())
        return SILENT

    def read(self, kind: str, context: str, start: int, end: int) -> Extract:
        """The fact of this kind in the rest of a line."""
        line = context[start:end]
        if kind == "raises":
            return _extract(context, start, start + len(line.rstrip(". ")))
        if kind == "default":
            found = self.DEFAULT.search(line)
            if not found:
                return SILENT
            stop = start + found.start(1) + len(found[1].rstrip("."))
            return _extract(context, start + found.start(1), stop)
        found = re.match(r" \(([^,()]*(?:\([^()]*\))?)", line)
        return _extract(context, start + found.start(1), start + found.end(1)) if found else SILENT


def _extract(context: str, start: int, end: int) -> Extract:
    return Extract(start, end, context[start:end], 1.0) if start < end else SILENT


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
