"""The master of a lab: its cells, what students get of each, and what its test cells ask for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from encoder_course.grade.notebook_json import ReadCell, parse, read_bytes
from encoder_course.grade.probes import Probe, read_probes
from encoder_course.grade.regions import released

ROLES = {  # by nbgrader's grade, solution and locked
    (True, False, True): "test",
    (True, True, False): "explain",
    (False, True, False): "answer",
    (False, False, True): "read_only",
    (False, False, False): "plain",
}


@dataclass(frozen=True, kw_only=True)
class MasterCell:
    """A cell of the master.

    kind: "code" or "markdown". role: "plain", "answer", "test", "explain" or "read_only"; each but
    the first has a grade_id. points: of a test or an explain cell, otherwise 0.
    source: with solution and hidden tests. released: as students get it. probes: of a test cell.
    """

    kind: str
    role: str
    grade_id: str | None
    points: float | int
    source: str
    released: str
    probes: tuple[Probe, ...] = ()

    @cached_property
    def asked(self) -> frozenset[str]:
        """The names of the notebook that a test cell asks for."""
        return frozenset().union(*(probe.names for probe in self.probes))

    @cached_property
    def nbgrader(self) -> dict[str, Any]:
        """How nbgrader marks this cell; {} for a plain one."""
        if self.role == "plain":
            return {}
        grade, solution, locked = next(flags for flags, role in ROLES.items() if role == self.role)
        marks = {
            "cell_type": self.kind,
            "grade": grade,
            "grade_id": self.grade_id,
            "locked": locked,
            "schema_version": 3,
            "solution": solution,
            "task": False,
        }
        return marks | ({"points": self.points} if grade else {})


@dataclass(frozen=True, kw_only=True)
class Master:
    """The master notebook of a lab. sha256: of the file."""

    lab: str
    path: Path
    sha256: str
    cells: tuple[MasterCell, ...]

    @property
    def points(self) -> float | int:
        """What the lab gives in all, by tests and by hand."""
        return sum(cell.points for cell in self.cells)

    @cached_property
    def tests(self) -> dict[str, MasterCell]:
        """The test cells by their grade_id."""
        return self._of("test")

    @cached_property
    def explains(self) -> dict[str, MasterCell]:
        """The cells that a human gives points for, by their grade_id."""
        return self._of("explain")

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What all test cells ask for."""
        return tuple(probe for cell in self.tests.values() for probe in cell.probes)

    @cached_property
    def marked(self) -> dict[str, MasterCell]:
        """Every cell that is not plain by its grade_id, in order."""
        return {cell.grade_id: cell for cell in self.cells if cell.role != "plain"}

    def _of(self, role: str) -> dict[str, MasterCell]:
        return {name: cell for name, cell in self.marked.items() if cell.role == role}


def read_master(path: Path) -> Master:
    """Read a lab's master notebook; the lab has the file's name.

    Raises ValueError, which names the cell, where it could not be graded: a test cell that holds
    anything but `require` calls, an exercise that does not exist, a seed that students would see, a
    grade_id that is missing or double, points that are not positive.
    """
    data = read_bytes(path)
    found, notes = parse(data)
    if notes:
        raise ValueError(f"{path.name}: {notes[0]}")
    cells = []
    for cell in found:
        name = f"{path.name}, cell {cell.place + 1}"
        try:
            cells.append(_master_cell(cell))
        except ValueError as problem:
            raise ValueError(f"{name} ({cell.grade_id or cell.kind}): {problem}") from None
    ids = [cell.grade_id for cell in cells if cell.grade_id]
    if double := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"{path.name}: there are two cells with the grade_id {double[0]}")
    sha256 = hashlib.sha256(data).hexdigest()
    master = Master(lab=path.stem, path=path, sha256=sha256, cells=tuple(cells))
    if not master.tests and not master.explains:
        raise ValueError(f"{path.name}: no cell gives points")
    return master


def _master_cell(cell: ReadCell) -> MasterCell:
    role, grade_id = _role(cell), cell.grade_id
    if role == "plain":
        grade_id = None
    elif not grade_id:
        raise ValueError("it has no grade_id")
    points = cell.marks.get("points") if role in ("test", "explain") else 0
    if role in ("test", "explain") and not _is_positive(points):
        raise ValueError(f"it gives {points!r} points: a positive number")
    shown = released(cell.source, cell.kind, role)
    probes = read_probes(cell.source) if role == "test" else ()
    if role == "test" and any(probe.hidden is not None for probe in read_probes(shown)):
        raise ValueError("the seed of its hidden cases stands outside of BEGIN/END HIDDEN TESTS")
    return MasterCell(
        kind=cell.kind,
        role=role,
        grade_id=grade_id,
        points=points,
        source=cell.source,
        released=shown,
        probes=probes,
    )


def _role(cell: ReadCell) -> str:
    marks = cell.marks
    role = ROLES.get(tuple(marks.get(key) is True for key in ("grade", "solution", "locked")))
    wanted = {"test": ("code",), "answer": ("code",), "explain": ("markdown",)}
    if role is None or marks.get("task") or cell.kind not in wanted.get(role, (cell.kind,)):
        raise ValueError(f"nbgrader's marks make no sense here: {cell.kind}, {dict(marks)}")
    return role


def _is_positive(points: Any) -> bool:
    return type(points) in (int, float) and points > 0
