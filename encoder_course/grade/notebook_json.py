"""Read a notebook that somebody else wrote: any bytes become plain cells, or a sentence why not.

Nothing of a file is believed: what is not of the type that the format says is left out. Formats 3
and 4 are read. No link is followed, no device waited for, nothing executed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from encoder_course.grade.sources import defined_names, lines_of, normal

MOST_BYTES = 20 * 2**20
MOST_VALUES = 3_000_000  # of JSON: what one small file may grow to in memory
MOST_CELLS = 1_000
LONGEST_SOURCE = 500_000  # characters of one cell
LONGEST_INTEGER = 9  # digits; no integer of a notebook needs more
UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")  # what neither UTF-8 nor a database can hold


class Unreadable(ValueError):
    """A submission that nothing can be made of; the text is a sentence that says why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadCell:
    """A cell as it was found.

    place: in the file, from 0. kind: "code", "markdown" or "raw". grade_id: None where it has none.
    marks: what nbgrader says of it. outputs, attachments: anything at all.
    """

    place: int
    kind: str
    source: str
    grade_id: str | None = None
    marks: Mapping[str, Any] = field(default_factory=dict)
    outputs: Any = None
    attachments: Any = None

    @cached_property
    def text(self) -> str:
        """The source, apart from blanks that make no difference."""
        return normal(self.source)

    @cached_property
    def defines(self) -> frozenset[str]:
        """The names that the source defines."""
        return defined_names(self.source)

    @cached_property
    def lines(self) -> frozenset[str]:
        """The different lines of the source."""
        return lines_of(self.source)


def read_bytes(path: Path) -> bytes:
    """The bytes of an ordinary file of at most 20 MB. Raises Unreadable for anything else."""
    if path.is_symlink():
        raise Unreadable("it is a link to another file")
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("it is no ordinary file")
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Unreadable("there is no such file") from None
    except OSError as problem:
        raise Unreadable(f"the file cannot be read: {problem.strerror}") from None
    if len(data) > MOST_BYTES:
        raise Unreadable(f"the file is larger than {MOST_BYTES // 2**20} MB")
    return data


def parse(data: bytes) -> tuple[list[ReadCell], list[str]]:
    """The cells of a notebook, and sentences on what had to be mended to read them.

    Raises Unreadable where the bytes are no notebook, or one without cells or with too many.
    """
    notes: list[str] = []
    raw = _raw_cells(_json(data, notes), notes)
    if not raw:
        raise Unreadable("the notebook is empty: it has no cells")
    if len(raw) > MOST_CELLS:
        raise Unreadable(f"the notebook has {len(raw):,} cells, and {MOST_CELLS:,} are the most")
    cells = [_cell(place, one, notes) for place, one in enumerate(raw)]
    return [cell for cell in cells if cell is not None], notes


def text_of(found: Any) -> str | None:
    """Text that the format allows as one string or as a list of them; None where it is neither."""
    if isinstance(found, list):
        found = "".join(part for part in found if isinstance(part, str))
    if not isinstance(found, str):
        return None
    return UNPRINTABLE.sub("\ufffd", found.replace("\r\n", "\n"))


def _open(path: str, flags: int) -> int:
    """Open what may have become a link since it was looked at, or a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _json(data: bytes, notes: list[str]) -> Any:
    if not data.strip(b" \t\r\n\0"):
        raise Unreadable("the file is empty")
    if sum(data.count(mark) for mark in (b"[", b"{", b",")) > MOST_VALUES:
        raise Unreadable(f"the file holds more than {MOST_VALUES:,} values: that is no notebook")
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        notes.append("The file has bytes that are not UTF-8: each was replaced by a question mark.")
    if text.lstrip()[:1] == "<":
        raise Unreadable("the file is a web page that was saved in place of the notebook")
    try:
        return json.loads(text, parse_int=_integer, parse_constant=lambda _: None)
    except RecursionError:
        raise Unreadable("the file is nested deeper than any notebook") from None
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}"
        raise Unreadable(f"the file is no notebook: it is not JSON from {where} on") from None


def _integer(digits: str) -> int | None:
    """An integer of JSON; of a long one, reading alone would take minutes."""
    return int(digits) if len(digits) <= LONGEST_INTEGER else None


def _raw_cells(found: Any, notes: list[str]) -> list[Any]:
    if isinstance(found, dict):
        if isinstance(found.get("cells"), list):
            return found["cells"]
        if isinstance(found.get("worksheets"), list):
            notes.append("The notebook is of format 3, from before 2015: it was brought to 4.")
            sheets = (one.get("cells") for one in found["worksheets"] if isinstance(one, dict))
            return [cell for cells in sheets if isinstance(cells, list) for cell in cells]
    raise Unreadable("the file is JSON, but no notebook: it has no cells")


def _cell(place: int, found: Any, notes: list[str]) -> ReadCell | None:
    if not isinstance(found, dict):
        notes.append(f"Cell {place + 1} is no cell: it was left out.")
        return None
    source = text_of(found.get("source", found.get("input")))
    if source is None:
        notes.append(f"Cell {place + 1} has no text that can be read: it was taken as empty.")
    elif len(source) > LONGEST_SOURCE:
        notes.append(f"Cell {place + 1} has {len(source):,} characters: it was left out.")
        return None
    metadata = found.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    marks = marks if isinstance(marks, dict) else {}
    grade_id = marks.get("grade_id")
    kind, source = _kind(place, found, source or "", notes)
    return ReadCell(
        place=place,
        kind=kind,
        source=source,
        grade_id=grade_id if isinstance(grade_id, str) else None,
        marks=marks,
        outputs=found.get("outputs"),
        attachments=found.get("attachments"),
    )


def _kind(place: int, found: dict[str, Any], source: str, notes: list[str]) -> tuple[str, str]:
    """What a cell is, and its text; a heading of format 3 becomes Markdown."""
    kind = found.get("cell_type")
    if kind in ("code", "markdown", "raw"):
        return kind, source
    if kind == "heading":
        level = found.get("level")
        return "markdown", f"{'#' * (level if level in range(1, 7) else 1)} {source}"
    notes.append(f"Cell {place + 1} does not say whether it is code or text: that was guessed.")
    return ("code" if "outputs" in found or "input" in found else "markdown"), source
