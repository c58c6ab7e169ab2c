"""Split a docstring into sections, whichever way it marks them: numpydoc, Google, Sphinx, headings.

The numpydoc and Google styles are described at numpydoc.readthedocs.io and in Google's Python style
guide. A docstring may mix them, so each line is asked what it starts.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

LEAD = "description"  # text under no heading; its first paragraph is the summary

_TITLES = {
    "parameters": "parameters args arguments params parameter",
    "returns": "returns return yields yield receives",
    "raises": "raises raise exceptions warns throws",
    "notes": "notes note implementation_notes remarks remark details algorithm",
    "examples": "examples example usage sample_usage example_usage quick_examples",
    "see also": "see_also seealso",
    "attributes": "attributes attribute properties class_attributes",
    "methods": "methods main_methods",
    "warnings": "warnings warning caution important",
    "shape": "shape shapes",
    "references": "references reference bibliography authors author license copyright todo",
}
SECTION_OF_TITLE = {
    title.replace("_", " "): section
    for section, titles in _TITLES.items()
    for title in titles.split()
} | {
    "other parameters": "parameters",
    "keyword args": "parameters",
    "keyword arguments": "parameters",
    "optional arguments": "parameters",
    "required arguments": "parameters",
    "optional parameters": "parameters",
    "additional parameters": "parameters",
    "inputs": "parameters",
    "outputs": "returns",
}
LISTING = frozenset({"parameters", "returns", "raises", "see also", "attributes", "methods"})

_UNDERLINE = re.compile(r"^\s*([-=~*^\"+#_])\1{2,}\s*$")
_GOOGLE = re.compile(r"^(\s*)\*{0,2}([A-Z][A-Za-z]+(?: [A-Za-z]+)?)\*{0,2}(::?)\s*$")
_MARKDOWN = re.compile(r"^(#{1,4})\s+([A-Z].*)$")
_FIELD = re.compile(r"^[:@](\w+)(?:\s+([^:]*?))?\s*:(?:\s+(.*))?$")
_FENCE = re.compile(r"^\s*(```|~~~(?!~))")
_BARE_ENTRY = re.compile(r"^\w+\s+\(.*`.+\)\s*:")  # Hugging Face omits the heading at times
_FIELDS = {
    **dict.fromkeys(("param", "parameter", "arg", "argument", "keyword", "kwarg"), "parameters"),
    **dict.fromkeys(("return", "returns", "yield", "yields"), "returns"),
    **dict.fromkeys(("raise", "raises", "except", "exception"), "raises"),
    **dict.fromkeys(("ivar", "cvar", "var"), "attributes"),
    # Types that stand alone, and who wrote it: not kept.
    **dict.fromkeys(("type", "rtype", "vartype", "meta"), "references"),
    **dict.fromkeys(("copyright", "license", "author", "contact", "organization"), "references"),
}


@dataclass
class Section:
    """The lines under one kind of heading; `style` says how entries are written there."""

    style: str = ""  # "numpydoc", "google", or "" for prose
    pieces: list[list[str]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """All the lines, a blank one after each piece; pieces may be indented differently."""
        return [line for piece in self.pieces for line in (*dedent(piece), "")]


def indent(line: str) -> int:
    """How many spaces a line starts with."""
    return len(line) - len(line.lstrip())


def dedent(lines: list[str]) -> list[str]:
    """The lines with the indentation that all the full ones share taken away."""
    margin = min((indent(line) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]


def split_sections(docstring: str) -> dict[str, Section]:
    """Sections by canonical name in order of appearance; pieces under one name are joined.

    Headings that are not among the usual ones go, and their text belongs to the description.
    """
    lines = inspect.cleandoc(docstring).splitlines()
    sections: dict[str, Section] = {}
    current = _open(sections, LEAD, "")
    google_indent: int | None = None  # of the heading whose body must be indented deeper
    index, fenced = 0, False
    while index < len(lines):
        line = lines[index]
        index += 1
        if _FENCE.match(line):
            fenced = not fenced
        if fenced or not line.strip() or line.lstrip().startswith(">>>"):
            current.pieces[-1].append(line)
            continue
        if google_indent is not None and indent(line) <= google_indent:
            current, google_indent = _open(sections, LEAD, ""), None
        if _UNDERLINE.match(line):
            continue
        if _is_title(lines, index - 1):
            section = SECTION_OF_TITLE.get(_normal(line), LEAD)
            current, google_indent = _open(sections, section, "numpydoc"), None
        elif (match := _MARKDOWN.match(line)) and not line.endswith((";", ")")):
            current = _open(sections, SECTION_OF_TITLE.get(_normal(match[2]), LEAD), "google")
        elif (match := _GOOGLE.match(line)) and _normal(match[2]) in SECTION_OF_TITLE:
            if google_indent is not None and indent(line) > google_indent:
                current.pieces[-1].append(line)
                continue
            current = _open(sections, SECTION_OF_TITLE[_normal(match[2])], "google")
            following = next((later for later in lines[index:] if later.strip()), "")
            google_indent = indent(line) if indent(following) > indent(line) else None
            if match[3] == "::":
                current.pieces[-1].append("::")
        elif current is sections[LEAD] and _BARE_ENTRY.match(line):
            current, google_indent = _open(sections, "parameters", "google"), None
            current.pieces[-1].append(line)
        elif (match := _FIELD.match(line)) and match[1] in _FIELDS:
            current, google_indent = _open(sections, _FIELDS[match[1]], "google"), 0
            current.pieces[-1].append(_field_line(match))
        else:
            current.pieces[-1].append(line)
    return sections


def _open(sections: dict[str, Section], name: str, style: str) -> Section:
    """The section of that name, with a new piece that takes the lines to come."""
    section = sections.setdefault(name, Section(style if name in LISTING else ""))
    section.pieces.append([])
    return section


def _is_title(lines: list[str], index: int) -> bool:
    """Is this line underlined? A blank line, the start, or an overline must stand above it."""
    line = lines[index]
    if index + 1 >= len(lines) or not _UNDERLINE.match(lines[index + 1]):
        return False
    before = lines[index - 1] if index else ""
    return (
        indent(line) == indent(lines[index + 1])
        and len(line.split()) <= 10
        and (
            not before.strip()
            or bool(_UNDERLINE.match(before))
            or _normal(line) in SECTION_OF_TITLE
        )
    )


def _normal(title: str) -> str:
    return title.strip().strip("#*:").strip().lower()


def _field_line(match: re.Match[str]) -> str:
    """A Sphinx field written as Google's style would: `:param int x: size` -> `x (int): size`."""
    *kind, name = (match[2] or "").split() or [""]
    text = match[3] or ""
    if match[1].startswith(("return", "yield")):
        return text
    return f"{name} ({' '.join(kind)}): {text}" if kind else f"{name}: {text}"
