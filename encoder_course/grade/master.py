"""The master of a lab: its cells, what students get of each, and what its test cells ask for.

A test cell holds `check.MODULE.NAME.require(EXPRESSION)` calls and nothing else, so that grading
can run the expression beside the student's code and judge what it gives on the trusted side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One `require` call: which exercise, on which expression, and the seed of hidden cases.

    exercise: module and name, such as "lab03.attend". answer: the source of a Python expression.
    """

    exercise: str
    answer: str
    hidden: int | None = None


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

    def _of(self, role: str) -> dict[str, MasterCell]:
        return {cell.grade_id: cell for cell in self.cells if cell.role == role}
