"""Figures of notebook 03: vectors that move, padded batches, and who attends to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.figures import heatmap
from encoder_course.viz.labels import name_points
from encoder_course.viz.palette import MARKERS, class_colours, ink, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Place = Sequence[int | float]  # x and y
_KEPT, _PADDING = "#D6E9F5", "#F2F2F2"


@style()
def moves(
    groups: Mapping[str, tuple[Mapping[str, Place], Place]],
    start: Place,
    name: str,
    *,
    x_label: str = "",
    y_label: str = "",
    title: str = "",
) -> Figure:
    """Draw where one vector goes among different neighbours, as arrows in the plane.

    groups: `{name: ({neighbour: (x, y)}, (x, y) of the end)}`. start: where the vector `name`
    stands before it has seen any of them.
    """
    fig, axes = new_figure(6.4, 4.4)
    points, labels, colours = [start], [name], ["black"]
    axes.scatter(*start, s=60, color="black", zorder=3)
    for group, marker, colour in zip(groups, MARKERS, class_colours(len(groups)), strict=False):
        neighbours, end = groups[group]
        axes.scatter(*np.array(list(neighbours.values())).T, s=40, color=colour, marker=marker)
        arrow = dict(arrowstyle="-|>", color=colour, lw=2.2, shrinkA=6, shrinkB=0)
        axes.annotate("", xy=tuple(end), xytext=tuple(start), arrowprops=arrow)
        points += neighbours.values()
        labels += neighbours
        colours += [colour] * len(neighbours)
        side = 1 if end[1] >= start[1] else -1  # beyond the head of the arrow
        look = dict(color=ink(colour), fontsize=9, va="bottom" if side > 0 else "top")
        beyond = dict(xytext=(0, 5 * side), textcoords="offset points", ha="center")
        axes.annotate(group, tuple(end), **beyond, **look)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(color="#E5E5E5", lw=0.7)
    axes.set_axisbelow(True)
    axes.set_aspect("equal")
    axes.margins(0.15)
    name_points(axes, np.array([[*map(float, point)] for point in points]), labels, colours)
    return fig


@style()
def padded_batch(tokens: Sequence[Sequence[str]], keep: Any, title: str = "") -> Figure:
    """Draw a padded batch as a table of its tokens; padding is hatched, so not by colour alone.

    tokens: the tokens of each row, without its padding. keep: (B, T), True on real tokens.
    Raises ValueError where a row has another number of tokens than it has places to keep.
    """
    from matplotlib.patches import Rectangle

    mask = np.asarray(keep, dtype=bool)
    rows, length = mask.shape
    for row, words in enumerate(tokens):
        if len(words) != mask[row].sum():
            raise ValueError(f"row {row} has {len(words)} tokens but keeps {mask[row].sum()}")
    widths = [max(len(t[s]) if s < len(t) else 0 for t in tokens) for s in range(length)]
    inches = np.array([max(0.085 * width + 0.14, 0.45) for width in widths])
    edges = np.concatenate([[0.0], inches.cumsum()])
    fig, axes = new_figure(edges[-1] + 0.9, 0.4 * rows + 0.75)
    for row in range(rows):
        words = iter(tokens[row])
        for s in range(length):
            kept = mask[row, s]
            look = dict(facecolor=_KEPT if kept else _PADDING, edgecolor="white", lw=2)
            corner = (edges[s], row - 0.5)
            axes.add_patch(Rectangle(corner, inches[s], 1, hatch=None if kept else "///", **look))
            if kept:
                place = (edges[s] + inches[s] / 2, row)
                axes.text(*place, next(words), ha="center", va="center", fontsize=9)
    axes.set(xlim=(0, edges[-1]), ylim=(rows - 0.5, -0.5), title=title)
    axes.set_yticks(range(rows), [f"row {row}" for row in range(rows)])
    axes.set_xticks((edges[:-1] + edges[1:]) / 2, range(length))
    axes.set_xlabel("position in the row (S); hatched: padding, keep is False")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return fig


@style()
def panels(
    matrices: Mapping[str, Any],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    *,
    columns: int = 2,
    row_title: str = "",
    column_title: str = "",
    unit: str = "",
    limits: tuple[int | float, int | float] = (0, 1),
    digits: int = 2,
    height: int | float = 3.4,
) -> Figure:
    """Draw `{title: matrix}` of one size as heat maps beside each other, on one scale.

    columns: panels in a row; height: inches of a panel. The rest is as in `heatmap`.
    Raises ValueError where the matrices are not of one size.
    """
    sizes = sorted({tuple(matrix.shape) for matrix in matrices.values()})
    if len(sizes) != 1:
        raise ValueError(f"the panels are {sizes}, and have to be of one size")
    rows = -(-len(matrices) // columns)
    grid = dict(squeeze=False, sharex=True, sharey=True)
    fig, axes = new_figure(8.0, height * rows, columns=columns, rows=rows, **grid)
    for panel, (title, matrix) in zip(axes.flat, matrices.items(), strict=False):
        look = dict(limits=limits, digits=digits, colour_bar=False, axes=panel)
        heatmap(matrix, row_labels, column_labels, title, **look)
    for panel in axes.flat[len(matrices) :]:
        panel.set_visible(False)
    for panel in axes[-1]:
        panel.set_xlabel(column_title)
    for panel in axes[:, 0]:
        panel.set_ylabel(row_title)
    bar = fig.colorbar(axes.flat[0].images[0], ax=axes, label=unit, shrink=0.6, pad=0.02)
    bar.outline.set_visible(False)
    return fig
