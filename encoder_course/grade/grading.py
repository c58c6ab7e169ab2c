"""Grade what was collected for a lab, and enter it in the gradebook as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from encoder_course.grade.cluster import grade_on_cluster
from encoder_course.grade.course import Course, Refused
from encoder_course.grade.gradebook import GradebookWriter, only_writer, open_gradebook
from encoder_course.grade.intake import Intake
from encoder_course.grade.pool import grade_all, unfinished
from encoder_course.grade.release import checked_master
from encoder_course.grade.results import Result
from encoder_course.progress import track


def grade_lab(
    course: Course,
    lab: str,
    students: Sequence[str] = (),
    *,
    workers: int = 1,
    isolation: str = "sandbox",
    dask: str | None = None,
    again: bool = False,
    show: bool = True,
) -> tuple[list[Result], int]:
    """Grade the submissions of `students`, or of everybody: the results, and how many are new.

    workers: submissions at a time. isolation: as in a Runner. dask: the address of a scheduler to
    run on instead. again: also what has a result of this very file already. show: a progress bar.
    Raises Refused where there is nothing to grade, SandboxError where the sandbox cannot be made.
    """
    master = checked_master(course.source(lab))
    known = course.students(lab)
    if unknown := sorted(set(students) - set(known)):
        raise Refused(f"{unknown[0]} has not handed in {lab}")
    if not known:
        raise Refused(f"nobody has handed in {lab}: `grade collect {lab}` comes first")
    submissions = {student: course.submission(student, lab) for student in students or known}
    with only_writer(course), open_gradebook(course) as book:
        writer = GradebookWriter(course, master, book)
        if again:
            for student in submissions:
                course.results.path(student, lab).unlink(missing_ok=True)
        left = unfinished(master, submissions, course.results)
        taken: dict[str, Intake] = {}
        options = {"address": dask} if dask else {"workers": workers, "taken": taken}
        grader = grade_on_cluster if dask else grade_all
        running = grader(master, left, course.results, isolation=isolation, **options)
        done = {}
        for result in track(running, desc=f"grading {lab}", show=show, total=len(left)):
            writer.write(result, taken.pop(result.student, None))
            done[result.student] = result
        for student in submissions:
            if student not in done:  # an earlier run may have been stopped before writing it
                done[student] = course.results.read(student, lab)
                writer.write(done[student])
    return [done[student] for student in submissions], len(left)


def autograde(notebook: Any, resources: Any) -> tuple[Any, Any]:
    """What formgrader's Autograde button does in this course: grade one submission, sandboxed.

    It stands in nbgrader's configuration in place of the steps that would run the submission with
    the rights of the instructor; a notebook and its resources come and go as in nbconvert.
    """
    import nbformat

    student, lab = (resources["nbgrader"][name] for name in ("student", "assignment"))
    course = Course.find(Path(resources["metadata"]["path"]).parents[2])
    grade_lab(course, lab, [student], again=True, show=False)
    return nbformat.read(course.autograded(student, lab), as_version=4), resources
