"""From a master to what students get: nbgrader's generate_assignment, through its API.

The same code makes the repository's labs/ out of solutions/, without a gradebook; there, a second
run leaves no difference.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from encoder_course.bootstrap import ROOT
from encoder_course.grade.course import Course, Refused, as_released, labs_in
from encoder_course.grade.gradebook import open_gradebook
from encoder_course.grade.master import Master, read_master

INSTRUCTORS_ONLY = ("measured_source",)  # metadata of a cell that means nothing in a release


def release(course: Course, lab: str) -> Path:
    """Make release/LAB and enter the lab's cells in the gradebook; the folder it made.

    Raises Refused with nbgrader's reason where the master is no assignment, or where it has gained
    or lost cells since submissions were graded.
    """
    checked_master(course.source(lab))
    folder = course.release(lab)
    with open_gradebook(course):
        pass  # nbgrader's converter would not find what it needs to make a new one
    _generate(course.settings.copy(), course.root / "source", folder)
    return folder


def release_repository(labs: list[str], repository: Path = ROOT) -> list[Path]:
    """Make labs/LAB of the repository, for all its labs or for those named; the folders it made.

    Raises Refused where the repository has no such lab, or nbgrader refuses it.
    """
    from traitlets.config import Config

    known = labs_in(repository / "solutions")
    if unknown := sorted(set(labs) - set(known)):
        raise Refused(f"there is no lab {unknown[0]!r} in solutions/: it has {', '.join(known)}")
    made = []
    for lab in labs or known:
        checked_master(repository / "solutions" / lab / f"{lab}.ipynb")
        config = Config()
        as_released(config)
        config.CourseDirectory.root = str(repository)
        config.GenerateAssignment.no_database = True
        config.SaveCells.enabled = False
        made.append(repository / "labs" / lab)
        _generate(config, repository / "solutions", made[-1])
    return made


def checked_master(path: Path) -> Master:
    """Read a master. Raises Refused where it cannot be graded with."""
    try:
        return read_master(path)
    except ValueError as problem:
        raise Refused(f"{path} cannot be graded with: {problem}") from problem


def _generate(config: Any, masters: Path, folder: Path) -> None:
    """Make `folder` out of the lab of its name in `masters`; what was there stays on failure."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory

    with tempfile.TemporaryDirectory() as scratch, errors_logged() as lines:
        config.CourseDirectory.source_directory = str(masters)
        config.CourseDirectory.release_directory = scratch
        directory = CourseDirectory(config=config, assignment_id=folder.name)
        try:
            GenerateAssignment(coursedir=directory, config=config).start()
        except Exception as problem:
            why = reason(problem, lines)
            raise Refused(f"nbgrader cannot release {folder.name}: {why}") from problem
        made = Path(scratch) / folder.name
        for path in made.rglob("*.ipynb"):
            _normalise(path)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)


def _normalise(path: Path) -> None:
    """Leave out of a release what is of no use to students, and end it with a line end."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for key in INSTRUCTORS_ONLY:
            cell.metadata.pop(key, None)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def errors_logged() -> Iterator[list[str]]:
    """Collect what nbgrader logs as an error; its exceptions only say to look there."""
    from traitlets.log import get_logger

    lines: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = get_logger()
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def reason(problem: Exception, lines: list[str]) -> str:
    """The one line that says why: the exception of a logged traceback, or the first error."""
    for line in lines:
        if line.startswith("Traceback"):
            return next(text for text in line.splitlines()[1:] if text[:1].strip())
    return (lines or [str(problem)])[0].splitlines()[0]
