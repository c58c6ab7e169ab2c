"""The page that goes back to each student: their work, their points, and what was said about them.

It holds no script, and asks the browser to run and load none; no hidden test is in the notebooks
that it is made from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from encoder_course.grade.course import Course, Refused
from encoder_course.grade.files import put
from encoder_course.grade.markup import safe_html

TEMPLATE = "feedback.html"
OF_EXCHANGE = ("timestamp.txt", "submission_secret.txt")
MOST_BYTES = 1000  # of each
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one graded cell brought; `points` is None while it waits for a human."""

    grade_id: str
    title: str
    points: float | int | None
    of: float | int
    message: str
    comment: Any  # HTML that is safe, or ""

    @property
    def earned(self) -> str:
        if self.points is None:
            return f"not yet graded, of {points(self.of)}"
        return f"{points(self.points)} of {points(self.of)}"

    @property
    def extent(self) -> str:
        """A word for how much of the points it is."""
        if self.points is None:
            return "waiting"
        return "full" if self.points >= self.of else "part" if self.points else "none"


def points(number: float | int) -> str:
    """3.0 as "3", 2.5 as "2.5"."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def graded(course: Course, lab: str, book: Any) -> list[Any]:
    """The gradebook's SubmittedNotebook of everybody graded, by student.

    book: the course's open gradebook. Raises Refused where nobody has been graded.
    """
    course.source(lab)
    submissions = sorted(book.assignment_submissions(lab), key=lambda one: one.student.id)
    if not submissions:
        raise Refused(f"nobody has been graded in {lab}: `grade run {lab}` comes first")
    return [one for submission in submissions for one in submission.notebooks if one.name == lab]


def write_feedback(course: Course, lab: str, submitted: Any) -> Path:
    """Write feedback/STUDENT/LAB/LAB.html for one of those `graded`, and return its path.

    Beside it goes what nbgrader's exchange, where a submission came by it, asks for before it
    hands the page back to that student alone (`nbgrader release_feedback`).
    """
    student = submitted.student.id
    path = course.feedback(student, lab)
    put(path, page(course, lab, submitted).encode())
    for name in OF_EXCHANGE:
        noted = course.submitted(student, lab) / name
        if noted.is_file() and not noted.is_symlink() and noted.stat().st_size <= MOST_BYTES:
            put(path.with_name(name), noted.read_bytes())
    return path


def page(course: Course, lab: str, submitted: Any) -> str:
    """The page that shows one student's SubmittedNotebook.

    Raises Refused where the graded notebook is missing or damaged.
    """
    import nbformat
    from pygments.formatters import HtmlFormatter

    student = submitted.student.id
    path = course.autograded(student, lab)
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        raise Refused(f"{path} cannot be read: `grade run {lab}` makes it again") from None
    result = course.results.read(student, lab)
    messages = {one.grade_id: one for one in result.exercises} if result else {}
    comments = {one.name: _html(one.comment) for one in submitted.comments if one.comment}
    rows = {
        grade.name: Row(
            grade_id=grade.name,
            title=messages[grade.name].title if grade.name in messages else _title(grade.name),
            points=None if _waits(grade) else grade.score,
            of=grade.max_score,
            message=messages[grade.name].message if grade.name in messages else "",
            comment=comments.get(grade.name, ""),
        )
        for grade in submitted.grades
    }
    parts = [_part(cell, rows, comments) for cell in notebook.cells]
    return _template().render(
        student=student,
        lab=lab,
        total=submitted.score,
        most=submitted.max_score,
        waiting=sum(row.points is None for row in rows.values()),
        rows=[part["row"] for part in parts if part["row"]],
        parts=parts,
        highlighting=HtmlFormatter().get_style_defs(".highlight"),
    )


@lru_cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    environment.filters["points"] = points
    return environment.get_template(TEMPLATE)


def _waits(grade: Any) -> bool:
    return grade.needs_manual_grade and grade.manual_score is None


def _title(grade_id: str) -> str:
    return grade_id.replace("_", " ")


def _html(text: str) -> Any:
    from markupsafe import Markup

    return Markup(safe_html(text))


def _part(cell: Any, rows: dict[str, Row], comments: dict[str, Any]) -> dict[str, Any]:
    """A cell as the template reads it."""
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    row = rows.get(grade_id)
    part = {"row": row, "comment": comments.get(grade_id, ""), "code": None, "outputs": []}
    if cell.cell_type == "markdown":
        return part | {"text": _html(cell.source)}
    # The message of a test cell stands in its row.
    return part | {"code": _code(cell.source), "outputs": [] if row else map(_output, cell.outputs)}


def _code(source: str) -> Any:
    from markupsafe import Markup
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(highlight(source, PythonLexer(), HtmlFormatter()))


def _output(output: Any) -> dict[str, str]:
    if output.output_type == "stream":
        return {"text": ANSI.sub("", output.text)}
    if output.output_type == "error":
        return {"text": f"{output.ename}: {output.evalue}"}
    for kind in ("image/png", "image/jpeg"):
        if kind in output.data:
            return {"picture": f"data:{kind};base64,{output.data[kind]}"}
    return {"text": str(output.data.get("text/plain", ""))}
