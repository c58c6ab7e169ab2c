"""Turn evidence into points, on the trusted side: the same checks as in the lab's own cells."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

from encoder_course.check.base import STOPPED, Exercise, Verdict
from encoder_course.grade.intake import Intake, Step
from encoder_course.grade.master import Master, MasterCell, Probe
from encoder_course.grade.results import ExerciseResult, Result
from encoder_course.grade.runner import Outcome

NO_EVIDENCE = Verdict(False, "what came back is no evidence of anything")
LONGEST = 3000  # characters of a message


def exercise_of(probe: Probe) -> Exercise:
    """The exercise that a probe names."""
    module, _, name = probe.exercise.partition(".")
    return getattr(importlib.import_module(f"encoder_course.check.{module}"), name)


def verdicts(probes: Sequence[Probe], evidence: Sequence[Any]) -> list[Verdict]:
    """Judge the evidence of each probe of a test cell; it may be anything at all."""
    found = []
    for probe, one in zip(probes, evidence, strict=True):
        try:
            found.append(exercise_of(probe).judge(one, probe.hidden))
        except (ArithmeticError, RuntimeError, TypeError, ValueError):
            exercise_of(probe).expected(probe.hidden)  # if that fails, the fault is ours
            found.append(NO_EVIDENCE)
    return found


def all_pass(probes: Sequence[Probe], evidence: Sequence[Any]) -> bool:
    """Whether the evidence of every probe of a test cell is right."""
    return all(verdict.passed for verdict in verdicts(probes, evidence))


def judge(
    student: str,
    master: Master,
    intake: Intake,
    steps: Sequence[Step],
    outcome: Outcome,
    submission: str,
    isolation: str,
) -> Result:
    """Put together what came of one submission: of `steps`. `submission` is its SHA-256."""
    seen = {
        step.grade_id: outcome.evidence[number]
        for number, step in enumerate(steps)
        if step.kind == "probe" and number in outcome.evidence
    }
    exercises = tuple(
        _exercise_result(cell, seen.get(grade_id)) for grade_id, cell in master.tests.items()
    )
    stopped = {stop.status for stop in outcome.stops}
    status = "repaired" if intake.repairs else "graded"
    return Result(
        student=student,
        lab=master.lab,
        status=next((bad for bad in ("timeout", "crashed") if bad in stopped), status),
        points=sum(one.points for one in exercises),
        of=master.points,
        exercises=exercises,
        manual=tuple(master.explains),
        repairs=intake.repairs,
        flags=intake.flags,
        problems=tuple(_problem(steps, stop.step, stop.words) for stop in outcome.stops),
        seconds=round(outcome.seconds, 3),
        megabytes=round(outcome.megabytes),
        submission=submission,
        master=master.sha256,
        isolation=isolation,
    )


def unreadable(student: str, master: Master, why: str, submission: str, isolation: str) -> Result:
    """The result of a submission that is no notebook of this lab."""
    said = [{STOPPED: why}]
    exercises = tuple(
        _exercise_result(cell, said * len(cell.probes)) for cell in master.tests.values()
    )
    return Result(
        student=student,
        lab=master.lab,
        status="unreadable",
        points=0,
        of=master.points,
        exercises=exercises,
        problems=(why,),
        submission=submission,
        master=master.sha256,
        isolation=isolation,
    )


def _exercise_result(cell: MasterCell, evidence: Sequence[Any] | None) -> ExerciseResult:
    exercise = exercise_of(cell.probes[0])
    if evidence is None:
        found = [Verdict(False, "the run ended before its turn came")]
    else:
        found = verdicts(cell.probes, evidence)
    shown = next((verdict for verdict in found if not verdict.passed), found[0])
    return ExerciseResult(
        grade_id=cell.grade_id,
        title=exercise.title,
        points=cell.points if shown.passed else 0,
        of=cell.points,
        passed=shown.passed,
        message=_printable(exercise.line(shown)),
        misconception=shown.misconception,
    )


def _problem(steps: Sequence[Step], number: int | None, words: str) -> str:
    if number is None:
        return words
    step = steps[number]
    if step.kind == "code":
        place = f"cell {step.cell + 1}" if step.cell >= 0 else "a cell that grading put in"
        return f"{place} {words}, and was left out"
    return f"the test of {step.grade_id.removesuffix('_test')} {words}"


def _printable(lines: str | Iterable[str]) -> str:
    """Text without control characters: part of it may be a student's own."""
    kept = "".join(c for c in lines if c == "\n" or c.isprintable())
    return kept if len(kept) <= LONGEST else f"{kept[:LONGEST]} …"
