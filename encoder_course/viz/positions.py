"""Figures of notebook 02: positions as the hands of clocks, and what turning does to a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.figures import curves
from encoder_course.viz.palette import GREY, OKABE_ITO, ink, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style()
def clock_hands(table: Any, places: Sequence[int], hands: Sequence[int], title: str = "") -> Figure:
    """Draw numbers 2i and 2i+1 of a position table (T, D) as the hand of a clock.

    One column per position of `places`, one row per pair of `hands`; a hand points up where the
    angle is 0 and turns clockwise: the sine lies to the right, the cosine up.
    Raises ValueError for a position or a pair that the table does not have.
    """
    rows = np.asarray(table, dtype=float)
    length, pairs = rows.shape[0], rows.shape[1] // 2
    if max(places) >= length or max(hands) >= pairs:
        raise ValueError(
            f"places {list(places)} and hands {list(hands)}, but there are {length} positions of "
            f"{pairs} pairs"
        )
    width = 0.62 * len(places) + 1.3
    fig, grid = new_figure(width, 0.62 * len(hands) + 0.8, len(places), len(hands), squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        pair, place = hands[row], places[column]
        across, up = rows[place, 2 * pair : 2 * pair + 2]
        axes.add_patch(_circle())
        axes.plot([0, across], [0, up], color=OKABE_ITO["vermillion"], lw=2.2)
        axes.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), aspect="equal", xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        if row == 0:
            axes.set_title(str(place), fontsize=10, loc="center", pad=3, weight="normal")
        if column == 0:
            label = f"{2 * pair}, {2 * pair + 1}"
            axes.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
    fig.supylabel("numbers of the row", fontsize=10)
    fig.supxlabel("position", fontsize=10)
    return fig


@style()
def turned_pairs(pairs: Mapping[str, tuple[Any, Any]]) -> Figure:
    """Draw a query and a key of two numbers, as arrows, in one panel per entry of `pairs`.

    `{panel: (query, key)}`; the panel's name and the score, query times key, stand above it.
    """
    reach = 1.15 * max(
        np.linalg.norm(np.asarray(v, float)) for pair in pairs.values() for v in pair
    )
    fig, panels = new_figure(1.9 * len(pairs), 2.5, len(pairs), squeeze=False)
    for axes, (name, pair) in zip(panels[0], pairs.items(), strict=True):
        query, key = (np.asarray(vector, dtype=float) for vector in pair)
        axes.add_patch(_circle(np.linalg.norm(query)))
        axes.add_patch(_circle(np.linalg.norm(key)))
        for label, tip, colour in (("q", query, "blue"), ("k", key, "vermillion")):
            look = dict(arrowstyle="-|>", color=OKABE_ITO[colour], lw=2, shrinkA=0, shrinkB=0)
            axes.annotate("", tip, (0, 0), arrowprops=look)
            away = tip * (1 + 0.16 * reach / np.linalg.norm(tip))
            shade = ink(OKABE_ITO[colour])
            axes.text(*away, label, ha="center", va="center", color=shade, weight="bold")
        axes.set(xlim=(-reach * 1.15, reach * 1.15), ylim=(-reach * 1.15, reach * 1.15))
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.set_title(f"{name}\nscore {query @ key:.2f}", fontsize=10, loc="center")
        axes.spines[:].set_visible(False)
    return fig


@style()
def learning_curves(
    runs: Mapping[str, Sequence[Sequence[float]]], every: int, **labels: Any
) -> Figure:
    """Draw `{method: one list of accuracies per seed}`, measured each `every` steps.

    The line is the mean over seeds, the shade reaches from the worst seed to the best.
    """
    lines, bands = {}, {}
    for name, seeds in runs.items():
        values = np.asarray(seeds, dtype=float)  # (seeds, measurements)
        steps = every * np.arange(1, values.shape[1] + 1)
        lines[name] = (steps, values.mean(0))
        bands[name] = (values.min(0), values.max(0))
    return curves(lines, bands=bands, **labels)


def _circle(radius: float = 1.0) -> Any:
    from matplotlib.patches import Circle

    return Circle((0, 0), radius, fill=False, color=GREY, lw=0.8, alpha=0.6)
