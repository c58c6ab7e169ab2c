"""Turn reStructuredText, Markdown and their mixtures into plain prose, with code kept apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from encoder_course.data.markup import BULLET, inline
from encoder_course.data.sections import dedent, indent

_KEPT_DIRECTIVES = frozenset(
    "note warning warnings tip important caution danger attention hint admonition topic tab "
    "container notes".split()
)
_CODE_DIRECTIVES = frozenset(
    "code code-block sourcecode testcode testsetup ipython parsed-literal doctest prompt plot "
    "jupyter-execute console".split()
)
_DIRECTIVE = re.compile(r"^\s*\.\.(?:\s+(?:([\w:+-]+?)::)?\s*(.*))?$")
_FENCE = re.compile(r"^\s*(```|~~~(?!~))")
_TABLE_BORDER = re.compile(
    r"^\s*(?:[=~-]{2,}(?:\s+[=~-]{2,})+|\+[-=+]{3,}|\|?[\s:|-]*-{2,}[\s:|-]*\|[\s:|-]*)\s*$"
)
_CALL = re.compile(r"^[\w.]+\([^)]*\)(?:\s*->\s*[^.]*)?$")
_NOT_PROSE = re.compile(
    r"copyright|all rights reserved|permission is hereby|licensed? under|(?:redistribut|sublicens)"
    r"|[\u2500-\u257f]|(?:\|[^|]*){4}|^>(?!>)[^.!?]*$",  # drawings, tables, headings in quotes
    re.I,
)
_HOLE = re.compile(r"%\(\w+(?::\w+)?\)[sdr]|(?<![\w{'\"])\{[a-zA-Z_]\w*\}(?!\})")
_CODE_LINE = re.compile(
    r"""\s*(?:
    [\w.\[\]]+(?:,\ [\w.]+)*\s*[-+*/]?=\s*[^=\s]         # an assignment
    | (?:if|for|while|with|class|def|async|try|else|elif|except)\b.*:(?:\s*\#.*|\s+\w+)?$
    | from\ [\w.]+\ import\b | import\ [\w.]+$ | return\ [\w.]+(?:\(.*)?$
    | (?:pass|raise|break|continue|yield)\b | [@$%\#>(\[{'"|]
    | [\w.]+\(.*\)?[,:]?$                                  # a call
    | .*(?:::=|->|==|\(\)$|[;{}\]]$)
    )""",
    re.X,
)


@dataclass
class Cleaned:
    """What cleaning gives: paragraphs of prose, and the code that stood between them."""

    paragraphs: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    doctest: list[str] = field(default_factory=list)

    def absorb(self, other: Cleaned) -> None:
        """Append what another piece of the same text gave."""
        self.paragraphs += other.paragraphs
        self.code += other.code
        self.doctest += other.doctest


def clean(lines: list[str]) -> Cleaned:
    """Separate prose from code, directives and tables, and clean each paragraph of prose."""
    found, lines, index = Cleaned(), dedent(lines), 0
    while index < len(lines):
        line = lines[index]
        if not line.strip():
            index += 1
        elif line.lstrip().startswith(">>>"):
            end = _until(lines, index, lambda later: not later.strip() or bool(_FENCE.match(later)))
            found.doctest.append("\n".join(dedent(lines[index:end])))
            index = end
        elif _FENCE.match(line):
            end = _until(lines, index + 1, lambda later: bool(_FENCE.match(later)))
            _keep_code(found, lines[index + 1 : end])
            index = end + 1
        elif match := _DIRECTIVE.match(line):
            end = _body_end(lines, index)
            _directive(found, match, lines[index + 1 : end])
            index = end
        else:
            index = _paragraph(found, lines, index)
    return found


def _until(lines: list[str], start: int, stop) -> int:
    return next((i for i in range(start, len(lines)) if stop(lines[i])), len(lines))


def _body_end(lines: list[str], index: int) -> int:
    """Where the block that is indented deeper than this line ends."""
    margin = indent(lines[index])
    return _until(lines, index + 1, lambda line: bool(line.strip()) and indent(line) <= margin)


def _keep_code(found: Cleaned, lines: list[str]) -> None:
    code = "\n".join(dedent(lines)).strip("\n")
    if code:
        (found.doctest if code.lstrip().startswith(">>>") else found.code).append(code)


def _directive(found: Cleaned, match: re.Match[str], body: list[str]) -> None:
    """Notes and warnings are prose, code blocks are code; versions, figures and the rest go."""
    name, argument = (match[1] or "").lower(), match[2] or ""
    body = [line for line in body if not re.match(r"^\s+:[\w-]+:", line)]
    if name in _CODE_DIRECTIVES:
        _keep_code(found, body)
    elif name in _KEPT_DIRECTIVES:
        lead = argument.strip() if name not in ("admonition", "topic", "tab", "container") else ""
        found.absorb(clean([lead, *dedent(body)] if lead else body))


def _paragraph(found: Cleaned, lines: list[str], index: int) -> int:
    """Read one paragraph or list item and the literal block it announces; give the next index."""
    end = index + 1
    while end < len(lines) and not _starts_block(lines[end], lines[end - 1]):
        end += 1
    paragraph = lines[index:end]
    text = " ".join(line.strip() for line in paragraph)
    if text.endswith("::"):
        stop = max(end, _literal_end(lines, index, end))
        _keep_code(found, lines[end:stop])
        text, end = text[:-1] if len(text) > 2 else "", stop
    elif indent(lines[index]) > 0 and not BULLET.match(lines[index]) and _is_code(paragraph):
        _keep_code(found, paragraph)
        return end
    if _CALL.match(text):
        found.code.append(text)
        return end
    if any(_TABLE_BORDER.match(line) for line in paragraph) or _NOT_PROSE.search(text):
        return end
    text = inline(text)
    if " " in text and is_prose(text) and not has_hole(text):
        found.paragraphs.append(text)
    return end


def _starts_block(line: str, before: str) -> bool:
    """Does a paragraph end before this line? After a colon, deeper lines stand for themselves."""
    stripped = line.lstrip()
    return (
        not stripped
        or stripped.startswith((">>>", ".. ", "```", "~~~"))
        or bool(BULLET.match(line))
        or (before.endswith(":") and indent(line) > indent(before))
    )


def _literal_end(lines: list[str], start: int, end: int) -> int:
    margin = indent(lines[start])
    return _until(lines, end, lambda line: bool(line.strip()) and indent(line) <= margin)


def _is_code(lines: list[str]) -> bool:
    return 2 * sum(bool(_CODE_LINE.match(line)) for line in lines) >= len(lines)


def has_hole(text: str) -> bool:
    """Does the text wait for a value that only running the code would fill in?"""
    return bool(_HOLE.search(text))


def is_prose(text: str) -> bool:
    """Mostly letters, in words: no rulers, no tables, no rows of numbers."""
    letters = sum(map(str.isalpha, text)) + text.count(" ")
    return letters >= 0.7 * len(text) and any(len(word) > 1 for word in text.split())
