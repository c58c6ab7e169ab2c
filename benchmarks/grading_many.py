"""Grade hundreds of submissions in one go, killed twice on the way, and watch the grader's memory.

    python benchmarks/grading_many.py [--lab lab03] [--submissions 500] [--workers 2]

Prints the resident memory of the grader's own process as the results come, how long it all took,
and whether each submission has one result, written once, and its points in the gradebook.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from grading import hand_in, run, scores

from encoder_course.grade.results import Results

STEP = 50  # results between two looks at the memory


def written(results: Path) -> dict[str, int]:
    """When each result was written, in nanoseconds."""
    return {path.stem: path.stat().st_mtime_ns for path in results.glob("[!.]*.json")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="lab03")
    parser.add_argument("--submissions", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    grade = (sys.executable, "-m", "encoder_course", "grade")
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        run(*grade, "init", course, folder=Path(folder))
        run(*grade, "release", options.lab, folder=course)
        students = hand_in(course, options.lab, options.submissions, rounds=1)
        results = course / "results" / options.lab
        results.mkdir(parents=True)
        command = [*grade, "run", options.lab, "--workers", str(options.workers)]
        started, seen = time.perf_counter(), written(results)
        rewritten = 0
        for stop_at in (len(students) * 3 // 10, len(students) * 6 // 10, None):
            process = subprocess.Popen(command, cwd=course, stderr=subprocess.DEVNULL)
            watched, next_look = psutil.Process(process.pid), len(seen) + STEP
            while process.poll() is None:
                time.sleep(0.2)
                done = len(list(results.glob("[!.]*.json")))
                if done >= next_look and watched.is_running():
                    next_look += STEP
                    memory = watched.memory_info().rss / 2**20
                    print(f"{done:4} results, the grader holds {memory:.0f} MB", flush=True)
                if stop_at is not None and done >= stop_at:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    print(f"killed at {done} results", flush=True)
            now = written(results)
            rewritten += sum(now[student] != when for student, when in seen.items())
            seen = now
        took = time.perf_counter() - started
        points = scores(course, options.lab, students)
        found = {one.student: one.points for one in Results(results.parent).all(options.lab)}
    print(
        f"{len(found)} results of {len(students)} submissions in {took:.0f} s; "
        f"{rewritten} written again; gradebook {'equal' if points == found else 'DIFFERS'}"
    )


if __name__ == "__main__":
    main()
