"""Take in what students handed in: out of a folder or a .zip of downloads, or nbgrader's exchange.

Each notebook is put in its place in one step, so that a kill leaves the old one or the new one.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from encoder_course.grade.course import Course, Refused
from encoder_course.grade.downloads import Download, downloads, is_clutter
from encoder_course.grade.files import put
from encoder_course.grade.gradebook import open_gradebook

LONGEST_ID = 64
LAYOUTS = (
    r"^(?P<student>[^/]+_\d+)_assignsubmission_file[^/]*/",  # Moodle's "download all"
    r"^(?P<student>[^/]+)/",
    r"^(?P<student>[^/_]+)_[^/]*$",
)


@dataclass(frozen=True)
class Collected:
    """What was taken, by student: "new", "replaced" or "unchanged"; and why a file was left."""

    taken: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def collect(course: Course, lab: str, source: Path, pattern: str | None = None) -> Collected:
    """Put the notebooks in `source`, a folder or a .zip, into submitted/STUDENT/LAB/LAB.ipynb.

    pattern: a regular expression with a group `student`, searched for in each file's path inside
        the source; by default STUDENT/any.ipynb or STUDENT_any.ipynb.
    Raises Refused where the lab, the source or the pattern will not do.
    """
    course.source(lab)
    layouts = _layouts(pattern)
    report = Collected()
    with downloads(source) as files:
        notebooks = _notebooks(files, report)
        if not notebooks:
            raise Refused(f"there is no notebook in {source}")
        shared = "" if pattern else _common_folder(notebooks)
        for student, theirs in _by_student(notebooks, layouts, shared, report).items():
            chosen = _choose(student, theirs, lab, report)
            if chosen is not None:
                try:
                    report.taken[student] = _put(course, student, lab, chosen.read())
                except Refused as problem:
                    report.left[chosen.name] = str(problem)
    return report


def collect_from_exchange(course: Course, lab: str) -> Collected:
    """Let nbgrader collect what was submitted through its exchange.

    Raises Refused where there is no exchange, where it holds a link, which nbgrader would follow,
    or where nbgrader fails.
    """
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    course.source(lab)
    api = NbGraderAPI(CourseDirectory(config=course.settings), config=course.settings)
    if not api.exchange_is_functional:
        where = api.exchange_root
        raise Refused(f"nbgrader has no exchange at {where}: name a folder or a .zip to take from")
    inbound = Path(api.exchange_root) / course.name / "inbound"
    for path in inbound.glob(f"*+{lab}+*/**/*"):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise Refused(f"{path} is a link or a device: nbgrader would copy what it leads to")
    before = {student: course.timestamp(student, lab) for student in course.students(lab)}
    with open_gradebook(course):  # nbgrader looks for a due date in it
        answer = api.collect(lab)
    if not answer["success"]:
        why = answer.get("log", answer["error"]).strip().splitlines()[-1]
        raise Refused(f"nbgrader cannot collect {lab}: {why}")
    taken = {}
    for student in course.students(lab):
        same = before.get(student) == course.timestamp(student, lab)
        taken[student] = "new" if student not in before else "unchanged" if same else "replaced"
    return Collected(taken=taken)


def student_id(name: str) -> str:
    """A name as an id that is safe in a path, an address and a glob; "" where nothing is left.

    Letters of any alphabet, digits and . _ - @ stay; blanks become "-".
    """
    text = re.sub(r"\s+", "-", unicodedata.normalize("NFKC", name).strip())
    kept = (c for c in text if c in "._-@" or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).lstrip(".-@")[:LONGEST_ID]


def _layouts(pattern: str | None) -> tuple[re.Pattern, ...]:
    try:
        layouts = tuple(re.compile(one) for one in ([pattern] if pattern else LAYOUTS))
    except re.error as problem:
        raise Refused(f"{pattern!r} is no regular expression: {problem}") from None
    if not all("student" in layout.groupindex for layout in layouts):
        raise Refused(f"{pattern!r} has no group (?P<student>...)")
    return layouts


def _notebooks(files: list[Download], report: Collected) -> list[Download]:
    """The notebooks among `files`; the others are reported, clutter is not worth a word."""
    wanted = [file for file in files if not is_clutter(file.name)]
    for file in wanted:
        if not file.name.lower().endswith(".ipynb"):
            report.left[file.name] = "it is no notebook"
    return [file for file in wanted if file.name not in report.left]


def _common_folder(files: list[Download]) -> str:
    """The one folder that holds everybody's folders, as many archives have it; "" if none does."""
    paths = [PurePosixPath(file.name).parts for file in files]
    tops = {path[0] for path in paths}
    below = {path[1] for path in paths if len(path) > 2}
    if len(tops) == 1 and len(below) > 1 and all(len(path) > 2 for path in paths):
        return f"{tops.pop()}/"
    return ""


def _by_student(
    files: list[Download], layouts: tuple[re.Pattern, ...], shared: str, report: Collected
) -> dict[str, list[Download]]:
    """Files by the id of their student, those left out where nobody's or two people's."""
    found: dict[str, list[Download]] = defaultdict(list)
    spelled: dict[str, set[str]] = defaultdict(set)
    for file in files:
        tries = (layout.search(file.name.removeprefix(shared)) for layout in layouts)
        name = next((one["student"] for one in tries if one and one["student"]), "")
        if not (student := student_id(name)):
            report.left[file.name] = "its path does not say whose it is"
            continue
        found[student].append(file)
        spelled[student.casefold()].add(name)
    for student in list(found):
        if len(names := spelled[student.casefold()]) > 1:
            for file in found.pop(student):
                report.left[file.name] = f"{' and '.join(sorted(names))} would be one student"
    return found


def _choose(student: str, files: list[Download], lab: str, report: Collected) -> Download | None:
    """The one of a student's notebooks that is this lab: by its name, or the only one."""
    exact = [file for file in files if PurePosixPath(file.name).name == f"{lab}.ipynb"]
    close = [file for file in files if lab in PurePosixPath(file.name).name]
    chosen = next((some[0] for some in (exact, close, files) if len(some) == 1), None)
    for file in files:
        if chosen is None:
            report.left[file.name] = f"{student} has {len(files)} notebooks, and which is {lab}?"
        elif file is not chosen:
            report.left[file.name] = f"{chosen.name} was taken for {student}"
    return chosen


def _put(course: Course, student: str, lab: str, data: bytes) -> str:
    path = course.submitted(student, lab) / f"{lab}.ipynb"
    was_there = path.exists()
    if was_there and path.read_bytes() == data:
        return "unchanged"
    put(path, data)
    return "replaced" if was_there else "new"
