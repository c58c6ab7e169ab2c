"""Grade many submissions at once, each result kept as soon as it is there."""

from __future__ import annotations

import ast
import hashlib
import threading
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from encoder_course.grade.intake import Intake, Step, Unreadable, take_in
from encoder_course.grade.judge import all_pass, judge, unreadable
from encoder_course.grade.limits import Limits
from encoder_course.grade.master import Master
from encoder_course.grade.needed import lacks_a_demonstration, without_demonstrations
from encoder_course.grade.results import Result, Results
from encoder_course.grade.runner import Outcome, Runner

WAITING = 4  # jobs that wait for each worker: enough to keep it busy, few enough to stay small


def imported_by(master: Master) -> list[str]:
    """The modules that a lab's cells import: a zygote has them ready for every submission.

    Matplotlib is always among them: its first import looks at every font, which takes seconds.
    """
    found = {"matplotlib.pyplot"}
    found |= {f"encoder_course.check.{probe.exercise.partition('.')[0]}" for probe in master.probes}
    for cell in master.cells:
        if cell.kind == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return sorted(found)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a submitted file; of anything that is no ordinary file, its name's."""
    if path.is_symlink() or not path.is_file():
        return hashlib.sha256(path.name.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def grade_one(
    runner: Runner,
    master: Master,
    student: str,
    path: Path,
    taken: MutableMapping[str, Intake] | None = None,
) -> Result:
    """Grade the submission in one file; `taken` gets its Intake, where it can be read."""
    submission = fingerprint(path)
    try:
        intake = take_in(path, master)
    except Unreadable as problem:
        return unreadable(student, master, str(problem), submission, runner.isolation)
    if taken is not None:
        taken[student] = intake
    steps = without_demonstrations(intake.steps, master)
    outcome = _run(runner, steps)
    if len(steps) < len(intake.steps) and lacks_a_demonstration(outcome, master):
        steps = intake.steps
        outcome = _run(runner, steps)
    return judge(student, master, intake, steps, outcome, submission, runner.isolation)


def _run(runner: Runner, steps: Sequence[Step]) -> Outcome:
    def passes(number: int, evidence: list) -> bool:
        return all_pass(steps[number].probes, evidence)

    return runner.run([asdict(step) for step in steps], passes)


def unfinished(master: Master, submissions: Mapping[str, Path], results: Results) -> dict:
    """Those of `submissions` that have no result yet, or one of another file or master."""
    left = {}
    for student, path in submissions.items():
        done = results.read(student, master.lab)
        if done is None or (done.submission, done.master) != (fingerprint(path), master.sha256):
            left[student] = path
    return left


def grade_all(
    master: Master,
    submissions: Mapping[str, Path],
    results: Results,
    *,
    workers: int = 1,
    isolation: str = "sandbox",
    limits: Limits | None = None,
    taken: MutableMapping[str, Intake] | None = None,
) -> Iterator[Result]:
    """Grade what has no result yet, and yield each result once it is written, in any order.

    submissions: the notebook that each student handed in. workers: sandboxes at work at a time.
    taken: gets the Intake of each student before the result comes; whoever uses one takes it out.
    Stopped at any moment, the next call goes on where this one was.
    Raises SandboxError where the sandbox cannot be made; what is written stays.
    """
    here, runners = threading.local(), []

    def work(student: str, path: Path) -> Result:
        if not hasattr(here, "runner"):
            here.runner = Runner(imported_by(master), isolation=isolation, limits=limits)
            runners.append(here.runner)
        result = grade_one(here.runner, master, student, path, taken)
        results.write(result)
        return result

    jobs = iter(unfinished(master, submissions, results).items())
    pool = ThreadPoolExecutor(workers)
    try:
        running: set[Future] = set()
        while True:
            room = workers * WAITING - len(running)
            running |= {pool.submit(work, *job) for job in islice(jobs, room)}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        for runner in runners:
            runner.close()
