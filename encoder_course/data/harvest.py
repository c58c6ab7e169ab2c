"""Take the docstrings out of a Python source file through its syntax tree, never importing it."""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Stands for a value that only running the code could supply; cleaning drops its paragraph.
PLACEHOLDER = "{placeholder}"
_HEADING = re.compile(r"^(\S.*)\n([*=~\"-])\2{2,}$", re.M)


class Unreadable(Exception):
    """A file that cannot be read; its message is the reason that the report counts."""


@dataclass(frozen=True)
class Docstring:
    """The raw documentation of one object."""

    name: str
    kind: str
    text: str


def read_source(path: str | os.PathLike) -> str:
    """The text of a source file in the encoding that it declares. Raises `Unreadable`."""
    try:
        path = Path(path)
        if not path.is_file():  # a pipe or a device would block
            raise Unreadable("unreadable")
        raw = path.read_bytes()
    except OSError:
        raise Unreadable("unreadable") from None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        return raw.decode(encoding)
    except (UnicodeDecodeError, SyntaxError, LookupError):
        raise Unreadable("undecodable") from None


def docstrings(source: str, module: str) -> list[Docstring]:
    """Every docstring in a source text, with its qualified name, in the order of the file.

    Besides the ordinary ones, finds documentation that code attaches to compiled objects, as
    `torch._torch_docs` and `numpy._core._add_newdocs` do. Raises `Unreadable`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            tree = ast.parse(source)
        if module.startswith("pydoc_data.topics"):
            return list(_topics(tree))
        return list(_walk(tree, module))
    except SyntaxError:
        raise Unreadable("syntax error") from None
    except ValueError:  # null bytes, before Python 3.12
        raise Unreadable("syntax error") from None
    except (RecursionError, MemoryError):
        raise Unreadable("too deeply nested") from None


def _walk(tree: ast.Module, module: str) -> Iterator[Docstring]:
    """Visit statements with an explicit stack: long elif chains nest deeper than recursion may."""
    stack: list[tuple[ast.AST, str]] = [(tree, module)]
    while stack:
        node, scope = stack.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kind = {ast.Module: "module", ast.ClassDef: "class"}.get(type(node), "function")
            scope = scope if kind == "module" else f"{scope}.{node.name}"
            text = ast.get_docstring(node, clean=False)
            if text:
                yield Docstring(scope, kind, text)
        elif isinstance(node, ast.Expr | ast.Assign):
            yield from _attached(node, scope)
            continue
        children = [
            child
            for part in ("body", "handlers", "orelse", "finalbody", "cases")
            for child in getattr(node, part, ())
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]
        stack.extend((child, scope) for child in reversed(children))


def _attached(node: ast.Expr | ast.Assign, scope: str) -> Iterator[Docstring]:
    """Documentation given as an argument: add_docstr(torch.abs, "..."), add_newdoc(m, n, "...")."""
    call = node.value
    if not isinstance(call, ast.Call):
        return
    function = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
    if "add_docstr" not in function and "add_newdoc" not in function:
        return
    *targets, last = call.args or [ast.Constant("")]
    if function == "add_docstr_all":
        path = ["torch.Tensor"]
    else:
        path = [scope] if function == "add_newdoc" and len(targets) == 1 else []
    path += [_string(t) or ast.unparse(t) for t in targets]
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        path = [scope, node.targets[0].id]
    pairs = last.elts if isinstance(last, ast.List) else [last]
    for pair in pairs:
        attribute, text = pair.elts if _is_pair(pair) else (None, pair)
        name = ".".join([*path, *([_string(attribute)] if attribute else [])])
        documentation = _string(text)
        if documentation:
            yield Docstring(name.removesuffix("."), "function", documentation)


def _is_pair(node: ast.AST) -> bool:
    return isinstance(node, ast.Tuple) and len(node.elts) == 2


def _string(node: ast.AST | None) -> str:
    """The text of a string expression, with what only running it would tell left as holes."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _string(left) + _string(right)
        case ast.BinOp(left=left, op=ast.Mod()):
            return _string(left)
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            return _string(value).replace("{{", "{").replace("}}", "}")
        case ast.JoinedStr(values=values):
            return "".join(_string(value) for value in values)
        case ast.FormattedValue():
            return PLACEHOLDER
    return ""


def _topics(tree: ast.Module) -> Iterator[Docstring]:
    """The language reference that `help("if")` shows: long texts, one part under each heading."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            parts = _HEADING.split(_string(value))
            for heading, text in zip(parts[1::3], parts[3::3], strict=True):
                part = re.sub(r"\W+", "-", heading.lower()).strip("-")
                yield Docstring(f"pydoc_data.topics.{_string(key)}.{part}", "topic", text)
