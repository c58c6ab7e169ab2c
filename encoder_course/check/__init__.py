"""Checks of the exercises, a module for each notebook or lab: `check.attention.scores(mine)`."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from encoder_course.check.base import Exercise, Misconception, NotYet, Verdict
from encoder_course.check.running import call

__all__ = [
    "Exercise",
    "Misconception",
    "NotYet",
    "Verdict",
    "all_exercises",
    "call",
    "exercises_of",
    "modules",
]

_FRAMEWORK = {"base", "evidence", "exhibits", "running"}


def modules() -> list[str]:
    """Return the names of the modules that hold exercises, in alphabetical order."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _FRAMEWORK)


def all_exercises() -> dict[str, Exercise]:
    """Return every exercise of the course by its number: those of notebooks, then of labs.

    Raises ValueError where two exercises carry the same number.
    """
    found: dict[str, Exercise] = {}
    for name in modules():
        for exercise in exercises_of(name):
            if exercise.number in found:
                taken, title = found[exercise.number].title, exercise.title
                raise ValueError(f"{taken!r} and {title!r} are both numbered {exercise.number}")
            found[exercise.number] = exercise
    return {number: found[number] for number in sorted(found, key=_place)}


def exercises_of(module: str) -> list[Exercise]:
    """Return the exercises of one module, such as "attention", in the order of its source."""
    contents = vars(importlib.import_module(f"{__name__}.{module}")).values()
    return [value for value in contents if isinstance(value, Exercise)]


def _place(number: str) -> tuple[bool, int, str, int]:
    """Where an exercise stands: 3.10 after 3.9, and labs by name after all notebooks."""
    part, _, exercise = number.partition(".")
    return not part.isdecimal(), int(part) if part.isdecimal() else 0, part, int(exercise)


def __getattr__(name: str) -> ModuleType:
    """Import `check.attention` when it is first asked for."""
    if name in modules():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *modules()])
