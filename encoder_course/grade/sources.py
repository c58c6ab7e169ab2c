"""Read the source of cells without parsing them.

Students' cells hold magics and mistakes, and Python's parser can be brought down by what it reads;
so these look at lines only, in time that grows with the length.
"""

from __future__ import annotations

import re

BLOCK = re.compile(r"^(?:async[ \t]{1,9})?(?:def|class)[ \t]{1,9}(\w+)", re.MULTILINE)
WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")


def normal(text: str) -> str:
    """Text without blanks at the ends of lines, and without blank lines around it."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def defined_names(source: str) -> frozenset[str]:
    """The names that a cell defines at its top level: functions, classes and values."""
    found = set(BLOCK.findall(source))
    for line in source.split("\n"):
        left, equals, right = line.partition("=")
        if equals and not right.startswith("=") and not line[:1].isspace():
            names = [name.strip(" \t()") for name in left.partition(":")[0].split(",")]
            found.update(names if all(name.isidentifier() for name in names) else ())
    return frozenset(found)


def words_in(source: str) -> frozenset[str]:
    """Every word of a source that could be a name, and is no attribute of something else."""
    return frozenset(WORD.findall(source))


def only_checks(source: str) -> bool:
    """Whether a cell calls exercises and does nothing else; so does one without any code."""
    lines = (line for line in source.split("\n") if line.strip() and not line.startswith("#"))
    return all(line.startswith(("check.", " ", "\t", ")")) for line in lines)


def heading(text: str) -> str:
    """The heading that a Markdown cell begins with; "" where it begins otherwise."""
    first = text.lstrip().partition("\n")[0].strip()
    return first if first.startswith("#") else ""


def lines_of(text: str) -> frozenset[str]:
    """The different lines of a text, without their indents."""
    return frozenset(line.strip() for line in text.split("\n")) - {""}
