"""Grade on a Dask cluster: each worker has a sandbox of its own, and one place writes results."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from encoder_course.grade.judge import unreadable
from encoder_course.grade.limits import Limits
from encoder_course.grade.master import Master
from encoder_course.grade.notebook_json import MOST_BYTES
from encoder_course.grade.pool import fingerprint, grade_one, imported_by, unfinished
from encoder_course.grade.results import Result, Results
from encoder_course.grade.runner import Runner

SHARD = 8  # submissions in one task
SHARDS_AHEAD = 2  # for each thread of the cluster: the rest waits here

_here = threading.local()


def grade_on_cluster(
    master: Master,
    submissions: Mapping[str, Path],
    results: Results,
    *,
    address: str,
    isolation: str = "sandbox",
    limits: Limits | None = None,
) -> Iterator[Result]:
    """Grade what has no result yet on the cluster at `address`, such as tcp://10.0.0.5:8786.

    The machines of the cluster have the course installed, and bubblewrap. A shard whose worker is
    lost is graded by another one. Raises OSError where there is no cluster, SandboxError where a
    worker cannot make the sandbox; what is written stays.
    """
    from distributed import Client, as_completed

    with Client(address, timeout="10s", set_as_default=False) as client:
        jobs = iter(unfinished(master, submissions, results).items())
        running = as_completed(with_results=True, loop=client.loop)

        def send(count: int) -> None:
            for _ in range(count):
                if shard := list(islice(jobs, SHARD)):
                    files = {student: contents(path) for student, path in shard}
                    future = client.submit(
                        grade_shard, master, files, isolation, limits, pure=False, retries=2
                    )
                    running.add(future)

        send(SHARDS_AHEAD * max(1, sum(client.nthreads().values())))
        for _, texts in running:
            for text in texts:
                result = Result.from_json(text)
                submission = fingerprint(submissions[result.student])
                result = replace(result, submission=submission)
                results.write(result)
                yield result
            send(1)


def contents(path: Path) -> bytes | None:
    """What a student handed in, to be sent to another machine; None for what is no file to read."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    return path.read_bytes()


def grade_shard(
    master: Master, files: Mapping[str, bytes | None], isolation: str, limits: Limits | None
) -> list[str]:
    """Grade some submissions on the machine that this runs on; each result as JSON."""
    found = []
    for student, data in files.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{master.lab}.ipynb"
            if data is None:
                why = "what was handed in is no ordinary file, or a very large one"
                result = unreadable(student, master, why, "", isolation)
            else:
                path.write_bytes(data)
                result = grade_one(_runner(master, isolation, limits), master, student, path)
        found.append(result.to_json())
    return found


def _runner(master: Master, isolation: str, limits: Limits | None) -> Runner:
    """This thread's runner, kept from one shard of a lab to the next."""
    wanted = (master.sha256, isolation, limits)
    if getattr(_here, "serves", None) != wanted:
        if hasattr(_here, "runner"):
            _here.runner.close()
        _here.runner = Runner(imported_by(master), isolation=isolation, limits=limits)
        _here.serves = wanted
    return _here.runner
