"""What a check sees: plain data out of a learner's answer, and words for how two pieces differ.

Evidence holds no object the learner made, so that it can cross from an untrusted process to the
one that judges it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import isclose  # bound before a learner's code can put another in its place

SEVERAL = "list, tuple or set"  # which of them it was, evidence does not tell


class Stopped(Exception):
    """The answer cannot be looked at any further; the text is what the learner reads."""


def plain(value: Any) -> Any:
    """Return `value` as tensors, numbers, strings, lists and dicts only, sharing no memory.

    Tuples become lists, sets become sorted lists, NumPy arrays become tensors.
    Raises `Stopped` for anything that is not data.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor).cpu().clone()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [plain(item) for item in sorted(value, key=repr)]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if type(value).__module__ == "numpy":
        is_numeric_array = getattr(value, "ndim", 0) > 0 and value.dtype.kind in "biufc"
        return torch.tensor(value) if is_numeric_array else plain(value.tolist())
    raise Stopped(f"it gives {_a(value)}, and only tensors, numbers, strings or lists can be right")


def difference(got: Any, want: Any, tolerance: int | float = 0.0) -> str | None:
    """Say how `got` differs from `want` without saying what `want` is; None where they agree.

    Both are `plain`. Floating-point numbers may differ by `tolerance`, absolute or relative;
    integers, truth values and strings by nothing.
    """
    if isinstance(got, torch.Tensor) and got.ndim == 0 and type(want) in (bool, int, float):
        got = got.item()  # a loss without .item() will do where a number is asked for
    asked = (int, float) if type(want) in (int, float) else (type(want),)
    if type(got) not in asked:
        return f"it is {_a(got)}, and {'a number' if len(asked) > 1 else _a(want)} is needed"
    if isinstance(want, torch.Tensor):
        return _tensor_difference(got, want, tolerance)
    if len(asked) > 1:
        return _number_difference(got, want, tolerance)
    if isinstance(want, dict):
        return _dict_difference(got, want, tolerance)
    if isinstance(want, list):
        return _list_difference(got, want, tolerance)
    return None if got == want else f"{shorten(repr(got))} is not it"


def shorten(text: str, width: int = 60) -> str:
    """Return `text` with its middle left out where it is longer than `width` characters."""
    half = width // 2 - 1
    return text if len(text) <= width else f"{text[:half]} … {text[-half:]}"


def _a(value: Any) -> str:
    """Name the type of `value` with its article: "a tensor", "an int"."""
    known = {torch.Tensor: "tensor", str: "string", bool: "truth value", list: SEVERAL}
    name = known.get(type(value), type(value).__name__)
    if value is None:
        return "None"
    return f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"


def _tensor_difference(got: torch.Tensor, want: torch.Tensor, tolerance: int | float) -> str | None:
    if got.shape != want.shape:
        return f"the shape is {tuple(got.shape)}, and {tuple(want.shape)} is needed"
    if got.dtype != want.dtype:
        given, needed = (str(t.dtype).removeprefix("torch.") for t in (got, want))
        return f"the dtype is {given}, and {needed} is needed"
    if not (want.is_floating_point() or want.is_complex()):
        tolerance = 0.0
    wide = torch.complex128 if want.is_complex() else torch.float64
    got, want = got.to(wide), want.to(wide)
    if (nan := got.isnan() & ~want.isnan()).any():
        return f"it is NaN{_at_first(nan)}"
    wrong = ~isclose(got, want, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not wrong.any():
        return None
    first = tuple(wrong.nonzero()[0].tolist())
    value, gap = got[first].item(), (got - want)[first].abs().item()
    seen = f"your value{_at_first(wrong)} is {value:.4g}, off by about {gap:.1g}"
    return f"{seen} ({int(wrong.sum())} of {wrong.numel()} values differ)" if want.ndim else seen


def _at_first(marked: torch.Tensor) -> str:
    index = marked.nonzero()[0].tolist()
    return f" at {index}" if index else ""


def _number_difference(got: int | float, want: int | float, tolerance: int | float) -> str | None:
    if isinstance(want, int):
        tolerance = 0.0  # a count of parameters is right to the last digit or wrong
    if math.isclose(got, want, rel_tol=tolerance, abs_tol=tolerance):
        return None
    shown = str(got) if isinstance(got, int) else f"{got:.6g}"
    if math.isnan(got) or math.isnan(want):
        return None if math.isnan(got) and math.isnan(want) else f"{shown} is not it"
    return f"{shown} is too {'large' if got > want else 'small'}"


def _dict_difference(got: dict, want: dict, tolerance: int | float) -> str | None:
    for key in want:
        if key not in got:
            return f"`{key}` is missing"
        if found := difference(got[key], want[key], tolerance):
            return f"for `{key}`: {found}"
    extra = [key for key in got if key not in want]
    return f"`{shorten(extra[0])}` is not asked for" if extra else None


def _list_difference(got: list, want: list, tolerance: int | float) -> str | None:
    if len(got) != len(want):
        return f"the length is {len(got)}, and {len(want)} is needed"
    for position, (given, needed) in enumerate(zip(got, want, strict=True)):
        if found := difference(given, needed, tolerance):
            return f"at position {position}: {found}"
    return None
