"""Figures of notebook 06: how suspicious each token looks, and two ways to pretrain compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.palette import DASHES, GREY, MARKERS, class_colours, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MEASURES = {  # what a run is drawn against: its unit, and how many of what was stored are one
    "flops": ("floating-point operations (10¹²)", 1e12),
    "cpu_seconds": ("processor time (minutes)", 60),
}


@style()
def suspicion(tokens: Sequence[str], chances: Any, replaced: Any, title: str = "") -> Figure:
    """Draw the chance of each token to be a forgery; those that are one have stripes and a mark.

    chances (T,), from 0 to 1; replaced (T,), True where the token is not the original. Raises
    ValueError where tokens, chances and replaced are not equally many.
    """
    heights, true = np.asarray(chances, dtype=float), np.asarray(replaced, dtype=bool)
    if not len(tokens) == len(heights) == len(true):
        raise ValueError(f"{len(tokens)} tokens, {len(heights)} chances, {len(true)} truths")
    fig, axes = new_figure(max(5.0, 0.24 * len(tokens) + 1), 3.4)
    looks = {"original": (~true, class_colours(2)[0], ""), "forged": (true, "#D55E00", "////")}
    for name, (chosen, colour, hatch) in looks.items():
        look = dict(color=colour, width=0.75, hatch=hatch, edgecolor="white", lw=0)
        axes.bar(np.flatnonzero(chosen), heights[chosen], label=name, **look)
    axes.plot(np.flatnonzero(true), heights[true] + 0.035, "v", color="#D55E00", ms=5)
    axes.set_xticks(range(len(tokens)), tokens, rotation=90)
    axes.tick_params(axis="x", length=0)
    axes.set(title=title, ylabel="chance of a forgery", ylim=(0, max(heights.max(), 0.5) + 0.1))
    axes.set_xlim(-0.7, len(tokens) - 0.3)
    fig.legend(loc="outside upper right", ncols=2)
    return fig


@style()
def arms(
    runs: Sequence[Mapping[str, Any]], lines: Mapping[str, Mapping[str, float]], title: str = ""
) -> Figure:
    """Draw accuracy against work and against time: a row of panels per task, a column per measure.

    runs: each with `arm`, `seed` and `points`, which hold `flops`, `cpu_seconds` and the accuracy
    of every task. A marker is one seed, a line their mean, a band from the worst to the best.
    lines: `{task: {name: accuracy}}`, drawn across. Raises ValueError where runs of an arm were
    not looked at equally often.
    """
    of_arm: dict[str, list] = {}
    for run in runs:
        of_arm.setdefault(run["arm"], []).append(run["points"])
    for arm, seeds in of_arm.items():
        if len({len(points) for points in seeds}) > 1:
            raise ValueError(f"{arm}: {[len(points) for points in seeds]} points in its runs")
    fig, panels = new_figure(
        9.6, 3.1 * len(lines) + 0.4, 2, len(lines), sharey="row", squeeze=False
    )
    colours = dict(zip(of_arm, class_colours(len(of_arm)), strict=True))
    for row, (task, across) in zip(panels, lines.items(), strict=True):
        for axes, (measure, (unit, one)) in zip(row, _MEASURES.items(), strict=True):
            for position, (arm, seeds) in enumerate(of_arm.items()):
                x = np.array([[point[measure] / one for point in points] for points in seeds])
                y = np.array([[point[task] for point in points] for points in seeds])
                look = dict(color=colours[arm], ls=DASHES[position], label=arm)
                axes.plot(x.mean(0), y.mean(0), **look)
                band = dict(color=colours[arm], alpha=0.18, lw=0)
                axes.fill_between(x.mean(0), y.min(0), y.max(0), **band)
                axes.plot(x.T, y.T, MARKERS[position], color=colours[arm], ms=4.5, alpha=0.8)
            for position, (name, height) in enumerate(across.items()):
                look = dict(color=GREY, lw=1.2, ls=DASHES[1 + position], label=name)
                axes.axhline(height, **look)
            axes.set(title=task, xlabel=unit)
            axes.grid(axis="y", color="#E5E5E5", lw=0.7)
            axes.set_axisbelow(True)
        row[0].set_ylabel("accuracy, frozen encoder")
    handles, names = panels[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=len(names))
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold") if title else None
    return fig
