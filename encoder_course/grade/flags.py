"""Point a human at cells that reach for an answer instead of giving one.

Nothing is forbidden by this and no points are lost: the sandbox and the trusted judge are what
keeps grading safe. A flag only says where to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from encoder_course.grade.master import Master, MasterCell
from encoder_course.grade.notebook_json import ReadCell
from encoder_course.grade.sources import lines_of, normal, words_in

TRICKS = {  # what a cell that has one of these words in it does
    "holds right answers or wrong ideas of the checks": r"\.(?:reference|misconceptions|_known|"
    r"_evidence|_observed)\b|\bcheck(?:\.\w{1,60}){1,3}\.(?:expected|cases|observe|hidden|probe|"
    r"judge)\b",
    "is the inside of the checks or of the grader": r"\bencoder_course[. ](?:import )?(?:check\.\w|"
    r"grade\b|labs\.)|\bfrom encoder_course\.check\b|\bright_answers\b|\ball_exercises\b|"
    r"\bexercises_of\b|\b(?:vars|dir|getattr|setattr)\(check\b|"
    r"^[ \t]{0,40}check\.[\w.]{1,99} ?=[^=]",
    "finds objects and modules by a detour": r"\bimportlib\b|\b__import__\b|\bsys\.modules\b|"
    r"\b(?:import |from )(?:gc|inspect|ctypes)\b|\b_getframe\b|\bf_back\b|"
    r"\b__(?:subclasses|globals|closure|builtins|loader|spec)__\b",
    "reaches out of Python": r"\bsubprocess\b|\bos\.(?:system|popen|exec\w*|fork|kill|_exit)\b|"
    r"\bsocket\b|\burlopen\b|\brequests\.\w|^[ \t]{0,40}(?:!|%%(?:bash|sh|script)\b)",
}
PATTERNS = {what: re.compile(pattern, re.MULTILINE) for what, pattern in TRICKS.items()}
PARTS = re.compile(  # imports of what exercises ask for
    r"^[ \t]{0,40}from (?:encoder_course(?:\.(?:nn|text|hf|pretrain|tasks|microscope)[\w.]{0,60})?|"
    r"transformers[\w.]{0,60}) import ([^\n()]{1,300}|\([^()]{1,600}\))",
    re.MULTILINE,
)
WHOLE = re.compile(
    r"^[ \t]{0,40}import (?:encoder_course|transformers)[\w.]{0,60}(?: as (\w+))?", re.MULTILINE
)
COMMON = frozenset(("as", "check", "viz", "encoder_course", "transformers"))  # are no answers
LONGEST = 40  # characters of a word that is quoted


def find_flags(
    cells: Iterable[ReadCell], chosen: Mapping[str, ReadCell], master: Master
) -> list[str]:
    """Sentences on cells of a submission that a human should look at; cells of ours have none.

    chosen: the cell of each grade_id. Also flagged: an answer that takes a part of the course or of
    Transformers which the master's own answer does not take, and one that asks `earlier` for this
    very lab.
    """
    ours = {normal(cell.released) for cell in master.cells}
    text_of_master = "\n".join(cell.source for cell in master.cells if cell.kind == "code")
    code = [cell for cell in cells if cell.kind == "code" and cell.text not in ours]
    flags = []
    for cell in code:
        for what, pattern in PATTERNS.items():
            found = (" ".join(one[0].split()) for one in pattern.finditer(cell.source))
            word = next((word for word in found if word not in text_of_master), None)
            if word is not None:
                flags.append(f"Cell {cell.place + 1} has `{word[:LONGEST]}` in it, which {what}.")
        if re.search(rf"\bearlier\(\s{{0,9}}['\"]{re.escape(master.lab)}['\"]", cell.source):
            flags.append(f"Cell {cell.place + 1} takes answers of this lab by `earlier`.")
    parts = _imported(text_of_master).union(*(_imported(cell.source) for cell in code))
    parts -= frozenset().union(*(cell.defines for cell in code))
    for grade_id, cell in chosen.items():
        of = master.marked[grade_id]
        if of.role == "answer" and cell.text not in ours:
            flags += [
                f"Cell {cell.place + 1}, the answer {grade_id}, uses `{word[:LONGEST]}` of a"
                " library that has what the exercise asks for."
                for word in sorted(parts & _own_words(cell, of))
            ]
    return flags


def _imported(source: str) -> frozenset[str]:
    """The names that a source gets from the parts of the course, or from Transformers."""
    names = [words_in(found[1]) for found in PARTS.finditer(source)]
    whole = [{found[1] or found[0].split()[1].split(".")[0]} for found in WHOLE.finditer(source)]
    return frozenset().union(*names, *whole) - COMMON


def _own_words(cell: ReadCell, of: MasterCell) -> frozenset[str]:
    """The words of an answer that the master's has not, comments and local variables left out."""
    lines = [line.partition("#")[0] for line in cell.lines - lines_of(of.released)]
    local = {line.partition("=")[0].strip() for line in lines}
    return words_in("\n".join(lines)) - words_in(of.source) - local
