"""`python -m encoder_course grade ...`: hand out, collect and grade the labs.

In order: init a course directory, release a lab, collect what was handed in, run the grader, give
points to the answers in words with nbgrader's formgrader (start `jupyter lab` in the course
directory), then write the feedback and export the grades.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from encoder_course.grade.collect import Collected, collect, collect_from_exchange
from encoder_course.grade.course import GRADEBOOK, Course, Refused, init
from encoder_course.grade.export import export
from encoder_course.grade.feedback import graded, write_feedback
from encoder_course.grade.gradebook import open_gradebook, shown
from encoder_course.grade.grading import grade_lab
from encoder_course.grade.preflight import protections
from encoder_course.grade.release import release, release_repository
from encoder_course.grade.results import Result
from encoder_course.grade.sandbox import SandboxError
from encoder_course.progress import track

DONE, LEFT_SOME, REFUSED = 0, 1, 2  # exit statuses; argparse uses 2 too


def parser() -> argparse.ArgumentParser:
    """The subcommands and their options."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m encoder_course grade", description=__doc__, formatter_class=raw
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser("init", help="make a course directory out of the labs' solutions")
    one.add_argument("folder", type=Path, metavar="DIR")
    one.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="a gradebook elsewhere: postgresql+psycopg://teacher@host/course"
        f" (the variable {GRADEBOOK} keeps a password out of files)",
    )
    one.set_defaults(run=run_init)

    one = commands.add_parser(
        "release", help="make what students get, and enter it in the gradebook"
    )
    one.add_argument("labs", nargs="*", metavar="LAB", help="by default every lab")
    where = one.add_mutually_exclusive_group()
    where.add_argument(
        "--repository", action="store_true", help="make labs/ of this repository, no gradebook"
    )
    _course_option(where)
    one.set_defaults(run=run_release)

    one = commands.add_parser("collect", help="take in what was handed in")
    one.add_argument("lab", metavar="LAB")
    one.add_argument(
        "source",
        nargs="?",
        type=Path,
        metavar="SOURCE",
        help="a folder or .zip with STUDENT/any.ipynb or STUDENT_any.ipynb;"
        " by default nbgrader's exchange",
    )
    one.add_argument(
        "--pattern",
        metavar="REGEX",
        help="finds the student in a path of SOURCE: '(?P<student>[a-z]+)-[0-9]+/'",
    )
    _course_option(one)
    one.set_defaults(run=run_collect)

    one = commands.add_parser("run", help="grade what was collected")
    one.add_argument("lab", metavar="LAB")
    one.add_argument("students", nargs="*", metavar="STUDENT", help="by default everybody")
    one.add_argument("--again", action="store_true", help="also what has a result already")
    one.add_argument("--workers", type=int, default=os.cpu_count(), help="submissions at a time")
    one.add_argument(
        "--isolation",
        choices=("sandbox", "process"),
        default="sandbox",
        help="process: limits of time and memory only, for code that is trusted",
    )
    one.add_argument("--dask", metavar="ADDRESS", help="run on the Dask cluster of this scheduler")
    _course_option(one)
    one.set_defaults(run=run_grader)

    one = commands.add_parser("feedback", help="write a page for each student")
    one.add_argument("lab", metavar="LAB")
    _course_option(one)
    one.set_defaults(run=run_feedback)

    one = commands.add_parser("export", help="write the grades as CSV")
    one.add_argument("labs", nargs="*", metavar="LAB", help="by default every lab")
    one.add_argument("--to", type=Path, metavar="FILE", help="by default grades.csv in the course")
    one.add_argument("--detail", action="store_true", help="a column for each graded cell")
    _course_option(one)
    one.set_defaults(run=run_export)

    one = commands.add_parser("doctor", help="try whether submissions are shut in on this machine")
    one.set_defaults(run=run_doctor)
    return top


def _course_option(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "--course",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the course directory; by default the one that you are in",
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand: 0 when all is well, 1 when not all, 2 when refused."""
    asked = parser().parse_args(arguments)
    try:
        return asked.run(asked)
    except (Refused, SandboxError, OSError) as problem:
        print(problem, file=sys.stderr)
        return REFUSED


def run_init(asked: argparse.Namespace) -> int:
    course, added = init(asked.folder, asked.database)
    with open_gradebook(course):
        pass  # a database that cannot be reached is better known now
    print(f"{course.root} is a course with {', '.join(course.labs())}; added now: ", end="")
    print(f"{', '.join(added) or 'nothing'}. Its gradebook is {shown(course.database)}.")
    print(f"Next: cd {course.root}, then `python -m encoder_course grade release LAB`.")
    return DONE


def run_release(asked: argparse.Namespace) -> int:
    if asked.repository:
        for folder in release_repository(asked.labs):
            print(f"made {folder}")
        return DONE
    course = Course.find(asked.course)
    for lab in asked.labs or course.labs():
        print(f"made {release(course, lab)}: hand it out; the gradebook knows {lab}")
    return DONE


def run_collect(asked: argparse.Namespace) -> int:
    course = Course.find(asked.course)
    if asked.source is None:
        report = collect_from_exchange(course, asked.lab)
    else:
        report = collect(course, asked.lab, asked.source, asked.pattern)
    print(collected(report))
    return LEFT_SOME if report.left else DONE


def collected(report: Collected) -> str:
    """What was taken and what was left, in lines."""
    kinds = list(report.taken.values())
    counts = ", ".join(
        f"{kinds.count(kind)} {kind}" for kind in ("new", "replaced", "unchanged") if kind in kinds
    )
    lines = [f"{len(kinds)} submissions taken" + (f": {counts}" if counts else "")]
    lines += [f"  {student}: {kind}" for student, kind in sorted(report.taken.items())]
    if report.left:
        lines.append(f"{len(report.left)} files left")
    lines += [f"  {_on_terminal(name)}: {_on_terminal(why)}" for name, why in report.left.items()]
    return "\n".join(lines)


def _on_terminal(text: str) -> str:
    """A text of somebody else's without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def run_grader(asked: argparse.Namespace) -> int:
    results, new = grade_lab(
        Course.find(asked.course),
        asked.lab,
        asked.students,
        workers=asked.workers,
        isolation=asked.isolation,
        dask=asked.dask,
        again=asked.again,
    )
    print(f"{new} graded now, {len(results) - new} had a result already")
    print(summary(results))
    return LEFT_SOME if any(result.status == "unreadable" for result in results) else DONE


def summary(results: list[Result]) -> str:
    """How a run went, and every submission that somebody has to look at."""
    statuses = [result.status for result in results]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
    lines = [f"{len(results)} submissions: {counts}"]
    for result in sorted(results, key=lambda one: one.student):
        if result.needs_human:
            lines.append(f"{result.student} needs a human:")
            lines += [f"  {_on_terminal(why)}" for why in result.needs_human]
    if waiting := sum(bool(result.manual) for result in results):
        lines.append(
            f"{waiting} submissions have answers in words, which wait for points by hand:"
            " start `jupyter lab` in the course directory, and choose Nbgrader, Formgrader"
        )
    return "\n".join(lines)


def run_feedback(asked: argparse.Namespace) -> int:
    course = Course.find(asked.course)
    with open_gradebook(course) as book:
        submissions = graded(course, asked.lab, book)
        for submitted in track(submissions, desc="feedback"):
            write_feedback(course, asked.lab, submitted)
    print(f"{len(submissions)} pages in {course.root / 'feedback'}")
    return DONE


def run_export(asked: argparse.Namespace) -> int:
    course = Course.find(asked.course)
    for lab in asked.labs:
        course.source(lab)
    path = asked.to or course.root / "grades.csv"
    with open_gradebook(course) as book:
        count = export(course, book, path, asked.labs or course.labs(), asked.detail)
    print(f"{count} lines in {path}")
    return DONE


def run_doctor(asked: argparse.Namespace) -> int:
    found = protections()
    for protection in found:
        mark = "✓" if protection.holds else "✗"
        print(
            f"{mark} {protection.name}" + (f": {protection.seen}" if not protection.holds else "")
        )
    return DONE if all(protection.holds for protection in found) else LEFT_SOME
