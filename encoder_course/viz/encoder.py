"""Figures of notebook 04: averages inside a hull, where parameters go, where two models part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.labels import name_points
from encoder_course.viz.palette import AMOUNTS, MARKERS, class_colours, style, text_on
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROUNDING = 1e-9  # differences below come from the order of float64 additions
_SMALLEST = 1e-16  # a difference of zero is drawn as this


@style()
def hull(
    corners: Any,
    labels: Sequence[str],
    clouds: Mapping[str, Any],
    title: str = "",
    *,
    axes: Any = None,
) -> Figure:
    """Draw points (N, 2) with their names, the smallest convex region around them, and clouds.

    clouds: `{name: points (M, 2)}`, such as what a layer makes of the named points.
    Raises ValueError where there is not one label per point.
    """
    from matplotlib.patheffects import Normal, Stroke
    from scipy.spatial import ConvexHull

    places = np.asarray(corners, dtype=float)
    if len(labels) != len(places):
        raise ValueError(f"{len(labels)} labels for {len(places)} points")
    if axes is None:
        _, axes = new_figure(6.0, 4.4)
    edge = places[ConvexHull(places).vertices]
    axes.fill(*edge.T, facecolor="#EEEEEE", edgecolor="#8A8A8A", lw=1, zorder=0)
    colours = class_colours(len(clouds) + 1)
    for position, (name, points) in enumerate(clouds.items(), start=1):
        look = dict(s=9, color=colours[position], marker=MARKERS[position], alpha=0.4)
        axes.scatter(*np.asarray(points, dtype=float).T, label=name, linewidths=0, **look)
    axes.scatter(*places.T, s=52, color=colours[0], marker=MARKERS[0], zorder=3)
    axes.set(title=title, xlabel="first number", ylabel="second number")
    axes.margins(0.12)
    # Above the axes: no point can lie under the names of the clouds.
    axes.figure.legend(loc="outside upper right", ncols=len(clouds), markerscale=1.6)
    halo = [Stroke(linewidth=3, foreground="white"), Normal()]  # names stay readable on a cloud
    for text in name_points(axes, places, labels, [colours[0]] * len(places), size=11.0):
        text.set(path_effects=halo, weight="bold")
    return axes.figure


@style()
def budget(models: Mapping[str, Mapping[str, int]], title: str = "") -> Figure:
    """Draw where the parameters of each model are, `{model: {part: count}}`, as shares of 100 %.

    A share is written into its bar where it fits, and the total beside it, in millions.
    Raises ValueError where two models do not name the same parts.
    """
    parts = list(next(iter(models.values())))
    for name, counts in models.items():
        if list(counts) != parts:
            raise ValueError(f"{name} has the parts {list(counts)}, and the first one {parts}")
    colours = dict(zip(parts, class_colours(len(parts)), strict=True))
    fig, axes = new_figure(8.0, 0.55 * len(models) + 1.5)
    for row, counts in enumerate(models.values()):
        total, left = sum(counts.values()), 0.0
        for part, count in counts.items():
            share = 100 * count / total
            fill = dict(color=colours[part], edgecolor="white", label=part if row == 0 else None)
            axes.barh(row, share, left=left, height=0.66, **fill)
            if share >= 5:
                shown = f"{count / 1e6:.1f} M" if share >= 9 else f"{count / 1e6:.1f}"
                look = dict(ha="center", va="center", fontsize=9, color=text_on(colours[part]))
                axes.text(left + share / 2, row, shown, **look)
            left += share
        axes.text(101, row, f"{total / 1e6:.1f} M", va="center", fontsize=10, weight="bold")
    axes.set_yticks(range(len(models)), list(models))
    axes.invert_yaxis()
    axes.set(title=title, xlabel="share of the parameters (%)", xlim=(0, 112))
    axes.set_xticks(range(0, 101, 20))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    fig.legend(loc="outside lower center", ncols=len(parts))
    return fig


@style()
def difference_map(
    rows: Mapping[str, Sequence[float]], columns: Sequence[str], title: str = ""
) -> Figure:
    """Draw how far two models are apart after each layer, on a logarithmic scale.

    rows: `{what was changed: largest difference at each of the columns}`. A frame marks the first
    column that rounding in float64 cannot explain: the layer to look at.
    Raises ValueError where a row has another length than `columns`.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    for name, differences in rows.items():
        if len(differences) != len(columns):
            raise ValueError(f"{name!r} has {len(differences)} numbers for {len(columns)} columns")
    numbers = np.maximum(np.array(list(rows.values()), dtype=float), _SMALLEST)
    powers = np.log10(numbers)
    fig, axes = new_figure(8.0, 0.4 * len(rows) + 1.3)
    look = dict(vmin=math.log10(_SMALLEST), vmax=2, aspect="auto", interpolation="nearest")
    picture = axes.imshow(powers, cmap=colormaps[AMOUNTS], **look)
    for (row, column), power in np.ndenumerate(powers):
        ink = text_on(picture.to_rgba(power))
        shown = _short(list(rows.values())[row][column])
        axes.text(column, row, shown, ha="center", va="center", color=ink, fontsize=9)
    for row, differences in enumerate(numbers):
        found = np.flatnonzero(differences > _ROUNDING)
        if len(found):
            corner = (found[0] - 0.46, row - 0.44)
            axes.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="#D55E00", lw=2.5))
    axes.set_xticks(range(len(columns)), list(columns))
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(title=title, xlabel="hidden state after")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = fig.colorbar(picture, ax=axes, label="largest difference", shrink=0.9, pad=0.02)
    bar.set_ticks([-16, -12, -8, -4, 0], labels=["1e-16", "1e-12", "1e-8", "1e-4", "1"])
    bar.outline.set_visible(False)
    return fig


def _short(number: float) -> str:
    """A number in few letters: 12, 2.4, 3e-5, 0."""
    if number >= 0.095 or not number:
        return f"{number:.1f}" if 0 < number < 9.95 else f"{number:.0f}"
    return f"{number:.0e}".replace("e-0", "e-")
