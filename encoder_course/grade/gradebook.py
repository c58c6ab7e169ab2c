"""nbgrader's gradebook: opened, and written by one hand at a time."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from encoder_course.grade.autograded import autograded, shown_in
from encoder_course.grade.course import Course, Refused
from encoder_course.grade.files import put
from encoder_course.grade.intake import Intake, take_in
from encoder_course.grade.master import Master
from encoder_course.grade.notebook_json import Unreadable
from encoder_course.grade.results import Result

NO_RESPONSE = "No response."  # nbgrader's own words for a cell that was left as released


@contextmanager
def open_gradebook(course: Course) -> Iterator[Any]:
    """The course's nbgrader.api.Gradebook, its tables made where they are missing.

    Raises Refused where the database cannot be reached.
    """
    with _without_grammar_of_addresses():
        from nbgrader.api import Gradebook
        from nbgrader.utils import setenv
    from sqlalchemy.exc import SAWarning, SQLAlchemyError

    # A new gradebook asks the command `alembic` for its version; it lies beside our Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        with setenv(PATH=path):
            book = Gradebook(course.database, course.name)
    except (ImportError, SQLAlchemyError) as problem:
        why = str(problem).strip().splitlines()[0]
        raise Refused(f"the gradebook {shown(course.database)} does not open: {why}") from problem
    with book, warnings.catch_warnings():
        # nbgrader builds a submission before it belongs to the session, and then adds it.
        warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
        yield book


@contextmanager
def _without_grammar_of_addresses() -> Iterator[None]:
    """Import nbgrader without a parser of web addresses that nothing here asks for.

    jsonschema makes one for its optional format "iri", in a second of CPU time, and goes without
    where the package is missing; a notebook's schema has no such format.
    """
    name = "rfc3987_syntax"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # an import of it raises ImportError
    try:
        yield
    finally:
        del sys.modules[name]


def shown(url: str) -> str:
    """A database's URL without its password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "whose URL makes no sense"


@contextmanager
def only_writer(course: Course) -> Iterator[None]:
    """Keep every other process of this machine from writing the course's results meanwhile.

    Raises Refused where another one does so already.
    """
    with (course.root / ".grading").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"somebody is grading in {course.root} already: wait for it") from None
        yield


class GradebookWriter:
    """Puts the results of one lab into the gradebook, and the notebooks that formgrader shows.

    What a human gave is never touched: manual points, extra credit, comments. A human is asked to
    look again where what the points were given for has changed.
    """

    def __init__(self, course: Course, master: Master, book: Any) -> None:
        """Raises Refused where the lab has not been released into the gradebook."""
        from nbgrader.api import MissingEntry

        self.course, self.master, self.book = course, master, book
        try:
            notebook = book.find_notebook(master.lab, master.lab)
        except MissingEntry:
            raise Refused(
                f"{master.lab} is not in the gradebook: release it first, with"
                f" `python -m encoder_course grade release {master.lab}`"
            ) from None
        self.entered = {one.student.id for one in book.assignment_submissions(master.lab)}
        points = {cell.name: cell.max_score for cell in notebook.grade_cells}
        cells = [*notebook.grade_cells, *notebook.solution_cells]
        self.names = {cell.id: cell.name for cell in cells}
        if points != self._points():
            raise Refused(
                f"the master of {master.lab} has changed since it was released: release it again"
            )

    def write(self, result: Result, intake: Intake | None = None) -> bool:
        """Enter a result; False where the gradebook has it already.

        intake: what was graded, where it is at hand; otherwise the submission is read again.
        The notebook is written last: it is the mark that all of this result has been entered.
        """
        path = self.course.autograded(result.student, result.lab)
        shows, words = shown_in(path)
        if result.student in self.entered and shows == result.sha256:
            return False
        intake = intake or self._taken_in(result)
        self._enter(result, words, intake.words if intake else {})
        notebook = autograded(intake, self.master, result)
        text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False)
        put(path, f"{text}\n".encode())
        self.entered.add(result.student)
        return True

    def _taken_in(self, result: Result) -> Intake | None:
        try:
            return take_in(self.course.submission(result.student, result.lab), self.master)
        except Unreadable:
            return None

    def _points(self) -> dict[str, float | int]:
        graded = [*self.master.tests.values(), *self.master.explains.values()]
        return {cell.grade_id: cell.points for cell in graded}

    def _enter(self, result: Result, before: dict[str, str], now: dict[str, str]) -> None:
        """Enter scores and comments; `before` and `now` are the texts of the explain cells."""
        lab, student = result.lab, result.student
        self.book.update_or_create_student(student)
        submission = self.book.update_or_create_submission(lab, student, **self._when(student))
        notebook = next(one for one in submission.notebooks if one.name == lab)
        earned = {one.grade_id: one.points for one in result.exercises}
        silent = self._silent(now) if result.status != "unreadable" else set()
        for grade in notebook.grades:
            name = self.names[grade.cell_id]
            if name in self.master.explains:
                score = 0 if name in silent else None
                changed = before.get(name) != now.get(name)
            else:
                score = earned.get(name, 0)
                changed = grade.auto_score != score
            if grade.manual_score is None:
                grade.needs_manual_grade = score is None
            elif changed:
                grade.needs_manual_grade = True
            grade.auto_score = score
        for comment in notebook.comments:
            is_silent = self.names[comment.cell_id] in silent
            comment.auto_comment = NO_RESPONSE if is_silent else None
        notebook.flagged = bool(notebook.flagged or result.needs_human)
        self.book.db.commit()

    def _silent(self, words: dict[str, str]) -> set[str]:
        """The explain cells that are empty, or as released."""
        explains = self.master.explains.items()
        left = ((name, words.get(name, "").strip(), cell.released) for name, cell in explains)
        return {name for name, text, released in left if text in ("", released.strip())}

    def _when(self, student: str) -> dict[str, Any]:
        """When a student submitted, where nbgrader's exchange noted it."""
        from nbgrader.utils import parse_utc

        try:
            when = self.course.timestamp(student, self.master.lab)
            return {"timestamp": parse_utc(when)} if when else {}
        except (ValueError, OverflowError):  # the student's side wrote it
            return {}
