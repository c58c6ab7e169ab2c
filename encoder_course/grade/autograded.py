"""The notebook that formgrader and the feedback show: a student's work with the verdicts in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from encoder_course.grade.intake import KERNEL, Intake
from encoder_course.grade.master import Master
from encoder_course.grade.notebook_json import text_of
from encoder_course.grade.results import ExerciseResult, Result

OPENINGS = {
    "graded": "",
    "repaired": "Your notebook had to be mended before it could be graded.",
    "timeout": "Something in this notebook ran for too long, and was left out.",
    "crashed": "Something in this notebook broke down, and was left out.",
    "unreadable": "This notebook could not be read, so nothing in it was graded.",
}


def autograded(intake: Intake | None, master: Master, result: Result) -> dict[str, Any]:
    """The notebook of a submission, None where it cannot be read, with what its tests found.

    No cell of it is raw, because nbconvert puts those into a page as HTML.
    """
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
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def opening(result: Result) -> str:
    """What to know before reading on, in Markdown; "" where all went well."""
    points = [f"- {_plain(text)}" for text in (*result.repairs, *result.problems)]
    return "\n".join([OPENINGS[result.status], "", *points]).strip()


def shown_in(path: Path) -> tuple[str, dict[str, str]]:
    """Of an autograded notebook, the hash of the result it shows and the texts of explain cells.

    The texts by grade_id. ("", {}) where there is no notebook. It is read as JSON: it was written
    here or by nbgrader, and nbformat's validation of it costs more than all the rest.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        words = {
            cell["metadata"]["nbgrader"]["grade_id"]: text_of(cell["source"]) or ""
            for cell in notebook["cells"]
            if cell["cell_type"] == "markdown" and "nbgrader" in cell["metadata"]
        }
        return str(notebook["metadata"].get("encoder_course", {}).get("result", "")), words
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError):
        return "", {}


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
