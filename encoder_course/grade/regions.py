"""What students get of a cell: solutions and hidden tests are taken out as nbgrader does it.

Written anew because importing nbgrader takes seconds, and every worker would have to.
"""

from __future__ import annotations

CODE_STUB = "raise NotImplementedError"
TEXT_STUB = "YOUR ANSWER HERE"


def released(source: str, kind: str, role: str) -> str:
    """A cell as nbgrader releases it, with the stubs of the course.

    kind: "code" or "markdown". role: as of a MasterCell.
    Raises ValueError where a region has no end, or has no place in a cell of this role.
    """
    without = _without(source, "SOLUTION", CODE_STUB if kind == "code" else TEXT_STUB)
    if role in ("answer", "explain"):
        if without == source:
            without = CODE_STUB if kind == "code" else TEXT_STUB
    elif without != source:
        raise ValueError("it has a solution and is not marked as an answer")
    shown = _without(without, "HIDDEN TESTS")
    if shown != without and role != "test":
        raise ValueError("it has hidden tests and is not marked as a test")
    return shown


def _without(source: str, name: str, stub: str | None = None) -> str:
    """Leave out each region between BEGIN and END; a stub stands there, indented like BEGIN."""
    kept, inside = [], False
    for line in source.split("\n"):
        if f"BEGIN {name}" in line:
            if inside:
                raise ValueError(f"BEGIN {name} stands in such a region")
            inside = True
            if stub is not None:
                kept.append(line[: len(line) - len(line.lstrip())] + stub)
        elif f"END {name}" in line:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError(f"BEGIN {name} has no END {name}")
    return "\n".join(kept)
