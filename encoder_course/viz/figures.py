"""The figures most notebooks need: data in, a matplotlib Figure out, ready for `show`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.labels import name_line_ends, name_points
from encoder_course.viz.palette import (
    AMOUNTS,
    DASHES,
    GREY,
    MARKERS,
    MISSING,
    OKABE_ITO,
    SIGNED,
    class_colours,
    style,
    text_on,
)
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ANNOTATED = 150  # cells: beyond that, numbers are too small to read
_LETTER = 0.085  # inches, about, of a letter at 9 points


@style()
def heatmap(
    matrix: Any,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    title: str = "",
    *,
    row_title: str = "",
    column_title: str = "",
    unit: str = "",
    signed: bool = False,
    limits: tuple[int | float, int | float] | None = None,
    digits: int = 2,
    colour_bar: bool = True,
    axes: Any = None,
) -> Figure:
    """Draw numbers (R, C) as colours, printed in the cells where there are few of them.

    signed: a diverging map with zero in its middle. limits: (low, high), by default from zero;
    give panels to be compared the same. NaN is grey. axes: draw there, not in a new figure.
    Raises ValueError where the labels do not fit the matrix, or signed limits are lopsided.
    """
    numbers = _array(matrix)
    _fit("row_labels", row_labels, numbers.shape[0])
    _fit("column_labels", column_labels, numbers.shape[1])
    rows, columns = numbers.shape
    annotated = numbers.size <= MOST_ANNOTATED
    if axes is None:
        longest = max(map(len, row_labels), default=0) * _LETTER
        below = max(map(len, column_labels), default=0) * _LETTER
        cell_width = max(0.5 if annotated else 0.24, min(below, 0.8))
        width = min(longest + columns * cell_width + 1.6, 8.0)
        below = below if below > cell_width else 0.2
        height = min(rows * (0.36 if annotated else 0.24) + below + 0.8, 9.0)
        fig, axes = new_figure(max(width, 3.0), max(height, 2.0))
    low, high = limits or _limits(numbers, signed)
    if signed and low != -high:
        raise ValueError(f"limits are {low} and {high}, and signed ones lie evenly about zero")
    picture = axes.imshow(numbers, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    picture.set_cmap(_colour_map(SIGNED if signed else AMOUNTS))
    _ticks(axes.xaxis, column_labels)
    _ticks(axes.yaxis, row_labels)
    room = axes.figure.get_figwidth() * 0.75 / (_LETTER * columns)
    if max(map(len, column_labels), default=0) > room:
        axes.tick_params(axis="x", rotation=90)
    axes.set(title=title, xlabel=column_title, ylabel=row_title)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if colour_bar:
        bar = axes.figure.colorbar(picture, ax=axes, label=unit, shrink=0.9, pad=0.02)
        bar.outline.set_visible(False)
        if signed:
            bar.set_ticks([low, 0, high], labels=[f"{low:.3g}", "0", f"+{high:.3g}"])
    if annotated:
        for (i, j), value in np.ndenumerate(numbers):
            if np.isfinite(value):
                ink = text_on(picture.to_rgba(value))
                shown = f"{round(value, digits) + 0.0:.{digits}f}"  # never -0.00
                axes.text(j, i, shown, ha="center", va="center", color=ink, fontsize=8.5)
    return axes.figure


@style()
def curves(
    lines: Mapping[str, tuple[Any, Any]],
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    *,
    bands: Mapping[str, tuple[Any, Any]] | None = None,
    baselines: Mapping[str, int | float] | None = None,
    log_x: bool = False,
    log_y: bool = False,
    axes: Any = None,
) -> Figure:
    """Draw `{name: (x, y)}` as lines, each named where it ends.

    bands: `{name: (low, high)}`, shaded, such as the range over seeds. baselines: `{name: y}`, a
    grey line across. `axes`: draw there; leave its neighbour on the right room for the names.
    """
    if axes is None:
        _, axes = new_figure()
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    drawn = []
    for position, (name, (x, y)) in enumerate(lines.items()):
        colour = class_colours(len(lines))[position]
        drawn += axes.plot(_array(x), _array(y), color=colour, ls=DASHES[position], label=name)
        if bands and name in bands:
            low, high = map(_array, bands[name])
            axes.fill_between(_array(x), low, high, color=colour, alpha=0.18, lw=0)
    right = max(line.get_xdata().max() for line in drawn)
    left = min(line.get_xdata().min() for line in drawn)
    for name, height in (baselines or {}).items():
        drawn += axes.plot(
            [left, right], [height] * 2, color=GREY, ls=(0, (2, 2)), lw=1, label=name
        )
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(axis="y", color="#E5E5E5", lw=0.7)
    axes.set_axisbelow(True)
    name_line_ends(axes, drawn)
    return axes.figure


@style()
def bars(
    values: Mapping[str, int | float],
    errors: Mapping[str, int | float] | None = None,
    title: str = "",
    unit: str = "",
    *,
    highlight: str = "",
    digits: int = 3,
    axes: Any = None,
) -> Figure:
    """Draw `{name: value}` as horizontal bars from the top down, each with its number.

    errors: `{name: half width}` of the bar drawn on it; say in `unit` what they are.
    highlight: the one bar the text is about. digits: significant ones.
    Raises ValueError where `errors` or `highlight` names no bar.
    """
    from matplotlib.ticker import EngFormatter

    unknown = ({*(errors or {}), *([highlight] if highlight else [])}) - set(values)
    if unknown:
        raise ValueError(f"no bar is named {sorted(unknown)}: there are {list(values)}")
    if axes is None:
        _, axes = new_figure(7.0, 0.36 * len(values) + 1.1)
    for position, (name, value) in enumerate(values.items()):
        plain = GREY if highlight else OKABE_ITO["blue"]
        colour = OKABE_ITO["vermillion"] if name == highlight else plain
        axes.barh(position, value, height=0.65, color=colour)
        reach = (errors or {}).get(name, 0)
        if reach:
            axes.errorbar(value, position, xerr=reach, color="black", capsize=3, lw=1)
        side = -1 if value < 0 else 1
        shown = f"{value:,.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"
        axes.annotate(
            f"{shown} ± {reach:.2g}" if reach else shown,
            (value + side * reach, position),
            xytext=(5 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize=9,
            weight="bold" if name == highlight else "normal",
        )
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    axes.set(title=title, xlabel=unit)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color="black", lw=0.8)
    axes.spines["left"].set_visible(False)
    if min(values.values()) < 0:
        axes.margins(x=0.25)  # keeps numbers on the left clear of the names
    if max(map(abs, values.values())) >= 10_000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    return axes.figure


@style()
def scatter_words(
    points: Any,
    labels: Sequence[str],
    classes: Sequence[str] | None = None,
    title: str = "",
    *,
    axes: Any = None,
) -> Figure:
    """Draw words at their two coordinates, points (N, 2), each with its label beside it.

    classes: one name per point; each gets a colour and a marker. The axes carry no numbers: only
    distances mean something after a projection.
    Raises ValueError where points, labels and classes are not equally many.
    """
    places = _array(points)
    _fit("labels", labels, len(places))
    _fit("classes", classes or (), len(places))
    if axes is None:
        _, axes = new_figure(7.0, 5.0)
    kinds = list(dict.fromkeys(classes or [""] * len(places)))
    of_kind = dict(zip(kinds, class_colours(len(kinds)), strict=True))
    for (kind, colour), marker in zip(of_kind.items(), MARKERS, strict=False):
        chosen = [i for i in range(len(places)) if not classes or classes[i] == kind]
        axes.scatter(*places[chosen].T, s=28, color=colour, marker=marker, label=kind)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=MISSING)
    axes.margins(0.12)
    if classes:
        axes.figure.legend(loc="outside right upper")
    colours = [of_kind[kind] for kind in classes] if classes else ["black"] * len(places)
    name_points(axes, places, labels, colours)
    return axes.figure


def _array(numbers: Any) -> np.ndarray:
    detach = getattr(numbers, "detach", None)
    return np.asarray(detach().cpu().float() if detach else numbers, dtype=float)


def _fit(name: str, labels: Sequence[str], count: int) -> None:
    if labels and len(labels) != count:
        raise ValueError(f"{len(labels)} {name} for {count} of them")


def _limits(numbers: np.ndarray, signed: bool) -> tuple[float, float]:
    finite = numbers[np.isfinite(numbers)]
    if signed:
        reach = float(np.abs(finite).max(initial=0.0)) or 1.0
        return -reach, reach
    low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    return low, high if high > low else low + 1.0


def _colour_map(name: str) -> Any:
    from matplotlib import colormaps

    return colormaps[name].with_extremes(bad=MISSING)


def _ticks(axis: Any, labels: Sequence[str]) -> None:
    if labels:
        axis.set_ticks(range(len(labels)), list(labels))
