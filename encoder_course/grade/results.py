"""What became of each submission: one JSON file each, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

STATUSES = ("graded", "repaired", "timeout", "crashed", "unreadable")


@dataclass(frozen=True, kw_only=True)
class ExerciseResult:
    """What one test cell found: `points` earned of `of`, and the line that the student reads."""

    grade_id: str
    title: str
    points: float | int
    of: float | int
    passed: bool
    message: str
    misconception: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one submission.

    status: "graded"; "repaired" where the notebook was mended first; "timeout" or "crashed" where
        something had to be left out (`problems` says what; the rest is graded); "unreadable".
    manual: grade ids of the cells that wait for a human's points.
    repairs, flags, problems: sentences on what was mended, what to look at, what happened.
    seconds, megabytes: wall time and peak resident memory of the student's code.
    submission, master: SHA-256 of the two files that this result follows from.
    isolation: what stood between the student's code and the machine.
    """

    student: str
    lab: str
    status: str
    points: float | int
    of: float | int
    exercises: tuple[ExerciseResult, ...] = ()
    manual: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    seconds: float | int = 0.0
    megabytes: float | int = 0.0
    submission: str = ""
    master: str = ""
    isolation: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, and has to be one of {STATUSES}")

    @property
    def needs_human(self) -> tuple[str, ...]:
        """Why somebody should look at this submission; explain cells wait for everybody."""
        odd = () if self.status in ("graded", "repaired") else (f"its status is {self.status}",)
        return (*odd, *self.problems, *self.flags)

    @property
    def sha256(self) -> str:
        """A hash of the whole result."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """This result as text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Read what `to_json` wrote. Raises ValueError where the text is damaged."""
        try:
            found: dict[str, Any] = json.loads(text)
            exercises = tuple(ExerciseResult(**one) for one in found.pop("exercises"))
            lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
            return cls(**(found | lists), exercises=exercises)
        except (AttributeError, KeyError, RecursionError, TypeError) as problem:
            wanted = ", ".join(field.name for field in fields(cls))
            raise ValueError(f"a result has {wanted}: {problem}") from None


class Results:
    """The results of a course, in a folder of its own: `LAB/STUDENT.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, student: str, lab: str) -> Path:
        """Where the result of one student in one lab lies."""
        return self.folder / lab / f"{student}.json"

    def write(self, result: Result) -> None:
        """Put a result in its place in one step: a kill leaves the old one or the new one."""
        path = self.path(result.student, result.lab)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with partial.open("w", encoding="utf-8") as file:
            file.write(result.to_json())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def read(self, student: str, lab: str) -> Result | None:
        """The result that is there; None where there is none, or a damaged one."""
        try:
            return Result.from_json(self.path(student, lab).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def all(self, lab: str) -> Iterator[Result]:
        """Every whole result of a lab, by student."""
        for path in sorted((self.folder / lab).glob("[!.]*.json")):
            if (result := self.read(path.stem, lab)) is not None:
                yield result
