"""Take in a submission: read it without trust, mend it, and say what is to be run of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder_course.grade.flags import find_flags
from encoder_course.grade.master import Master, MasterCell, Probe
from encoder_course.grade.matching import Matching, is_written, match
from encoder_course.grade.notebook_json import ReadCell, Unreadable, parse, read_bytes
from encoder_course.grade.outputs import clean_attachments, clean_outputs
from encoder_course.grade.sources import normal, only_checks

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
MOST_SENTENCES = 40  # of repairs, and of flags
ANSWERED = ("test", "answer", "explain")  # roles that only a notebook of this lab has
OF_LAB = re.compile(r"\bcheck\.(\w{1,40})\.\w{1,60}\.require\(")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do in a run.

    kind: "code" runs `source`; "probe" asks for `probes`, those of the test cell `grade_id`.
    cell: its place in the notebook as it was handed in, from 0; -1 where grading put it in.
    """

    kind: str
    cell: int
    grade_id: str | None = None
    source: str = ""
    probes: tuple[Probe, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A submission, mended.

    notebook: format 4.5 as plain data: the student's cells in their order, test cells as released,
        missing cells put back; outputs are text and pictures only. steps: what to run, in order.
    repairs: what was mended, flags: what a human should look at, both in sentences.
    words: the text of each explain cell by its grade_id.
    """

    notebook: dict[str, Any]
    steps: tuple[Step, ...]
    repairs: tuple[str, ...]
    flags: tuple[str, ...]
    words: dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Entry:
    """A cell of the mended notebook: the student's, which cell of the master it is, or both."""

    cell: ReadCell | None = None
    of: MasterCell | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the master's text stands there, whatever the student's may be."""
        return self.cell is None or (self.of is not None and self.of.role in ("test", "read_only"))

    @property
    def kind(self) -> str:
        return self.of.kind if self.of else self.cell.kind

    @property
    def source(self) -> str:
        return self.of.released if self.is_ours else self.cell.source

    @property
    def place(self) -> int:
        return self.cell.place if self.cell else -1


def take_in(path: Path, master: Master) -> Intake:
    """Read a submission of the lab `master`. Raises Unreadable where it is no notebook of it."""
    return mend(*parse(read_bytes(path)), master)


def mend(cells: list[ReadCell], notes: list[str], master: Master) -> Intake:
    """Make an Intake of the cells of a submission; `notes` are on how they were read.

    Raises Unreadable where none of them is of the lab.
    """
    found = match(cells, master)
    if not any(master.marked[name].role in ANSWERED for name in found.chosen):
        raise Unreadable(_of_another_lab(cells, master))
    repairs = [*notes, *found.notes]
    entries = _mended(cells, master, found, repairs)
    steps = _steps(entries, master, repairs)
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "cells": [_shown(number, entry, repairs) for number, entry in enumerate(entries, 1)],
    }
    return Intake(
        notebook=notebook,
        steps=tuple(steps),
        repairs=_few(repairs),
        flags=_few(find_flags(cells, found.chosen, master)),
        words={
            entry.of.grade_id: entry.source
            for entry in entries
            if entry.of and entry.of.role == "explain"
        },
    )


def _of_another_lab(cells: list[ReadCell], master: Master) -> str:
    """Say that a notebook is not of this lab, and of which it seems to be."""
    others = Counter(name for cell in cells for name in OF_LAB.findall(cell.source))
    seems = f": it seems to be {others.most_common(1)[0][0]}" if others else ""
    return f"the notebook has no cell of {master.lab}{seems}"


def _mended(
    cells: list[ReadCell], master: Master, found: Matching, repairs: list[str]
) -> list[_Entry]:
    """The student's cells in their order, ours in place of theirs, and those that are missing."""
    names = {id(cell): name for name, cell in found.chosen.items()}
    left_out = {id(cell) for cell in found.replaced}
    entries = []
    for cell in cells:
        of = master.marked.get(names.get(id(cell)))
        if id(cell) in left_out:
            continue
        entries.append(_Entry(cell=cell, of=of))
        if of and cell.kind != of.kind:
            repairs.append(f"{of.grade_id} had become {cell.kind}: it is {of.kind} again.")
        ours = (normal(of.released), normal(of.source)) if of else ()
        if of and entries[-1].is_ours and cell.text not in ours:
            repairs.append(f"{of.grade_id} had been changed: the lab's own stands there.")
            if of.role == "read_only" and of.kind == cell.kind == "code":
                entries.append(_Entry(cell=cell))
    for grade_id, of in master.marked.items():
        if grade_id not in found.chosen:
            repairs.append(f"{grade_id} was missing: it was put back.")
            entries.insert(_place_of(of, entries, master), _Entry(of=of))
    return entries


def _place_of(missing: MasterCell, entries: list[_Entry], master: Master) -> int:
    """Where to put a cell: behind what a test asks for, or behind what comes before in the lab."""
    code = [number for number, entry in enumerate(entries) if entry.kind == "code"]
    if missing.role == "test":
        asked = missing.asked
        defining = [n for n in code if entries[n].cell and asked & entries[n].cell.defines]
        if defining:
            return defining[-1] + 1
    marked = list(master.marked.values())
    before = marked[: marked.index(missing)]
    places = [number for number, entry in enumerate(entries) if entry.of in before]
    if places:
        return places[-1] + 1
    return code[0] if code else len(entries)


def _steps(entries: list[_Entry], master: Master, repairs: list[str]) -> list[Step]:
    """What to run: all code in order but copies of tests, and stubs of what stands elsewhere."""
    steps = [step for entry in entries if (step := _step(entry, entries)) is not None]
    first = next((cell for cell in master.cells if cell.kind == "code"), None)
    if first and first.role == "read_only" and first.source.strip():
        place = next(n for n, step in enumerate(steps) if step.grade_id == first.grade_id)
        if any(step.grade_id for step in steps[:place]):
            repairs.append(f"{first.grade_id} stood below other cells of the lab: it ran first.")
        steps.insert(0, steps.pop(place))
    return steps


def _step(entry: _Entry, entries: list[_Entry]) -> Step | None:
    of, grade_id = entry.of, entry.of.grade_id if entry.of else None
    if of and of.role == "test":
        return Step(kind="probe", cell=entry.place, grade_id=grade_id, probes=of.probes)
    runs = entry.kind == "code" and entry.source.strip()
    if not runs or (entry.is_ours and of.role == "answer") or _is_idle(entry, entries):
        return None
    same = entry.cell and entry.cell.text == normal(entry.source)
    place = entry.place if same else -1
    return Step(kind="code", cell=place, grade_id=grade_id, source=entry.source)


def _is_idle(entry: _Entry, entries: list[_Entry]) -> bool:
    """Whether a cell of the student's would only repeat tests, set up again, or undo an answer."""
    others = [other for other in entries if other is not entry and other.of and other.is_ours]
    if not entry.of:
        copied = entry.cell.text in {normal(other.source) for other in others}
        return copied or (only_checks(entry.source) and ".require(" in entry.source)
    if entry.of.role != "answer" or is_written(entry.cell, entry.of):
        return False
    elsewhere = (other.cell for other in entries if other is not entry and other.cell)
    return any(entry.cell.defines & cell.defines for cell in elsewhere)


def _shown(number: int, entry: _Entry, repairs: list[str]) -> dict[str, Any]:
    """A cell as nbformat has it, with nothing of the student's but text and pictures."""
    shown: dict[str, Any] = {
        "cell_type": entry.kind,
        "id": f"cell-{number:02d}",
        "metadata": {"nbgrader": entry.of.nbgrader} if entry.of else {},
        "source": entry.source,
    }
    if entry.kind == "code":
        is_test = entry.of is not None and entry.of.role == "test"
        outputs, cut = clean_outputs(entry.cell.outputs if entry.cell and not is_test else None)
        if cut:
            repairs.append(f"The output of cell {entry.place + 1} lost its last {cut:,} letters.")
        return shown | {"execution_count": None, "outputs": outputs}
    attachments = clean_attachments(entry.cell.attachments if entry.cell else None)
    return shown | ({"attachments": attachments} if attachments else {})


def _few(sentences: list[str]) -> tuple[str, ...]:
    """The first of many sentences."""
    more = len(sentences) - MOST_SENTENCES
    return (*sentences[:MOST_SENTENCES], *([f"And {more} more."] if more > 0 else ()))
