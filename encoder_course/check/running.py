"""Run a learner's code so that whatever goes wrong becomes one sentence about *their* line."""

from __future__ import annotations

import contextlib
import copy
import dis
import inspect
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import torch

from encoder_course.check.evidence import Stopped, difference, plain, shorten

NOTHING_YET = "Nothing there yet: put your own code in place of `raise NotImplementedError`."
GIVEN = "given: "  # starts the line that says what the code was called with
_NOT_THEIRS = (
    str(Path(__file__).resolve().parents[1]) + os.sep,
    str(sysconfig.get_path("stdlib")) + os.sep,
    "<frozen",
)


def call(answer: Callable, *arguments: Any, **keywords: Any) -> Any:
    """Call `answer` on copies of the arguments and return its result.

    An `observe` function uses it for every call of the learner's code. An error that leaves it
    carries what was given, for `explain` to say.
    Raises `Stopped` where the answer changes an argument in place or returns nothing.
    """
    given = copy.deepcopy((arguments, keywords))
    try:
        result = answer(*given[0], **given[1])
    except Exception as error:
        with contextlib.suppress(Exception):  # a learner's class of errors may refuse
            error.given_by_the_check = _inputs(answer, arguments, keywords)
        raise
    before = dict(enumerate(arguments)) | keywords
    after = dict(enumerate(given[0])) | given[1]
    for name, value in before.items():
        if _changed(value, after[name]):
            label = f"`{name}`" if isinstance(name, str) else _parameter(answer, name)
            raise Stopped(f"it changes its input {label} in place: work on a new one")
    if result is None:
        with_them = _inputs(answer, arguments, keywords)
        raise Stopped(f"it returns None: a `return` is missing{with_them}")
    return result


def explain(error: Exception) -> str:
    """Say what stopped the learner's code and on which of their lines; none of our own frames."""
    frame = error.__traceback__
    theirs = None
    while frame is not None:
        if _is_theirs(frame.tb_frame.f_code):
            theirs = frame
        frame = frame.tb_next
    if isinstance(error, NotImplementedError) and theirs is not None and _raises(theirs):
        return NOTHING_YET
    text = f"it stops with {type(error).__name__}: {str(error).strip() or 'no message'}"
    text += vars(error).get("given_by_the_check", "")
    if theirs is None:
        return text
    file = theirs.tb_frame.f_code.co_filename
    source = linecache.getline(file, theirs.tb_lineno).strip()
    return f"{text}\n{_place(file)}, line {theirs.tb_lineno}{': ' if source else ''}{source}"


def _changed(before: Any, after: Any) -> bool:
    try:
        return difference(plain(after), plain(before)) is not None
    except Stopped:  # a module or a generator: not data, and free to change
        return False


def _inputs(answer: Callable, arguments: tuple, keywords: dict[str, Any]) -> str:
    """What an answer was called with, as a line to put behind a message; "" without arguments."""
    named = [(_parameter(answer, at), value) for at, value in enumerate(arguments)]
    named += [(f"`{name}`", value) for name, value in keywords.items()]
    listed = ", ".join(f"{name} {_described(value)}" for name, value in named)
    return f"\n{GIVEN}{listed}" if named else ""


def _described(value: Any) -> str:
    """A number or a word as it is, of a tensor its shape, of anything else what it is."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return shorten(repr(value), 30)
    if isinstance(value, torch.Tensor):
        return f"of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple, dict, set)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _parameter(answer: Callable, position: int) -> str:
    try:
        # A module's own signature takes anything, and hands it to `forward`.
        named = answer.forward if isinstance(answer, torch.nn.Module) else answer
        names = list(inspect.signature(named).parameters)
    except (TypeError, ValueError):  # a built-in function without a signature
        names = []
    return f"`{names[position]}`" if position < len(names) else f"number {position + 1}"


def _is_theirs(code: CodeType) -> bool:
    file = code.co_filename
    installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return not installed and not file.startswith(_NOT_THEIRS)


def _raises(frame: TracebackType) -> bool:
    """Whether this frame itself said `raise`; torch, too, raises NotImplementedError, from C++."""
    opcode = frame.tb_frame.f_code.co_code[frame.tb_lasti]
    return frame.tb_next is None and dis.opname[opcode] == "RAISE_VARARGS"


def _place(file: str) -> str:
    """Name a file as the learner knows it: `Cell In[3]` in a notebook, else the file's name."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    named = shell.compile.format_code_name(file) if shell else None
    return " ".join(named) if named else os.path.basename(file)
