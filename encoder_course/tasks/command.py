"""``python -m encoder_course index`` and ``ask``: the documentation assistant on a command line."""

from __future__ import annotations

import argparse
import sys
import time

from encoder_course.tasks.assistant import PLACES, PackageIndex
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.generate import configured_generator


def index(arguments: list[str] | None = None) -> int:
    """Read and encode the documentation of the installed packages, so that `ask` can use it."""
    parser = argparse.ArgumentParser(
        prog="python -m encoder_course index", description=index.__doc__
    )
    parser.add_argument("packages", nargs="*", help=f"import names; by default {', '.join(PLACES)}")
    asked = parser.parse_args(arguments)
    started = time.perf_counter()
    try:
        known = PackageIndex(SentenceEncoder.minilm())
        changed = known.update(asked.packages or None)
        assistant = known.assistant()
    except (OSError, ValueError) as error:  # a full disk is an OSError; what was written stays
        print(error, file=sys.stderr)
        return 1
    passages = assistant.search.documents
    for package in changed:
        count = sum(passage.package == package.name for passage in passages)
        print(f"{count:>9,} {package.name} {package.version}")
    packages = len({passage.package for passage in passages})
    print(f"{len(passages):,} passages of {packages} packages are indexed,", end=" ")
    print(f"{len(changed)} packages anew, in {time.perf_counter() - started:.0f} s")
    return 0


def ask(arguments: list[str] | None = None) -> int:
    """Answer a question about the installed packages, with the sources of the answer."""
    parser = argparse.ArgumentParser(prog="python -m encoder_course ask", description=ask.__doc__)
    parser.add_argument("question", nargs="+", help="in plain English")
    question = " ".join(parser.parse_args(arguments).question)
    try:
        generator = configured_generator()
        answer = PackageIndex(SentenceEncoder.minilm()).assistant(generator).ask(question)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(answer)
    return 0
