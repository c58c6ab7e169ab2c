"""The course directory: where an instructor keeps masters, submissions, gradebook and feedback.

It is nbgrader's own layout and configuration, so formgrader and every nbgrader command work in it;
it holds seeds of hidden cases, solutions and grades, so only its owner can read it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from encoder_course.bootstrap import ROOT
from encoder_course.grade.regions import CODE_STUB, TEXT_STUB
from encoder_course.grade.results import Results

SETTINGS = "nbgrader_config.py"
GRADEBOOK = "ENCODER_COURSE_GRADEBOOK"  # the environment's word on where the gradebook is
LAB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
HIDDEN_SEED = re.compile(r"(\bhidden\s*=\s*)\d+")
PRIVATE = 0o700

SETTINGS_TEXT = '''\
"""nbgrader's settings for this course, read by formgrader and by every `nbgrader` command."""

from encoder_course.grade.course import configure

c = get_config()  # noqa: F821
configure(c, __file__, database={database!r})
# Settings of your own may follow here; they win over the course's.
'''


class Refused(ValueError):
    """Something that was asked for and cannot be done; the text says why, in a sentence."""


def configure(config: Any, file: str, database: str = "") -> None:
    """Put the course's settings into nbgrader's `config`; `file` lies in the course directory.

    database: a URL as SQLAlchemy reads it, such as postgresql+psycopg://teacher@host/course; by
        default an SQLite file in the course directory. ENCODER_COURSE_GRADEBOOK wins over both.
    """
    root = Path(file).resolve().parent
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = re.sub(r"[^A-Za-z0-9_-]", "-", root.name) or "course"
    config.CourseDirectory.db_url = (
        os.environ.get(GRADEBOOK) or database or f"sqlite:///{root / 'gradebook.db'}"
    )
    as_released(config)
    # A submission is somebody else's text: no page that shows one may run it.
    config.HTMLExporter.filters = {"markdown2html": "encoder_course.grade.markup.safe_html"}
    config.Autograde.sanitize_preprocessors = ["encoder_course.grade.grading.autograde"]
    config.Autograde.autograde_preprocessors = []
    config.FormgradeExtension.debug = False  # it would print the database's password


def as_released(config: Any) -> None:
    """Set what nbgrader leaves in place of a solution."""
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB


@dataclass(frozen=True)
class Course:
    """A course directory that exists; `Course.find` makes sure of that."""

    root: Path

    @classmethod
    def find(cls, folder: Path) -> Course:
        """The course in `folder`. Raises Refused where there is none."""
        if not (folder / SETTINGS).is_file():
            raise Refused(
                f"{folder} is no course directory: it has no {SETTINGS};"
                " `python -m encoder_course grade init DIR` makes one"
            )
        return cls(folder.resolve())

    @cached_property
    def settings(self) -> Any:
        """nbgrader's configuration, as the settings file of the course gives it."""
        from traitlets.config import PyFileConfigLoader

        return PyFileConfigLoader(SETTINGS, path=str(self.root)).load_config()

    @property
    def database(self) -> str:
        """The URL of the gradebook."""
        return self.settings.CourseDirectory.db_url

    @property
    def name(self) -> str:
        """What nbgrader calls this course."""
        return self.settings.CourseDirectory.course_id

    @property
    def results(self) -> Results:
        """What became of each submission."""
        return Results(self.root / "results")

    def source(self, lab: str) -> Path:
        """The master notebook. Raises Refused where the name is odd or the course has no such lab.

        Everything that takes a lab's name from outside asks here first.
        """
        path = self.root / "source" / lab / f"{lab}.ipynb"
        if not LAB.fullmatch(lab) or not path.is_file():
            known = ", ".join(self.labs()) or "none"
            raise Refused(f"there is no lab {lab!r} in {self.root / 'source'}: it has {known}")
        return path

    def labs(self) -> list[str]:
        """The labs of the course, in order."""
        return labs_in(self.root / "source")

    def release(self, lab: str) -> Path:
        """The folder of what students get."""
        return self.root / "release" / lab

    def submitted(self, student: str, lab: str) -> Path:
        """The folder of what one student handed in."""
        return self.root / "submitted" / student / lab

    def submission(self, student: str, lab: str) -> Path:
        """The notebook handed in: LAB.ipynb, or the only one there; it may not exist."""
        folder = self.submitted(student, lab)
        expected = folder / f"{lab}.ipynb"
        found = sorted(folder.glob("[!.]*.ipynb"))
        return found[0] if len(found) == 1 else expected

    def timestamp(self, student: str, lab: str) -> str:
        """What nbgrader's exchange noted of the time of handing in; "" where it did not."""
        path = self.submitted(student, lab) / "timestamp.txt"
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(100).strip()

    def students(self, lab: str) -> list[str]:
        """Who has handed in this lab."""
        folders = (self.root / "submitted").glob(f"[!.]*/{lab}")
        return sorted(folder.parent.name for folder in folders if folder.is_dir())

    def autograded(self, student: str, lab: str) -> Path:
        """The notebook that formgrader shows."""
        return self.root / "autograded" / student / lab / f"{lab}.ipynb"

    def feedback(self, student: str, lab: str) -> Path:
        """The page that goes back to the student."""
        return self.root / "feedback" / student / lab / f"{lab}.html"


def labs_in(folder: Path) -> list[str]:
    """Names of the labs in `folder`, which holds LAB/LAB.ipynb."""
    found = (path.parent.name for path in folder.glob("*/*.ipynb") if path.stem == path.parent.name)
    return sorted(filter(LAB.fullmatch, found))


def init(folder: Path, database: str = "", repository: Path = ROOT) -> tuple[Course, list[str]]:
    """Make a course directory out of the repository's solutions; the course, and the labs added.

    Called on a course, it adds the labs that are new, and changes nothing else. Raises Refused
    where the folder lies in the repository, holds something else, or there are no solutions.
    """
    solutions, folder = repository / "solutions", folder.resolve()
    if folder.is_relative_to(repository.resolve()):
        raise Refused(
            f"{folder} lies in the repository: grades and hidden cases do not belong there"
        )
    if not labs_in(solutions):
        raise Refused(f"there are no labs in {solutions}")
    if not (folder / SETTINGS).exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Refused(f"{folder} is there already and is no course directory")
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        folder.chmod(PRIVATE)
        text = SETTINGS_TEXT.format(database=database)
        (folder / SETTINGS).write_text(text, encoding="utf-8")
    elif database:
        raise Refused(f"{folder} is a course already: change its database in {SETTINGS}")
    course = Course.find(folder)
    added = [lab for lab in labs_in(solutions) if lab not in course.labs()]
    for lab in added:
        copy_master(solutions / lab, course.root / "source" / lab)
    return course, added


def copy_master(solution: Path, source: Path) -> None:
    """Copy a lab's master and its files, with fresh seeds for its hidden cases."""
    import nbformat

    shutil.copytree(solution, source, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    for path in source.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade"):
                cell.source = HIDDEN_SEED.sub(
                    lambda found: f"{found[1]}{1 + secrets.randbelow(999_999)}", cell.source
                )
        nbformat.write(notebook, path)
