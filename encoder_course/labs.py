"""Take what a learner wrote in an earlier lab, where it is right, into a later one."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import linecache
from pathlib import Path
from typing import Any

from encoder_course.check.base import Exercise


def earlier(lab: str, *names: str, folder: Path | str = "..") -> Any:
    """Return what `names` stand for in an earlier lab: one object, or a tuple of several.

    An answer in `folder`/LAB/LAB.ipynb that passes its exercise is taken, and the course's own
    in place of any other. Prints which. The lab's setup and answer cells run in a namespace of
    their own; one that fails is left out.
    Raises ValueError where the lab has no exercise of such a name.
    """
    exercises = [_exercise(lab, name) for name in names]
    found, why = _answers(Path(folder) / lab / f"{lab}.ipynb")
    chosen = []
    for name, exercise in zip(names, exercises, strict=True):
        reason = why if name not in found else _fault(exercise, found[name])
        print(f"{name}: {f'the course’s, because {reason}' if reason else f'yours, from {lab}'}")
        chosen.append(exercise.reference if reason else found[name])
    return chosen[0] if len(chosen) == 1 else tuple(chosen)


def _exercise(lab: str, name: str) -> Exercise:
    exercise = getattr(importlib.import_module(f"encoder_course.check.{lab}"), name, None)
    if not isinstance(exercise, Exercise):
        raise ValueError(f"{lab} has no exercise called {name!r}")
    return exercise


def _fault(exercise: Exercise, answer: Any) -> str:
    """Why an answer cannot be used; "" where it can."""
    verdict = exercise.judge(exercise.probe(answer))
    if verdict.passed:
        return ""
    first = verdict.message.splitlines()[0].rstrip(".")
    return f"in exercise {exercise.number} of yours {first[:1].lower()}{first[1:]}"


def _answers(notebook: Path) -> tuple[dict[str, Any], str]:
    """The names that a lab's cells define, and what to say of a name that is not among them."""
    try:
        sources = _sources(json.loads(notebook.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}, f"{notebook} is not there"
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return {}, f"{notebook} cannot be read"
    found: dict[str, Any] = {"__name__": notebook.stem}
    for number, source in sources.items():
        file = f"{notebook.stem}, cell {number}"
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, file, "exec"), found)
    return found, f"{notebook} does not define it"


def _sources(notebook: dict[str, Any]) -> dict[int, str]:
    """The source of each set-up or answer cell, by the cell's number."""
    found = {}
    for number, cell in enumerate(notebook["cells"], start=1):
        marks = cell["metadata"].get("nbgrader")
        if cell["cell_type"] == "code" and marks and not marks["grade"]:
            found[number] = "".join(cell["source"])
    return found
