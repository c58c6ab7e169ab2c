"""Compare an encoder with the recorded one, tensor by tensor, and say where and why they part."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from encoder_course import viz
from encoder_course.config import EncoderConfig
from encoder_course.microscope.ideas import IDEAS, Idea
from encoder_course.microscope.trace import CONFIG, STAGES, record, stored

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDING = 1e-10  # larger differences cannot come from the order of float64 additions
FLOAT32 = 1e-5  # larger ones cannot even come from computing in float32

LEFT, RIGHT = 1e-17, 100.0  # the edges of the figure; what lies beyond is drawn on them
AGREES, FIRST, AFTER = "agrees", "the first that differs", "differs after it"
LOOKS = {AGREES: ("#009E73", "o"), FIRST: ("#D55E00", "s"), AFTER: ("#767676", "^")}


@dataclass(frozen=True, kw_only=True)
class Report:
    """How far an encoder is from the recorded one.

    apart: the largest difference at real tokens for each stage; infinite where it cannot be taken.
    first: the first stage that differs, "" where none does. seen: what is different there.
    idea: the wrong idea that gives what the encoder gives, up to the stage `until` ("": all of it).
    """

    apart: dict[str, float]
    first: str = ""
    seen: str = ""
    idea: Idea | None = None
    until: str = ""

    @property
    def agrees(self) -> bool:
        return not self.first

    def __str__(self) -> str:
        if self.agrees:
            return f"✓ all {len(self.apart)} tensors are Hugging Face's, to {ROUNDING:.0e}"
        module, side = STAGES[self.first]
        place = f"the {side} of {module}" if module else "what the encoder returns"
        last = _before(self.first)
        lines = [
            f"✗ first tensor that differs: {self.first!r}, {place}",
            f"it {self.seen}",
            f"last tensor that agrees: {last!r}" if last else "no tensor before it",
            self._explanation(last),
        ]
        wrap = dict(width=100, subsequent_indent="    ")
        return "\n".join(
            textwrap.fill(line, initial_indent="  " * (i > 0), **wrap)
            for i, line in enumerate(lines)
        )

    def figure(self) -> Figure:
        """Every stage from the top down, with its difference on a logarithmic scale."""
        return _draw(self)

    def _explanation(self, last: str) -> str:
        if max(self.apart.values()) < FLOAT32:
            return "all differences are as small as rounding in float32: is something cast?"
        if self.idea is None:
            between = f"between {last!r} and it" if last else "before it"
            return f"none of the known ideas explains it: look at the code {between}"
        told = f"the idea {self.idea.name!r}: {self.idea.message}"
        if self.until:
            return f"another fault begins at {self.until!r}; up to there it is {told}"
        return f"it is {told}"


def examine(make: Callable[[EncoderConfig], nn.Module]) -> Report:
    """Compare, print the report, and show it as a figure; arguments as for `compare`."""
    report = compare(make)
    print(report)
    where = f"{report.first} is the first that differs" if report.first else "all of them agree"
    alt = f"Difference from Hugging Face's BERT at each of {len(report.apart)} tensors: {where}."
    viz.show(report.figure(), alt)
    return report


def compare(make: Callable[[EncoderConfig], nn.Module]) -> Report:
    """Build an encoder by `make(CONFIG)`, such as the class of lab 04, and see where it differs.

    It is run in float64 with the recorded weights. ValueError where it has not the modules and
    parameters of lab 04; what its own code raises is passed on.
    """
    trace = stored()
    found = _run(_fitted(make))
    apart = _apart(found, trace.stages)
    first = _first(apart)
    if not first:
        return Report(apart=apart)
    order = [*STAGES, ""]  # "": nowhere
    parting = {idea: _first(_apart(found, _known(idea))) for idea in IDEAS}
    best = max(IDEAS, key=lambda idea: order.index(parting[idea]))
    seen = _difference(found.get(first), trace.stages[first])
    if order.index(parting[best]) <= order.index(first):
        return Report(apart=apart, first=first, seen=seen)
    return Report(apart=apart, first=first, seen=seen, idea=best, until=parting[best])


def _fitted(make: Callable[[EncoderConfig], nn.Module]) -> nn.Module:
    """The encoder with the recorded weights; ValueError where it has no place for them."""
    if isinstance(make, nn.Module):
        raise ValueError("hand over the class of encoders itself, by its name and without calling")
    with torch.random.fork_rng(devices=[]):  # fresh weights take no numbers from the notebook's
        encoder = make(CONFIG)
    if not isinstance(encoder, nn.Module):
        raise ValueError(f"a class of encoders is needed, and it made a {type(encoder).__name__}")
    weights, own = stored().weights, encoder.state_dict()
    missing = [name for name in weights if name not in own]
    extra = [name for name, _ in encoder.named_parameters() if name not in weights]
    if missing or extra:
        said = f"has no {_few(missing)}" if missing else ""
        said += " and " if missing and extra else ""
        said += f"has {_few(extra)}, which lab 04 does not" if extra else ""
        raise ValueError(f"this encoder {said}: the microscope needs the lab's names of modules")
    for name, tensor in weights.items():
        if own[name].shape != tensor.shape:
            have, need = tuple(own[name].shape), tuple(tensor.shape)
            raise ValueError(f"{name} is {have}, and this configuration needs {need}")
    encoder = encoder.double().eval()
    encoder.load_state_dict(weights, strict=False)
    return encoder


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _run(encoder: nn.Module) -> dict[str, Any]:
    """Whatever the encoder gives at each stage, on the recorded input."""
    trace = stored()
    inputs = trace.ids.clone(), trace.keep.clone(), trace.kinds.clone()  # theirs to change
    return record(encoder, lambda: encoder(*inputs), STAGES)


@cache
def _known(idea: Idea) -> dict[str, Any]:
    """What an encoder by this idea gives at each stage."""
    return _run(_fitted(idea.build))


def _apart(found: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, float]:
    """The largest difference at real tokens for each stage; infinite where there is no number."""
    return {stage: _largest(found.get(stage), other.get(stage)) for stage in STAGES}


def _largest(one: object, other: object) -> float:
    if one is None and other is None:
        return 0.0
    if not isinstance(one, Tensor) or not isinstance(other, Tensor) or one.shape != other.shape:
        return math.inf
    keep = stored().keep
    return (one - other)[keep].abs().double().nan_to_num(math.inf).max().item()


def _first(apart: Mapping[str, float]) -> str:
    return next((stage for stage, size in apart.items() if size > ROUNDING), "")


def _before(stage: str) -> str:
    names = list(STAGES)
    return names[names.index(stage) - 1] if stage != names[0] else ""


def _difference(found: object, expected: Tensor) -> str:
    """What is to be seen at the first tensor that differs."""
    if found is None:
        return "was not seen, for its module is never called"
    if not isinstance(found, Tensor):
        return f"is a {type(found).__name__}, and a tensor is needed"
    if found.shape != expected.shape:
        return f"is {tuple(found.shape)}, and {tuple(expected.shape)} is needed"
    keep = stored().keep
    off = (found - expected).abs().double().nan_to_num(math.inf).amax(dim=-1)  # (B, T)
    wrong = (off > ROUNDING) & keep
    if not found[keep].isfinite().all():
        return f"holds NaN or infinity at {_places(wrong)}"
    where = "at every real token" if wrong.equal(keep) else f"only at {_places(wrong)}"
    return f"is off by up to {off[keep].max().item():.2g}, {where}"


def _places(wrong: Tensor) -> str:
    rows = [(row, flags.nonzero().flatten().tolist()) for row, flags in enumerate(wrong)]
    return "; ".join(f"row {row}, tokens {', '.join(map(str, at))}" for row, at in rows if at)


@viz.style()
def _draw(report: Report) -> Figure:
    fig, axes = viz.new_figure(7.6, 0.21 * len(report.apart) + 1.0)
    first = list(report.apart).index(report.first) if report.first else len(report.apart)
    groups: dict[str, tuple[list[int], list[float]]] = {name: ([], []) for name in LOOKS}
    for row, size in enumerate(report.apart.values()):
        name = FIRST if row == first else AGREES if size <= ROUNDING else AFTER
        groups[name][0].append(row)
        groups[name][1].append(min(max(size, LEFT), RIGHT))
    for name, (rows, sizes) in groups.items():
        if rows:
            colour, marker = LOOKS[name]
            axes.hlines(rows, LEFT, sizes, color=colour, lw=1.5)
            axes.scatter(sizes, rows, color=colour, marker=marker, s=30, zorder=3, label=name)
    axes.axvline(ROUNDING, color="black", lw=0.8, ls=(0, (2, 2)))
    axes.annotate("rounding", (ROUNDING, -0.7), xytext=(4, 0), textcoords="offset points", va="top")
    axes.set_xscale("log")
    axes.set(xlim=(LEFT, 2 * RIGHT), xlabel="largest difference at real tokens")
    axes.set_yticks(range(len(report.apart)), list(report.apart))
    axes.invert_yaxis()
    axes.set_title("Difference from Hugging Face's BERT")
    axes.grid(axis="x", color="#E5E5E5", lw=0.7)
    axes.tick_params(axis="y", length=0, labelsize=8)
    fig.legend(loc="outside lower center", ncols=len(LOOKS))
    return fig
