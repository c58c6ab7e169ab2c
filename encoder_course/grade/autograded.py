"""The notebook that formgrader and the feedback show: a student's work with the verdicts in it.

It is built anew from a list of what may be in it. nbconvert's templates put ids, counts, picture
data and raw cells into their pages unescaped, so a submission's own are never passed on.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from encoder_course.grade.master import Master, MasterCell
from encoder_course.grade.results import ExerciseResult, Result

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
PICTURES = ("image/png", "image/jpeg")
SHOWN = re.compile(  # what `viz.show` writes
    r'<img\b[^<>]*\ssrc="data:(image/(?:png|jpeg));base64,([A-Za-z0-9+/=\s]+)"[^<>]*>'
)
MOST_LETTERS = 20_000  # of one output
MOST_OUTPUTS = 20  # of one cell
STATUSES = {
    "graded": "",
    "repaired": "Your notebook had to be mended before it could be graded.",
    "timeout": "Something in this notebook ran for too long, and was left out.",
    "crashed": "Something in this notebook broke down, and was left out.",
    "unreadable": "This notebook could not be read, so nothing in it was graded.",
}


def autograded(cells: Iterable[Any], master: Master, result: Result) -> Any:
    """A notebook of a submission's `cells`, with the outcome of each test cell under it.

    cells: mappings as in a notebook of format 4; none where the submission cannot be read.
    """
    from nbformat.v4 import new_markdown_cell, new_notebook

    outcomes = {one.grade_id: one for one in result.exercises}
    known = {cell.grade_id: cell for cell in master.cells if cell.grade_id}
    notebook = new_notebook(
        metadata={
            "kernelspec": KERNEL,
            "language_info": {"name": "python"},
            "encoder_course": {"result": result.sha256},
        }
    )
    if note := opening(result):
        notebook.cells.append(new_markdown_cell(note))
    for cell in cells:
        grade_id = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")
        of_master = known.pop(grade_id, None) if isinstance(grade_id, str) else None
        notebook.cells.append(_cell(cell, of_master, outcomes.get(grade_id)))
    for missing in known.values():  # formgrader has a place for each of them
        blank = {"cell_type": missing.kind, "source": missing.released}
        notebook.cells.append(_cell(blank, missing, outcomes.get(missing.grade_id)))
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02d}"
    return notebook


def opening(result: Result) -> str:
    """What the student has to know before reading on, in Markdown; "" where nothing went wrong."""
    said = [STATUSES[result.status]] if STATUSES[result.status] else []
    points = [f"- {_plain(text)}" for text in (*result.repairs, *result.problems)]
    return "\n".join([*said, "", *points]).strip()


def result_in(path: Path) -> str:
    """The hash of the result that an autograded notebook shows; "" where there is none."""
    import nbformat

    try:
        found = nbformat.read(path, as_version=4).metadata
        return str(found["encoder_course"]["result"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def explained(path: Path) -> dict[str, str]:
    """The text of the explain cells in an autograded notebook; empty where there is none."""
    import nbformat

    try:
        cells = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError):
        return {}
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in cells
        if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("grade")
    }


def nbgrader_metadata(cell: MasterCell) -> dict[str, Any]:
    """How nbgrader marks a cell of this role."""
    graded = cell.role in ("test", "explain")
    marks = {
        "cell_type": cell.kind,
        "grade": graded,
        "grade_id": cell.grade_id,
        "locked": cell.role in ("test", "read_only"),
        "schema_version": 3,
        "solution": cell.role in ("answer", "explain"),
        "task": False,
    }
    return marks | ({"points": cell.points} if graded else {})


def _cell(cell: Any, master: MasterCell | None, outcome: ExerciseResult | None) -> Any:
    from nbformat.v4 import new_code_cell, new_markdown_cell

    metadata = {"nbgrader": nbgrader_metadata(master)} if master else {}
    source = str(cell.get("source", ""))
    if cell.get("cell_type") == "code":
        made = new_code_cell(source, metadata=metadata)
        made.outputs = _verdict(outcome) if outcome else _outputs(cell.get("outputs", []))
        return made
    if cell.get("cell_type") != "markdown":  # raw cells end up as HTML
        source = "\n".join(f"    {line}" for line in source.splitlines())
    return new_markdown_cell(_with_attachments(source, cell), metadata=metadata)


def _verdict(outcome: ExerciseResult) -> list[Any]:
    from nbformat.v4 import new_output

    if outcome.passed:
        return [new_output("stream", name="stdout", text=f"{outcome.message}\n")]
    text = outcome.message
    return [new_output("error", ename="NotYet", evalue=text, traceback=[text])]


def _outputs(outputs: Iterable[Any]) -> list[Any]:
    """A student's own outputs, as text and pictures only."""
    from nbformat.v4 import new_output

    kept = []
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream":
            kept.append(new_output("stream", name="stdout", text=_cut(output.get("text"))))
        elif kind == "error":
            text = _cut(f"{output.get('ename')}: {output.get('evalue')}")
            kept.append(new_output("stream", name="stderr", text=text))
        elif data := _data(output.get("data", {})):
            kept.append(new_output("display_data", data=data))
    return kept[:MOST_OUTPUTS]


def _data(data: Any) -> dict[str, str]:
    for kind in PICTURES:
        if kind in data and (picture := _picture(data[kind])):
            return {kind: picture}
    shown = SHOWN.search(_text(data.get("text/html", "")))
    if shown and (picture := _picture(shown[2])):
        return {shown[1]: picture}
    return {"text/plain": _cut(data["text/plain"])} if "text/plain" in data else {}


def _picture(encoded: Any) -> str:
    """Base64 written anew, so that nothing else can hide in it; "" where it is none."""
    try:
        raw = base64.b64decode("".join(_text(encoded).split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return base64.b64encode(raw).decode("ascii")


def _with_attachments(source: str, cell: Any) -> str:
    """Put pictures that were pasted into a Markdown cell in place of their names."""
    for name, data in cell.get("attachments", {}).items():
        pictures = (
            f"data:{kind};base64,{_picture(data[kind])}" for kind in PICTURES if kind in data
        )
        source = source.replace(f"(attachment:{name})", f"({next(pictures, '')})")
    return source


def _cut(text: Any) -> str:
    text = _text(text)
    if len(text) <= MOST_LETTERS:
        return text
    return f"{text[:MOST_LETTERS]}\n... {len(text) - MOST_LETTERS:,} more letters were left out"


def _text(found: Any) -> str:
    return "".join(map(str, found)) if isinstance(found, list) else str(found)


def _plain(text: str) -> str:
    """A sentence that may quote a student, without a meaning in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|!$])", r"\\\1", " ".join(text.split()))
