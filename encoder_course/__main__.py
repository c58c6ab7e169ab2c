"""`python -m encoder_course COMMAND`: the course's commands, each in a module of its own."""

import argparse
import gc
import sys
from collections.abc import Callable
from importlib import import_module


def docs(arguments: list[str] | None = None) -> int:
    """Read the installed documentation into the corpus, and say what was kept and left out."""
    parser = argparse.ArgumentParser(prog="encoder_course docs", description=docs.__doc__)
    parser.add_argument("packages", nargs="*", help="import names; by default the course's choice")
    parser.add_argument("--refresh", action="store_true", help="read anew what is in the cache")
    options = parser.parse_args(arguments)
    from encoder_course.data.python_docs import python_docs

    report = python_docs(options.packages or None, refresh=options.refresh).report
    print(f"{report.documents:,} documents kept from {report.files:,} files", end=" ")
    print(f"({report.bytes / 1e6:.0f} MB of source, read in {report.seconds:.0f} s)")
    for reason, count in report.skipped.items():
        print(f"{count:10,} left out: {reason}")
    if report.missing:
        print(f"not installed here: {', '.join(report.missing)}")
    return 0


# A command's module is imported when the command is given: most need torch, some need Jupyter.
COMMANDS = {
    "doctor": ("encoder_course.doctor", "main", "what is here, what is missing, what brings it"),
    "docs": (__name__, "docs", "read the installed documentation into the corpus"),
    "index": ("encoder_course.tasks.command", "index", "index the installed documentation"),
    "ask": ("encoder_course.tasks.command", "ask", "answer a question from that documentation"),
    "pretrain": ("encoder_course.pretrain.command", "main", "pretrain the course encoder"),
    "grade": ("encoder_course.grade.command", "main", "hand out, collect and grade the labs"),
    "notebooks": ("encoder_course.notebooks", "main", "execute and normalise the notebooks"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command with the arguments that follow its name, and return its exit status."""
    listing = "\n".join(f"  {name:10} {what}" for name, (_, _, what) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="encoder_course",
        epilog=f"commands (each has --help):\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    options = parser.parse_args(arguments)
    module, function, _ = COMMANDS[options.command]
    command: Callable[[list[str]], int] = getattr(import_module(module), function)
    return command(options.arguments)


if __name__ == "__main__":
    status = main()
    gc.freeze()  # or leaving walks through all that torch has made, in half a second
    sys.exit(status)
