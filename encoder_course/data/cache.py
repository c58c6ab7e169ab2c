"""Keep a corpus on disk: written in one step, and noticed when cut off or corrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from encoder_course.data.corpus import Corpus, Document, Report


def cache_folder(cache_dir: str | os.PathLike | None = None) -> Path:
    """The argument, or $ENCODER_COURSE_CACHE, or the user's cache directory for this course."""
    chosen = cache_dir or os.environ.get("ENCODER_COURSE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("encoder_course"))


def save(corpus: Corpus, path: Path) -> None:
    """Write gzipped JSON lines beside `path` and rename: readers see the old file or the new.

    Processes that write at the same time each rename a file of their own. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with (
            os.fdopen(handle, "wb") as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=4, mtime=0) as packed,
        ):
            packed.write(_line(dataclasses.asdict(corpus.report)))
            for document in corpus:
                packed.write(_line(document.to_row()))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path: Path) -> Corpus | None:
    """The corpus at `path`, or None when it is absent, cut off, corrupted or of another shape.

    gzip's own checksum covers every byte, and the report says how many documents there must be.
    """
    try:
        with gzip.open(path, "rb") as packed:
            header, *lines = packed.read().splitlines()
        report = json.loads(header)
        report = Report(**report | {"missing": tuple(report["missing"])})
        with _collector_paused():
            corpus = Corpus((Document.from_row(json.loads(line)) for line in lines), report)
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError):
        return None
    return corpus if len(corpus) == report.documents else None


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection while many objects appear and none goes: a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
