"""The corpus of the course: the documentation of the Python environment it runs in."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator

from encoder_course.data.cache import cache_folder, load, save
from encoder_course.data.corpus import Corpus, Document, Report
from encoder_course.data.duplicates import duplicates
from encoder_course.data.reading import SourceFile, read_files
from encoder_course.data.sources import DEFAULT_PACKAGES, Package, find_packages

FORMAT = 3  # raise it when the same sources would give other documents


def python_docs(
    packages: Iterable[str] | None = None,
    cache_dir: str | os.PathLike | None = None,
    refresh: bool = False,
    progress: bool = True,
) -> Corpus:
    """Read the documentation of installed packages, or load what an earlier call has read.

    `packages` are import names, "python" standing for the standard library; by default, those of
    `DEFAULT_PACKAGES` that are installed. Files are parsed, never imported; what cannot be read is
    counted in `corpus.report`. The cache is keyed by the packages, their versions and Python's:
    pass `refresh=True` after editing a package without raising its version. Raises ValueError if
    none of the packages is installed.
    """
    if isinstance(packages, str):
        raise ValueError(f"packages must be a list of names, but got the string {packages!r}")
    found, missing = find_packages(DEFAULT_PACKAGES if packages is None else packages)
    if not found:
        raise ValueError(f"none of these packages is installed here: {', '.join(missing)}")
    path = cache_folder(cache_dir) / f"python_docs-{_key(found, missing)}.jsonl.gz"
    corpus = None if refresh else load(path)
    if corpus is None:
        corpus = _harvest(found, missing, progress)
        try:
            save(corpus, path)
        except OSError as error:
            warnings.warn(f"the corpus could not be kept for next time: {error}", stacklevel=2)
    return corpus


def _key(found: list[Package], missing: list[str]) -> str:
    versions = [(package.name, package.version) for package in found]
    described = json.dumps([FORMAT, platform.python_version(), versions, missing])
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _harvest(found: list[Package], missing: list[str], progress: bool) -> Corpus:
    started = time.perf_counter()
    files = [
        SourceFile(package.name, package.version, module, str(path))
        for package in found
        for module, path in package.files()
    ]
    skipped: Counter[str] = Counter({"missing package": len(missing)})
    documents: dict[tuple[str, str], Document] = {}
    read = size = 0
    for reading in read_files(files, progress):
        skipped.update(reading.skipped)
        if reading.size is not None:
            read, size = read + 1, size + reading.size
        for document in reading.documents:
            kept = documents.setdefault((document.name, document.section), document)
            skipped["same name"] += kept is not document
    kept = list(_distinct(list(documents.values()), skipped))
    seconds = round(time.perf_counter() - started, 1)
    skipped = {reason: count for reason, count in sorted(skipped.items()) if count}
    return Corpus(kept, Report(read, size, len(kept), skipped, tuple(missing), seconds))


def _distinct(documents: list[Document], skipped: Counter[str]) -> Iterator[Document]:
    exact, near = duplicates([document.text for document in documents])
    skipped["exact duplicate"] += len(exact)
    skipped["near duplicate"] += len(near)
    dropped = {*exact, *near}
    return (document for i, document in enumerate(documents) if i not in dropped)
