"""nbgrader's gradebook: opened, and written by one hand at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from encoder_course.grade.course import Course, Refused


@contextmanager
def open_gradebook(course: Course) -> Iterator[Any]:
    """The course's nbgrader.api.Gradebook, its tables made where they are missing.

    Raises Refused where the database cannot be reached.
    """
    from nbgrader.api import Gradebook
    from nbgrader.utils import setenv
    from sqlalchemy.exc import SQLAlchemyError

    # A new gradebook asks the command `alembic` for its version; it lies beside our Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        with setenv(PATH=path):
            book = Gradebook(course.database, course.name)
    except (ImportError, SQLAlchemyError) as problem:
        why = str(problem).strip().splitlines()[0]
        raise Refused(f"the gradebook {shown(course.database)} does not open: {why}") from problem
    with book:
        yield book


def shown(url: str) -> str:
    """A database's URL without its password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "whose URL nobody can read"
