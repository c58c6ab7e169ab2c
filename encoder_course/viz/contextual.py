"""Figures of notebook 07: a map for each layer, intervals side by side, a sentence that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.tasks.metrics import Metric
from encoder_course.viz.palette import DASHES, GREY, MARKERS, MISSING, class_colours, ink, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style()
def maps(panels: Mapping[str, Any], classes: Sequence[str], columns: int = 4) -> Figure:
    """Draw one map per panel, `{title: points (N, 2)}`, each scaled to its own largest distance.

    classes: one name per point, the same in all panels; each gets a colour and a marker.
    Raises ValueError where a panel does not have one point per class name.
    """
    rows = -(-len(panels) // columns)
    fig, axes = new_figure(2.2 * columns, 2.3 * rows + 0.5, columns, rows, squeeze=False)
    kinds = list(dict.fromkeys(classes))
    chosen = {kind: np.array([name == kind for name in classes]) for kind in kinds}
    for place, (title, points) in zip(axes.flat, panels.items(), strict=False):
        places = np.asarray(points, dtype=float)
        if places.shape != (len(classes), 2):
            raise ValueError(f"{title!r} is {places.shape} for {len(classes)} points on a plane")
        for kind, colour, marker in zip(kinds, class_colours(len(kinds)), MARKERS, strict=False):
            look = dict(s=26, color=colour, marker=marker, alpha=0.8, linewidths=0)
            place.scatter(*places[chosen[kind]].T, label=kind, **look)
        reach = 1.1 * np.abs(places).max()
        place.set(title=title, xticks=[], yticks=[], xlim=(-reach, reach), ylim=(-reach, reach))
        place.set_aspect("equal")
        place.spines[:].set(visible=True, color=MISSING)
    for place in list(axes.flat)[len(panels) :]:
        place.set_visible(False)
    handles, names = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper right", ncols=len(kinds))
    return fig


@style()
def intervals(
    groups: Mapping[str, Sequence[Metric]],
    title: str = "",
    unit: str = "",
    *,
    reference: int | float | None = None,
) -> Figure:
    """Draw metrics with their intervals, `{group: metrics}`, one row per name of a metric.

    The value is written to the right of its interval. reference: a grey line, such as chance.
    Raises ValueError where two groups do not measure the same names in the same order.
    """
    names = [metric.name for metric in next(iter(groups.values()))]
    for group, metrics in groups.items():
        if [metric.name for metric in metrics] != names:
            raise ValueError(f"{group!r} does not measure {names} in this order")
    fig, axes = new_figure(7.6, 0.3 * len(names) * max(2, len(groups)) + 1.3)
    step = 0.7 / len(groups)
    for position, (group, metrics) in enumerate(groups.items()):
        colour, marker = class_colours(len(groups))[position], MARKERS[position]
        heights = np.arange(len(names)) + (position - (len(groups) - 1) / 2) * step
        values = np.array([metric.value for metric in metrics])
        ends = np.array([[metric.low, metric.high] for metric in metrics])
        reach = np.abs(ends.T - values)
        look = dict(fmt=marker, color=colour, capsize=3, lw=1.4, ms=6, label=group)
        axes.errorbar(values, heights, xerr=reach, **look)
        for value, high, height in zip(values, ends[:, 1], heights, strict=True):
            axes.text(high + 0.012, height, f"{value:.2f}", va="center", fontsize=9, color=colour)
    if reference is not None:
        axes.axvline(reference, color=GREY, lw=1, ls=DASHES[2])
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=unit)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E5E5E5", lw=0.7)
    axes.set_axisbelow(True)
    if len(groups) > 1:
        fig.legend(loc="outside lower center", ncols=len(groups))
    return fig


@style()
def growing(
    sentences: Mapping[str, Sequence[int | float]], ends: tuple[str, str], title: str = ""
) -> Figure:
    """Draw how a number moves from -1 to +1 while each sentence grows, one panel per sentence.

    sentences: `{sentence: one number per word}`, NaN before the word in question has been said.
    ends: what -1 and +1 stand for. Raises ValueError where words and numbers are not equally many.
    """
    fig, axes = new_figure(8.4, 1.75 * len(sentences) + 0.4, 1, len(sentences), squeeze=False)
    low, high = class_colours(2)
    for place, (sentence, numbers) in zip(axes[:, 0], sentences.items(), strict=True):
        words = sentence.split()
        if len(words) != len(numbers):
            raise ValueError(f"{sentence!r} has {len(words)} words and {len(numbers)} numbers")
        places, heights = np.arange(len(words)), np.asarray(numbers, dtype=float)
        place.axhline(0, color=GREY, lw=0.8)
        place.plot(places, heights, color=MISSING, zorder=1)
        for at, height in zip(places, heights, strict=True):
            if np.isfinite(height):
                side = int(height > 0)
                place.plot(at, height, marker=MARKERS[side], color=(low, high)[side], ms=7)
        place.set_xticks(places, words)
        place.set(ylim=(-1.6, 1.6), xlim=(-0.5, len(words) - 0.5))
        place.set_yticks([-1, 0, 1], [ends[0], "0", ends[1]])
        for label, colour in zip(place.get_yticklabels()[::2], (low, high), strict=True):
            label.set_color(ink(colour))
        place.tick_params(length=0)
        place.spines["bottom"].set_visible(False)
    axes[0, 0].set_title(title)
    return fig
