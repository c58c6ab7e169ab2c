"""Leave a lab's own demonstrations out of a run, as long as nothing depends on them.

A lab shows things between its exercises: figures, a published model run on the student's code.
They take most of its time and none of its points.
"""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from encoder_course.check.base import STOPPED
from encoder_course.grade.intake import Step
from encoder_course.grade.master import Master
from encoder_course.grade.runner import Outcome
from encoder_course.grade.sources import normal

MISSING = re.compile(r"name '(\w+)' is not defined|there is no `(\w+)`")


def without_demonstrations(steps: Sequence[Step], master: Master) -> list[Step]:
    """The steps in their order, without the master's cells that its own solution does not need.

    A cell of which the student has changed a letter is a step like any other.
    """
    spare = demonstrations(master)
    return [step for step in steps if step.kind != "code" or normal(step.source) not in spare]


def lacks_a_demonstration(outcome: Outcome, master: Master) -> bool:
    """Whether a name was missing in a run that a demonstration defines: all cells have to run."""
    said = [*outcome.errors.values()]
    for found in outcome.evidence.values():
        said += [one[STOPPED] for one in found if isinstance(one, Mapping) and STOPPED in one]
    missing = {name for text in said for found in MISSING.findall(str(text)) for name in found}
    return any(missing & bound(source) for source in demonstrations(master))


@lru_cache(maxsize=8)
def demonstrations(master: Master) -> frozenset[str]:
    """The sources of plain code cells that no answer or test of the master needs.

    Read from the end: a cell is needed where it binds or changes a name that something needed
    behind it takes from the notebook.
    """
    spare, wanted = set(), set()
    code = [cell for cell in master.cells if cell.kind == "code"]
    modules = frozenset().union(*(imported(cell.source) for cell in code))
    for cell in reversed(code):
        if cell.role == "test":
            wanted |= cell.asked
        elif cell.role != "plain" or (bound(cell.source) | changed(cell.source) - modules) & wanted:
            wanted |= free_names(cell.source)
        else:
            spare.add(normal(cell.source))
    return frozenset(spare)


def bound(source: str) -> frozenset[str]:
    """The names of the notebook that a cell assigns, defines or imports."""
    names = symtable.symtable(source, "cell", "exec").get_symbols()
    return frozenset(name.get_name() for name in names if name.is_assigned() or name.is_imported())


def imported(source: str) -> frozenset[str]:
    """The names of the notebook that a cell imports: nobody's own."""
    names = symtable.symtable(source, "cell", "exec").get_symbols()
    return frozenset(name.get_name() for name in names if name.is_imported())


def changed(source: str) -> frozenset[str]:
    """The names that a cell calls a method of for its effect, or assigns a part of."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(ast.Call(ast.Attribute() as method)):
                found |= _root(method)
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                found |= _root(node)
    return frozenset(found)


def free_names(source: str) -> frozenset[str]:
    """The names that a cell, or a function in it, takes from the notebook."""
    top = symtable.symtable(source, "cell", "exec")
    found = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    for scope in _below(top):
        found |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    return frozenset(found)


def _below(scope: Any) -> Iterator[Any]:
    for inner in scope.get_children():
        yield inner
        yield from _below(inner)


def _root(node: ast.expr) -> set[str]:
    """The name at the bottom of `name.a[0].b`, if there is one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
