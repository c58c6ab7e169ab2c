"""Take in a submission: read it without trust, mend it, and say what is to be run of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder_course.grade.master import Master, Probe


class Unreadable(ValueError):
    """A submission that nothing can be made of; the text is a sentence that says why."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do in a run.

    kind: "code" runs `source`; "probe" asks for `probes`, those of the test cell `grade_id`.
    cell: its place in the notebook as it was handed in, from 0; -1 where grading put it in.
    """

    kind: str
    cell: int
    grade_id: str | None = None
    source: str = ""
    probes: tuple[Probe, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A submission, mended.

    notebook: format 4.5 as plain data: the student's cells in their order, test cells as released,
        missing cells put back; outputs are text and pictures only. steps: what to run, in order.
    repairs: what was mended, flags: what a human should look at, both in sentences.
    words: the text of each explain cell by its grade_id.
    """

    notebook: dict[str, Any]
    steps: tuple[Step, ...]
    repairs: tuple[str, ...]
    flags: tuple[str, ...]
    words: dict[str, str]


def take_in(path: Path, master: Master) -> Intake:
    """Read a submission of the lab `master`. Raises Unreadable where it is no notebook of it."""
    raise NotImplementedError
