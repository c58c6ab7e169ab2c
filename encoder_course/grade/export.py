"""The grades as a table: one line for each student and lab, read from the gradebook."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from encoder_course.grade.course import Course
from encoder_course.grade.files import put

COLUMNS = (
    "student", "lab", "status", "auto", "manual", "total", "max", "waiting", "needs_human",
)  # fmt: skip
MISSING = "missing"
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(course: Course, book: Any, path: Path, labs: Sequence[str], detail: bool) -> int:
    """Write the grades of `labs` as CSV, and return the number of lines below the head.

    auto + manual = total: points given by hand replace those of the grader where both are there.
    `waiting` counts cells that no human has graded yet, `needs_human` says why somebody should
    look. A student without a submission has the status "missing". detail: a column per graded cell.
    """
    lines = [line for lab in labs for line in grades(course, book, lab)]
    columns = list(COLUMNS)
    if detail:
        columns += dict.fromkeys(key for line in lines for key in line if key not in COLUMNS)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: _safe(value) for key, value in line.items()} for line in lines)
    put(path, text.getvalue().encode())
    return len(lines)


def grades(course: Course, book: Any, lab: str) -> list[dict[str, Any]]:
    """The lines of one lab; the points of each graded cell stand under "LAB/grade_id"."""
    from nbgrader.api import MissingEntry

    try:
        most = book.find_assignment(lab).max_score
    except MissingEntry:
        return []  # not released yet
    handed_in = {one.student.id: one for one in book.assignment_submissions(lab)}
    waiting_to_be_graded = set(course.students(lab)) - set(handed_in)
    students = {one.id for one in book.students} | waiting_to_be_graded
    lines = []
    for student in sorted(students):
        if student in handed_in:
            lines.append(_graded(course, student, lab, handed_in[student]))
        else:
            status = "ungraded" if student in waiting_to_be_graded else MISSING
            blank = {"student": student, "lab": lab, "status": status}
            lines.append(blank | {"auto": 0, "manual": 0, "total": 0, "max": most, "waiting": 0})
    return lines


def _graded(course: Course, student: str, lab: str, submission: Any) -> dict[str, Any]:
    result = course.results.read(student, lab)
    given = [grade for notebook in submission.notebooks for grade in notebook.grades]
    manual = sum(grade.score for grade in given if grade.manual_score is not None)
    line = {
        "student": student,
        "lab": lab,
        "status": result.status if result else "no result",
        "auto": submission.score - manual,
        "manual": manual,
        "total": submission.score,
        "max": submission.max_score,
        "waiting": sum(grade.needs_manual_grade for grade in given),
        "needs_human": "; ".join(result.needs_human if result else ["its result is missing"]),
    }
    return line | {f"{lab}/{grade.name}": grade.score for grade in given}


def _safe(value: Any) -> Any:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
