"""A lab of two exercises and one question in words, and what students make of it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from encoder_course.grade.course import Course
from encoder_course.grade.results import ExerciseResult, Result

LAB = "lab90"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
SPLIT = "return x.unflatten(-1, (heads, x.shape[-1] // heads)).transpose(1, 2)"
MERGE = "return values.transpose(1, 2).flatten(2)"
RIGHT = {
    "split_heads": f"def split_heads(x, heads):\n    {SPLIT}",
    "merge_heads": f"def merge_heads(values):\n    {MERGE}",
    "explain_copy": "A transpose only changes the strides; the memory stays as it is.",
}
# The misconception "cut the memory": a view where a transpose is needed.
WRONG = RIGHT | {
    "split_heads": "def split_heads(x, heads):\n"
    "    return x.reshape(x.shape[0], heads, x.shape[1], x.shape[2] // heads)"
}


def marked(grade_id: str, **marks: Any) -> dict:
    """nbgrader's metadata of a cell."""
    blank = dict(grade=False, solution=False, locked=False, task=False, schema_version=3)
    return {"nbgrader": blank | {"grade_id": grade_id} | marks}


def answer(name: str, signature: str, line: str) -> Any:
    source = f"def {signature}:\n    ### BEGIN SOLUTION\n    {line}\n    ### END SOLUTION"
    return new_code_cell(source, metadata=marked(name, solution=True))


def exercise_test(name: str, points: int) -> Any:
    source = (
        f"check.lab03.{name}.require({name})\n### BEGIN HIDDEN TESTS\n"
        f"check.lab03.{name}.require({name}, hidden=417)\n### END HIDDEN TESTS"
    )
    return new_code_cell(
        source, metadata=marked(f"{name}_test", grade=True, locked=True, points=points)
    )


def master() -> Any:
    """The lab as its author writes it: 10 points."""
    setup = "from encoder_course import check"
    explain = marked("explain_copy", grade=True, solution=True, points=4)
    cells = [
        new_markdown_cell("# A small lab"),
        new_code_cell(setup, metadata=marked("setup", locked=True)),
        new_markdown_cell("## Exercise 1: split the heads"),
        answer("split_heads", "split_heads(x, heads)", SPLIT),
        exercise_test("split_heads", 3),
        new_markdown_cell("## Exercise 2: merge the heads"),
        answer("merge_heads", "merge_heads(values)", MERGE),
        exercise_test("merge_heads", 3),
        new_markdown_cell("## Exercise 3: why does a transpose cost nothing?"),
        new_markdown_cell("The strides change, the memory does not. 4 for both.", metadata=explain),
    ]
    for number, cell in enumerate(cells, 1):
        cell.id = f"cell-{number:02d}"
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=metadata)


def repository(folder: Path) -> Path:
    """A repository with the lab's solution in it."""
    path = folder / "repository" / "solutions" / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(master(), path)
    return folder / "repository"


def answered(released: Any, answers: dict[str, str]) -> Any:
    """A released notebook with the cells of these grade ids filled in."""
    notebook = deepcopy(released)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(grade_id, cell.source)
    return notebook


def hand_in(course: Course, student: str, answers: dict[str, str] = RIGHT) -> Result:
    """Put a submission in its place, and give the result that a grader would find."""
    path = course.submitted(student, LAB) / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    given = nbformat.read(course.release(LAB) / path.name, as_version=4)
    nbformat.write(answered(given, answers), path)
    exercises = tuple(
        ExerciseResult(
            grade_id=f"{name}_test",
            title=name.replace("_", " "),
            points=3 if answers.get(name) == RIGHT[name] else 0,
            of=3,
            passed=answers.get(name) == RIGHT[name],
            message=f"{'✓' if answers.get(name) == RIGHT[name] else '✗'} what {name} gives",
        )
        for name in ("split_heads", "merge_heads")
    )
    points = sum(one.points for one in exercises)
    result = Result(
        student=student,
        lab=LAB,
        status="graded",
        points=points,
        of=10,
        exercises=exercises,
        manual=("explain_copy",),
        submission=str(answers),
    )
    course.results.write(result)
    return result
