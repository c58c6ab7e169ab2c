"""Read many source files: in a few processes where there is much to read, or in this one."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from encoder_course.data.corpus import Document
from encoder_course.data.harvest import Unreadable, docstrings, read_source
from encoder_course.data.parse import parse
from encoder_course.progress import track

FEWEST_FILES = 500  # below this, starting processes costs more than it saves
MOST_WORKERS = 8


class SourceFile(NamedTuple):
    """One file to read and what its documents are to be labelled with."""

    package: str
    version: str
    module: str
    path: str


@dataclass(frozen=True)
class Reading:
    """What one file gave: its documents, what was left out by reason, and its length if parsed."""

    documents: list[Document]
    skipped: dict[str, int]
    size: int | None


def read_file(file: SourceFile) -> Reading:
    """Parse one file. Never raises: a file that cannot be read is counted under its reason."""
    try:
        source = read_source(file.path)
        objects = docstrings(source, file.module)
    except Unreadable as reason:
        return Reading([], {str(reason): 1}, None)
    documents, skipped = [], Counter()
    for docstring in objects:
        parsed, short = parse(docstring, file.package, file.version)
        documents += parsed
        skipped += short
    return Reading(documents, dict(skipped), len(source))


def read_files(files: Sequence[SourceFile], progress: bool = True) -> list[Reading]:
    """What each file gave, in the order of `files`, however many processes did the work."""
    readings: list[Reading | None] = [None] * len(files)
    workers = min(os.cpu_count() or 1, MOST_WORKERS) if len(files) >= FEWEST_FILES else 1
    with track(None, "read", progress, total=len(files), unit=" files") as bar:

        def share(first: int) -> None:
            numbers = range(first, len(files), workers)
            for number, reading in _in_process([files[n] for n in numbers]):
                readings[numbers[number]] = reading
                bar.update()

        if workers > 1:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(share, range(workers)))
        for number, reading in enumerate(readings):
            if reading is None:  # no workers, or one that died: its files are read here
                readings[number] = read_file(files[number])
                bar.update()
    return readings


def _in_process(files: list[SourceFile]) -> Iterator[tuple[int, Reading]]:
    """Readings from a Python of its own, as JSON lines; fewer than `files` if it fails.

    A plain child process, unlike `multiprocessing`, neither copies this process with its threads
    nor runs the caller's main module again.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "encoder_course.data.reading"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        with subprocess.Popen(command, env=environment, text=True, **pipes) as worker:
            with worker.stdin:
                json.dump(files, worker.stdin)
            for number, line in enumerate(worker.stdout):
                rows, skipped, size = json.loads(line)
                yield number, Reading([Document.from_row(row) for row in rows], skipped, size)
    except (OSError, ValueError, TypeError):
        return


def _main() -> None:
    """The child's side: files as JSON on standard input, one line of JSON out for each."""
    gc.disable()  # short-lived process, and the collector would scan every syntax tree
    for file in json.load(sys.stdin):
        reading = read_file(SourceFile(*file))
        rows = [document.to_row() for document in reading.documents]
        print(json.dumps([rows, reading.skipped, reading.size]))


if __name__ == "__main__":
    _main()
