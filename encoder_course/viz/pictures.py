"""Pictures in rows, a plane paved with pictures, and points that are drawn as their own label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.palette import class_colours, ink, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "gray_r"  # 0 is white, 1 is black


@style()
def picture_rows(
    rows: dict[str, Any], column_labels: Sequence[str] = (), title: str = "", size: float = 0.62
) -> Figure:
    """Draw `{label: pictures (n, height, width)}`, a row each, all on one scale from 0 to 1.

    size: inches of a picture. ValueError where the rows are not equally long.
    """
    pictures = {name: np.asarray(row, dtype=float) for name, row in rows.items()}
    counts = {len(row) for row in pictures.values()}
    if len(counts) != 1:
        raise ValueError(f"the rows have {sorted(counts)} pictures, and need equally many")
    count = counts.pop()
    if column_labels and len(column_labels) != count:
        raise ValueError(f"{len(column_labels)} column labels for {count} columns")
    longest = max(map(len, pictures))
    fig, axes = new_figure(
        size * count + 0.085 * longest,
        size * len(rows) + 0.45 * bool(title) + 0.25 * bool(column_labels),
        columns=count,
        rows=len(rows),
        squeeze=False,
    )
    for line, (name, row) in zip(axes, pictures.items(), strict=True):
        for place, picture in zip(line, row, strict=True):
            place.imshow(picture, cmap=PAPER, vmin=0, vmax=1)
            _bare(place)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for place, label in zip(axes[0], column_labels, strict=bool(column_labels)):
        place.set_title(label, loc="center", fontsize=9, fontweight="normal", pad=3)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


@style()
def paved_plane(
    pictures: Any, reach: float, title: str = "", x_label: str = "", y_label: str = ""
) -> Figure:
    """Draw pictures (rows, columns, height, width) edge to edge, over a plane from -reach to reach.

    The first row is at the top, where the second coordinate is largest.
    """
    tiles = np.asarray(pictures, dtype=float)
    rows, columns, height, width = tiles.shape
    paved = tiles.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    fig, axes = new_figure(5.6, 5.6)
    axes.imshow(paved, cmap=PAPER, vmin=0, vmax=1, extent=(-reach, reach, -reach, reach))
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    return fig


@style()
def labelled_points(
    points: Any, labels: Any, title: str = "", x_label: str = "", y_label: str = ""
) -> Figure:
    """Draw points (N, 2), each as the text of its own label, so that colour is only a help.

    ValueError where points and labels are not equally many.
    """
    places = np.asarray(points, dtype=float)
    names = [str(label) for label in np.asarray(labels).tolist()]
    if len(places) != len(names):
        raise ValueError(f"{len(places)} points, and {len(names)} labels")
    known = sorted(set(names))
    palette = [ink(colour) for colour in class_colours(5)]
    colours = {name: palette[i % len(palette)] for i, name in enumerate(known)}
    fig, axes = new_figure(5.6, 5.0)
    axes.scatter(*places.T, s=0)  # sets the limits
    for (x, y), name in zip(places, names, strict=True):
        axes.text(x, y, name, color=colours[name], fontsize=8, ha="center", va="center")
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    return fig


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
