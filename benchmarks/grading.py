"""Grade the same submissions with nbgrader's own autograder and with the course's grader.

    python benchmarks/grading.py [--lab lab03] [--submissions 100] [--rounds 5] [--share 20]

Every submission is an honest one: the lab's solution with some answers left as released. Each
round grades all of them with the course's grader, every protection on, one at a time, and a share
of them with nbgrader as it is installed, whose cost per submission hardly depends on how many there
are. It does so twice: as handed in, and with the lab's demonstrations taken out beforehand, since
the course's grader does not run those either. CPU time is that of all processes that each command
starts. The scores of those that both have graded are compared in the end. It has to be run as root:
see `accounted`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from encoder_course.grade.master import read_master
from encoder_course.grade.needed import demonstrations
from encoder_course.grade.sources import normal

BIN = Path(sys.executable).parent
OURS, THEIRS, LEAN = "this course", "nbgrader", "nbgrader, demonstrations taken out"
CONTROL_GROUPS = Path("/sys/fs/cgroup/cpuacct")


def run(*command: object, folder: Path) -> tuple[float, float]:
    """Run a command; CPU and wall seconds. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryFile() as said, accounted() as (enter, spent):
        started = time.perf_counter()
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=folder, stdout=said, stderr=said, preexec_fn=enter)
        wall = time.perf_counter() - started
        if done.returncode not in (0, 1):  # 1: something was left out; the scores will tell
            said.seek(0)
            sys.stderr.write(said.read().decode())
            done.check_returncode()
        return spent(), wall


@contextlib.contextmanager
def accounted() -> Iterator[tuple[Callable[[], None], Callable[[], float]]]:
    """Count the CPU seconds of a process and all that it starts: how to join, and how to read.

    A control group counts also processes that nobody waits for, as those inside bubblewrap.
    Raises OSError where none can be made: it needs root and the controller cpuacct.
    """
    group = CONTROL_GROUPS / f"encoder-course-{os.getpid()}"
    group.mkdir()
    try:
        yield (
            lambda: (group / "tasks").write_text(str(os.getpid())),
            lambda: int((group / "cpuacct.usage").read_text()) / 1e9,
        )
    finally:
        time.sleep(0.5)  # the last processes are on their way out
        group.rmdir()


def hand_in(course: Path, lab: str, count: int, rounds: int, share: int) -> list[str]:
    """Put `count` honest submissions into a course, and return the students' names.

    `share` of them for each round have a name that starts with it, the others have "rest".
    """
    draw = random.Random(0)
    solved = json.loads((course / "source" / lab / f"{lab}.ipynb").read_text("utf-8"))
    released = json.loads((course / "release" / lab / f"{lab}.ipynb").read_text("utf-8"))
    students = []
    for number in range(count):
        notebook = json.loads(json.dumps(released))
        for cell, answer in zip(notebook["cells"], solved["cells"], strict=True):
            if cell["metadata"].get("nbgrader", {}).get("solution") and draw.random() < 0.8:
                cell["source"] = answer["source"]
        turn = f"round{number % rounds}" if number < share * rounds else "rest"
        student = f"{turn}-student{number:03d}"
        folder = course / "submitted" / student / lab
        folder.mkdir(parents=True)
        (folder / f"{lab}.ipynb").write_text(json.dumps(notebook), "utf-8")
        students.append(student)
    return students


# The course's own settings would have nbgrader's autograder call the course's grader.
SETTINGS = """\
from encoder_course.grade.course import as_released

c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "course"
c.CourseDirectory.db_url = "sqlite:///{root}/gradebook.db"
as_released(c)
"""


def for_nbgrader(course: Path, copy: Path) -> None:
    """Copy a course, with settings that leave nbgrader's autograder as it is installed."""
    shutil.copytree(course, copy)
    (copy / "nbgrader_config.py").write_text(SETTINGS.format(root=str(copy)), "utf-8")


def take_demonstrations_out(course: Path, lab: str) -> None:
    """Empty the cells of each submission that the course's grader would not run."""
    spare = demonstrations(read_master(course / "source" / lab / f"{lab}.ipynb"))
    for path in (course / "submitted").rglob("*.ipynb"):
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and normal(source) in spare:
                cell["source"] = ""
        path.write_text(json.dumps(notebook), "utf-8")


def scores(course: Path, lab: str, students: list[str]) -> dict[str, float]:
    """The automatic points of each student in a course's gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        found = {s: book.find_submission(lab, s) for s in students}
        return {
            student: sum(grade.auto_score or 0 for grade in submission.notebooks[0].grades)
            for student, submission in found.items()
        }


def quartiles(values: list[float]) -> str:
    """Median and quartiles, as text."""
    if len(values) == 1:
        return f"{values[0]:.3g}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="lab03")
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=int, default=20, help="what nbgrader grades in a round")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    grade = (sys.executable, "-m", "encoder_course", "grade")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, lean = (Path(folder) / name for name in ("ours", "theirs", "lean"))
        run(*grade, "init", ours, folder=Path(folder))
        run(*grade, "release", options.lab, folder=ours)
        students = hand_in(ours, options.lab, options.submissions, options.rounds, options.share)
        for_nbgrader(ours, theirs)
        for_nbgrader(ours, lean)
        take_demonstrations_out(lean, options.lab)
        autograde = (BIN / "nbgrader", "autograde", options.lab)
        again = (*grade, "run", options.lab, "--again", "--workers", "1")
        cost: dict[str, list[tuple[float, float]]] = {THEIRS: [], LEAN: [], OURS: []}
        for turn in range(options.rounds):
            share = len([s for s in students if s.startswith(f"round{turn}-")])
            some = f"--student=round{turn}-*"
            commands = {
                THEIRS: ((*autograde, some), theirs, share),
                LEAN: ((*autograde, some), lean, share),
                OURS: (again, ours, len(students)),
            }
            for name in list(commands)[:: 1 if turn % 2 else -1]:
                command, course, count = commands[name]
                cpu, wall = run(*command, folder=course)
                cost[name].append((cpu / count, wall / count))
                print(f"round {turn}: {name} {cost[name][-1][0]:.3f} CPU s", flush=True)
        both = [student for student in students if student.startswith("round")]
        found = [scores(course, options.lab, both) for course in (ours, theirs, lean)]
    print(f"\n{len(students)} submissions of {options.lab}; seconds for one of them\n")
    print("| | CPU s | wall s |\n|---|---:|---:|")
    for name, spent in cost.items():
        cpu, wall = zip(*spent, strict=True)
        print(f"| {name} | {quartiles(list(cpu))} | {quartiles(list(wall))} |")
    for name in (THEIRS, LEAN):
        pairs = list(zip(cost[name], cost[OURS], strict=True))
        for kind, place in (("CPU", 0), ("wall", 1)):
            ratio = quartiles([other[place] / course[place] for other, course in pairs])
            print(f"\n{kind} time of {name} over ours, within each round: {ratio}")
    same = found[0] == found[1] == found[2]
    print(f"\nscores {'equal' if same else 'DIFFER'} for all {len(both)} that both graded")


if __name__ == "__main__":
    main()
