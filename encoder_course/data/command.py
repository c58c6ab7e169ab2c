"""``python -m encoder_course docs``: read the installed documentation, and say what was found."""

from __future__ import annotations

import argparse
from collections import Counter

from encoder_course.data.python_docs import python_docs


def main(arguments: list[str] | None = None) -> int:
    """Harvest the corpus, or load it, and print its report."""
    options = argparse.ArgumentParser(prog="python -m encoder_course docs", description=__doc__)
    options.add_argument("--packages", nargs="+", default=None, help="read these packages only")
    options.add_argument("--refresh", action="store_true", help="read again, whatever the cache")
    asked = options.parse_args(arguments)
    corpus = python_docs(asked.packages, refresh=asked.refresh)
    report = corpus.report
    print(
        f"{len(corpus):,} documents of {len(corpus.packages)} packages, from {report.files:,} files"
    )
    documents = Counter(document.package for document in corpus)
    for package, count in documents.most_common(10):
        print(f"{count:>9,} {package} {corpus.packages[package]}")
    for reason, count in sorted(report.skipped.items()):
        print(f"{count:>9,} left out: {reason}")
    return 0
