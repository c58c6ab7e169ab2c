"""The notebook that formgrader and the feedback show: a student's work with the verdicts in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from encoder_course.grade.intake import KERNEL, Intake
from encoder_course.grade.master import Master
from encoder_course.grade.results import ExerciseResult, Result

OPENINGS = {
    "graded": "",
    "repaired": "Your notebook had to be mended before it could be graded.",
    "timeout": "Something in this notebook ran for too long, and was left out.",
    "crashed": "Something in this notebook broke down, and was left out.",
    "unreadable": "This notebook could not be read, so nothing in it was graded.",
}


def autograded(intake: Intake | None, master: Master, result: Result) -> Any:
    """The notebook of a submission, None where it cannot be read, with what its tests found.

    No cell of it is raw, because nbconvert puts those into a page as HTML.
    """
    from nbformat import from_dict

    outcomes = {one.grade_id: one for one in result.exercises}
    cells = intake.notebook["cells"] if intake else _blank(master)
    note = {"cell_type": "markdown", "metadata": {}, "source": opening(result)}
    cells = [*([note] if note["source"] else []), *map(_rendered, cells)]
    for number, cell in enumerate(cells, 1):
        cell["id"] = f"cell-{number:02d}"
        if outcome := outcomes.get(cell["metadata"].get("nbgrader", {}).get("grade_id")):
            cell["outputs"] = [_verdict(outcome)]
    metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
        "encoder_course": {"result": result.sha256},
    }
    return from_dict(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells},
    )


def opening(result: Result) -> str:
    """What to know before reading on, in Markdown; "" where all went well."""
    points = [f"- {_plain(text)}" for text in (*result.repairs, *result.problems)]
    return "\n".join([OPENINGS[result.status], "", *points]).strip()


def result_in(path: Path) -> str:
    """The hash of the result that an autograded notebook shows; "" where there is none."""
    notebook = _read(path)
    return str(notebook.metadata.get("encoder_course", {}).get("result", "")) if notebook else ""


def words_in(path: Path) -> dict[str, str]:
    """The text of the explain cells of an autograded notebook by grade_id; {} without one."""
    notebook = _read(path)
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in (notebook.cells if notebook else [])
        if cell.cell_type == "markdown" and "nbgrader" in cell.metadata
    }


def _read(path: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        return None


def _blank(master: Master) -> list[dict[str, Any]]:
    """The cells of the lab as released, so that each has its place in formgrader."""
    return [
        {
            "cell_type": cell.kind,
            "metadata": {"nbgrader": cell.nbgrader} if cell.nbgrader else {},
            "source": cell.released,
        }
        | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})
        for cell in master.cells
    ]


def _rendered(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell in a form that a page can show: no raw ones, no attachments beside the text."""
    cell = dict(cell)
    attached = cell.pop("attachments", {})
    if cell["cell_type"] == "raw":
        lines = "\n".join(f"    {line}" for line in cell["source"].splitlines())
        return cell | {"cell_type": "markdown", "source": lines}
    for name, picture in attached.items():
        for kind, encoded in picture.items():
            written = f"(data:{kind};base64,{encoded})"
            cell["source"] = cell["source"].replace(f"(attachment:{name})", written)
    return cell


def _verdict(outcome: ExerciseResult) -> dict[str, Any]:
    text = outcome.message
    if outcome.passed:
        return {"output_type": "stream", "name": "stdout", "text": f"{text}\n"}
    return {"output_type": "error", "ename": "NotYet", "evalue": text, "traceback": [text]}


def _plain(text: str) -> str:
    """A sentence that may quote a student, without a meaning in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|!$])", r"\\\1", " ".join(text.split()))
