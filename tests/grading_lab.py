"""A small lab on the exercises of notebook 03, and ways to hand it in."""

import json
from pathlib import Path

ANSWERS = {
    "scores": "def scores(q, k):\n    return q @ k.mT / math.sqrt(q.shape[-1])",
    "masked_weights": (
        "def masked_weights(scores, keep):\n"
        "    hidden = scores.masked_fill(~keep, -torch.inf)\n"
        "    return hidden.softmax(dim=-1).nan_to_num(0.0)"
    ),
    "merge_heads": "def merge_heads(values):\n    return values.transpose(1, 2).flatten(2)",
}
POINTS = {"scores": 2, "masked_weights": 3, "merge_heads": 1}
ALL = sum(POINTS.values())
BY_HAND = 2
SETUP = "import math\n\nimport torch\n\nfrom encoder_course import check"


def cell(source: str, kind: str = "code", **marks) -> dict:
    """A cell of a notebook; `marks` are nbgrader's."""
    metadata = {}
    if marks:
        base = dict(grade=False, solution=False, locked=False, task=False, schema_version=3)
        metadata = {"nbgrader": base | marks | {"cell_type": kind}}
    found = {"cell_type": kind, "metadata": metadata, "source": source}
    return found | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def notebook(cells: list[dict]) -> dict:
    """A notebook of format 4.5."""
    numbered = [one | {"id": f"cell-{number:02d}"} for number, one in enumerate(cells, 1)]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def master(folder: Path) -> Path:
    """Write the master of the lab, and return its path."""
    cells = [
        cell("# A lab on attention", "markdown"),
        cell(SETUP, grade_id="setup", locked=True),
    ]
    for name, answer in ANSWERS.items():
        head, _, body = answer.partition("\n")
        solved = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        cells.append(cell(solved, grade_id=name, solution=True))
        test = f"check.attention.{name}.require({name})"
        marks = dict(grade_id=f"{name}_test", grade=True, locked=True, points=POINTS[name])
        cells.append(cell(test, **marks))
    cells.append(
        cell(
            "Because the softmax saturates.",
            "markdown",
            grade_id="explain_scale",
            grade=True,
            solution=True,
            points=BY_HAND,
        )
    )
    path = folder / "lab.ipynb"
    path.write_text(json.dumps(notebook(cells)), encoding="utf-8")
    return path


def submission(first: str = "", last: str = "", **answers: str) -> dict:
    """What a student hands in: right answers but for those given, code before and after them."""
    cells = [cell("# A lab on attention", "markdown"), cell(SETUP, grade_id="setup", locked=True)]
    cells += [cell(first)] * bool(first)
    for name, answer in (ANSWERS | answers).items():
        cells.append(cell(answer, grade_id=name, solution=True))
        marks = dict(grade_id=f"{name}_test", grade=True, locked=True, points=POINTS[name])
        cells.append(cell(f"check.attention.{name}.require({name})", **marks))
    marks = dict(grade_id="explain_scale", grade=True, solution=True, points=BY_HAND)
    cells.append(cell("The scores would be too large.", "markdown", **marks))
    cells += [cell(last)] * bool(last)
    return notebook(cells)
