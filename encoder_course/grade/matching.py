"""Find which cell of a submission is which cell of the master, whatever happened to it.

nbgrader's grade_id decides where it is there and there once. Copies, stripped metadata and answers
in another cell than the one meant for them are told apart by what the cells hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from encoder_course.grade.master import Master, MasterCell
from encoder_course.grade.notebook_json import ReadCell
from encoder_course.grade.sources import defined_names, heading, lines_of, normal, only_checks

ALIKE = 0.5  # share of lines that makes a changed cell of ours known


@dataclass
class Matching:
    """What was found: the cell `chosen` for each grade_id, in sentences where not by its mark.

    replaced: cells left as released in whose place another one was chosen.
    """

    chosen: dict[str, ReadCell] = field(default_factory=dict)
    replaced: list[ReadCell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def match(cells: Sequence[ReadCell], master: Master) -> Matching:
    """Find each marked cell of the master among the cells of a submission, where it is there."""
    search = _Search(cells, master)
    for role, find in (
        ("test", search.test),
        ("read_only", search.read_only),
        ("answer", search.answer),
        ("explain", search.explain),
    ):
        for grade_id, of in master.marked.items():
            if of.role == role and (cell := find(of)) is not None:
                search.found.chosen[grade_id] = cell
    search.say()
    return search.found


def is_written(cell: ReadCell, of: MasterCell) -> bool:
    """Whether a student has put anything in the place of the stub."""
    return cell.text not in ("", normal(of.released))


class _Search:
    """One pass over a submission; `found` grows, and what is in it is not looked at again."""

    def __init__(self, cells: Sequence[ReadCell], master: Master) -> None:
        self.cells, self.master, self.found = cells, master, Matching()
        plain = [cell for cell in master.cells if cell.role == "plain"]
        self.ours = {normal(cell.source) for cell in plain}
        self.headings = {heading(cell.source) for cell in plain} - {""}

    def test(self, of: MasterCell) -> ReadCell | None:
        """A cell with the calls of a test; one with code besides is the student's own."""
        call = f"check.{of.probes[0].exercise}.require("
        marked = [cell for cell in self._with_id(of) if only_checks(cell.source)]
        by_text = [
            cell for cell in self._free("code") if call in cell.source and only_checks(cell.source)
        ]
        return _first([*_same(marked, of), *marked, *_same(by_text, of), *by_text])

    def read_only(self, of: MasterCell) -> ReadCell | None:
        """A cell that nobody was meant to change: as released, or as much like it as there is."""
        free = self._free(of.kind)
        lines = lines_of(of.released)
        alike = [cell for cell in free if len(lines & cell.lines) > ALIKE * len(lines | cell.lines)]
        marked = self._with_id(of)
        return _first([*_same(marked, of), *marked, *_same(free, of), *alike])

    def answer(self, of: MasterCell) -> ReadCell | None:
        """The cell that defines what is asked for, the one meant for it before any other."""
        defined = defined_names(of.source)
        asked = frozenset().union(*(test.asked for test in self.master.tests.values()))
        wanted = defined & asked or defined
        marked, free = self._with_id(of), self._free("code")
        best = max(
            [*marked, *(cell for cell in free if wanted & cell.defines), *_same(free, of)],
            key=lambda cell: (
                is_written(cell, of),
                bool(wanted & cell.defines),
                cell in marked,
                cell.place,
            ),
            default=None,
        )
        return self._in_place_of_stub(of, best, marked)

    def explain(self, of: MasterCell) -> ReadCell | None:
        """The text under a question; where that was left as released, the student's text below."""
        marked = self._with_id(of)
        written = [cell for cell in marked if is_written(cell, of)]
        best = _first([*written[-1:], *marked]) or self._below(self._question(of))
        if best is None or is_written(best, of):
            return best
        near = (self._below(best), self._below(self._question(of)))
        written = [cell for cell in near if cell is not None and is_written(cell, of)]
        return self._in_place_of_stub(of, _first([*written, best]), [*marked, best])

    def say(self) -> None:
        """Note what was found in another way than by its grade_id."""
        known, chosen = self.master.marked, self.found.chosen
        by_text = [name for name, cell in chosen.items() if cell.grade_id != name]
        if by_text:
            names = ", ".join(name for name in known if name in by_text)
            self.found.notes.append(f"Known by what they hold, without their marks: {names}.")
        for cell in self.cells:
            name = cell.grade_id
            if name in chosen and cell is not chosen[name] and cell not in self.found.replaced:
                what = f"Cell {cell.place + 1} has the mark of {name}, and is not it"
                self.found.notes.append(f"{what}: it was kept as a cell of your own.")

    def _in_place_of_stub(
        self, of: MasterCell, best: ReadCell | None, marked: Iterable[ReadCell]
    ) -> ReadCell | None:
        """`best`, the stubs it stands for noted."""
        if best is not None and is_written(best, of):
            stubs = [cell for cell in marked if cell is not best and not is_written(cell, of)]
            self.found.replaced += stubs
        return best

    def _with_id(self, of: MasterCell) -> list[ReadCell]:
        return [cell for cell in self.cells if cell.grade_id == of.grade_id]

    def _free(self, kind: str) -> list[ReadCell]:
        """Cells of one kind that may be any marked cell of the master."""
        return [cell for cell in self.cells if cell.kind == kind and self._is_free(cell)]

    def _is_free(self, cell: ReadCell) -> bool:
        taken = cell in self.found.chosen.values() or cell.grade_id in self.master.marked
        return not taken and cell.text not in self.ours

    def _question(self, of: MasterCell) -> ReadCell | None:
        """The cell that stands for the one before `of` in the master."""
        before = self.master.cells[max(0, self.master.cells.index(of) - 1)]
        same = [cell for cell in self.cells if cell.text == normal(before.source)]
        title = heading(before.source)
        return _first(
            [*same, *(cell for cell in self.cells if title == heading(cell.source) != "")]
        )

    def _below(self, above: ReadCell | None) -> ReadCell | None:
        """The cell after `above`, if it is text of the student's."""
        if above is None:
            return None
        later = _first(cell for cell in self.cells if cell.place > above.place)
        own = later is not None and later.kind != "code" and self._is_free(later)
        return later if own and heading(later.source) not in self.headings else None


def _same(cells: Iterable[ReadCell], of: MasterCell) -> list[ReadCell]:
    return [cell for cell in cells if cell.text == normal(of.released)]


def _first(cells: Iterable[ReadCell | None]) -> ReadCell | None:
    return next((cell for cell in cells if cell is not None), None)
