"""From one raw docstring to clean documents, one per section that has prose."""

from __future__ import annotations

import re
from collections import Counter

from encoder_course.data.clean import Cleaned, clean, has_hole, is_prose
from encoder_course.data.corpus import Document, Entry
from encoder_course.data.harvest import Docstring
from encoder_course.data.markup import inline
from encoder_course.data.sections import LEAD, LISTING, Section, dedent, split_sections

MINIMUM_WORDS = 4  # shorter pieces, such as "Return self.", say next to nothing

_NAME = r"\[?\*{0,2}`{0,2}[~!.]?\*{0,2}[A-Za-z_][\w.\[\]]*(?:\(\))?`{0,2}\*{0,2}\]?"
_ROLE = r"(?::[\w:]+:)?"
_NAMES = rf"(?!https?:){_ROLE}{_NAME}(?:\s*[,/]\s*{_ROLE}{_NAME}|,?\s*\.\.\.)*"
_NUMPYDOC = re.compile(rf"^({_NAMES})(?:\s*:\s*(.*))?$")
_GOOGLE = re.compile(
    rf"^(?:[-*]\s+)?({_NAMES})\s*(?:\(((?:[^()]|\([^()]*\))*)\))?\s*(?::|--)(?:\s+(.*))?$"
)
_RAISED = re.compile(r"^(?:[-*]\s+)?(\[?`?~?[\w.]+`?\]?(?:\([^)\s]*\))?)\s*:?$")
_TYPE = re.compile(r"^`[^`]+`: (?=[A-Z])")  # a property that opens with its type
_SIGNATURE = re.compile(r"^[\w.]+\(.*\)(?:\s*(?:->|=>|:)\s*[^.]*)?$")


def parse(docstring: Docstring, package: str, version: str) -> tuple[list[Document], Counter[str]]:
    """(documents, how many sections were left out by reason) of one object."""
    text = docstring.text.encode("utf-8", "ignore").decode()  # lone surrogates break tokenizers
    pieces: dict[str, tuple[Cleaned, list[Entry]]] = {}
    for name, section in split_sections(text).items():
        if name == "references":
            continue
        if name in LISTING:
            pieces[name] = _listing(name, section)
        elif name == LEAD:
            pieces |= _lead(section)
        else:
            pieces[name] = clean(section.lines), []
    documents, skipped = [], Counter()
    for section, (cleaned, entries) in pieces.items():
        prose = "\n\n".join(cleaned.paragraphs)
        listing = "\n".join(map(str, entries))
        prose = f"{prose}\n\n{listing}".strip()
        if len(prose.split()) < MINIMUM_WORDS:
            skipped["too short"] += bool(prose)
            continue
        documents.append(
            Document(
                *(package, version, docstring.name, docstring.kind, section, prose),
                *(tuple(cleaned.code), tuple(cleaned.doctest), tuple(entries)),
            )
        )
    return documents, skipped


def _lead(section: Section) -> dict[str, tuple[Cleaned, list[Entry]]]:
    """Summary and description: the first paragraph, and what follows it before any heading."""
    lines = [_TYPE.sub("", line) for line in section.lines]
    start = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
    for stop in (start + 1, end):  # a signature may stand on the first line or fill a paragraph
        first = " ".join(line.strip() for line in lines[start:stop])
        if _SIGNATURE.match(first.removesuffix(" --")) and any(map(str.strip, lines[stop:])):
            return _lead(Section("", [lines[stop:]]))
    summary, rest = clean(lines[start:end]), clean(lines[end:])
    if len(summary.paragraphs) > 1:
        rest.paragraphs[:0] = summary.paragraphs[1:]
        del summary.paragraphs[1:]
    return {"summary": (summary, []), LEAD: (rest, [])}


def _listing(name: str, section: Section) -> tuple[Cleaned, list[Entry]]:
    """Entries of a section that lists things, and the prose around them."""
    groups: list[list[str]] = []
    for line in dedent(section.lines):
        if line.strip() and not line[0].isspace() or not groups:
            groups.append([line])
        else:
            groups[-1].append(line)
    around, entries, prose = Cleaned(), [], []
    for group in groups:
        entry = _entry(name, section.style, group)
        if entry is None:
            prose += group
            continue
        names, kind, body = entry
        cleaned = clean(body)
        description = " ".join(cleaned.paragraphs)
        around.code += cleaned.code
        around.doctest += cleaned.doctest
        kind = inline(kind)
        for each in re.split(r"\s*[,/]\s*", names) if name == "see also" else [names]:
            entry = Entry(inline(each), kind, description)
            if is_prose(str(entry)) and not has_hole(str(entry)):
                entries.append(entry)
    around.absorb(clean(prose))
    return around, entries


def _entry(name: str, style: str, group: list[str]) -> tuple[str, str, list[str]] | None:
    """(names, type, lines of text) if the group of lines starts like an entry of its style."""
    head, body = group[0].rstrip(), dedent(group[1:])
    filled = any(line.strip() for line in body)
    if name == "raises" and filled and (match := _RAISED.match(head)):
        return "", match[1], body
    if style == "google":
        match = _GOOGLE.match(head)
        return (match[1], match[2] or "", [match[3] or "", *body]) if match else None
    match = _NUMPYDOC.match(head)
    if name in ("see also", "methods"):
        return (match[1], "", [match[2] or "", *body]) if match else None
    if name in ("returns", "raises") and filled and not (match and match[2]):
        return ("", head, body) if len(head.split()) <= 8 else None
    return (match[1], match[2] or "", body) if match and (filled or match[2]) else None
