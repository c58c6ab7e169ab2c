"""The figure of notebook 11: a map of documents, with the names of its quarters written on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.labels import name_points
from encoder_course.viz.palette import MARKERS, MISSING, OKABE_ITO, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style()
def named_map(
    points: Any, clusters: Sequence[int], names: Sequence[str], title: str = ""
) -> Figure:
    """Draw documents (N, 2) on a map, and the name of each cluster at its middle (the median).

    `clusters` holds a number from 0 for each document, which `names` answers. Colours and markers
    repeat, never the same two together: up to 56 clusters differ. The axes carry no numbers: only
    nearness means something. ValueError where points and clusters are not equally many.
    """
    places, numbers = np.asarray(points, dtype=float), np.asarray(clusters)
    if places.shape != (len(numbers), 2):
        raise ValueError(f"points are {places.shape} for {len(numbers)} documents on a plane")
    fig, axes = new_figure(9.2, 6.8)
    colours = [colour for name, colour in OKABE_ITO.items() if name != "yellow"]
    middles, said, inks = [], [], []
    for number in np.unique(numbers):
        cloud = places[numbers == number]
        colour = colours[number % len(colours)]
        marker = MARKERS[number % len(MARKERS)]
        look = dict(s=16, color=colour, marker=marker, alpha=0.55, linewidths=0)
        axes.scatter(*cloud.T, label=names[number], **look)
        middles.append(np.median(cloud, axis=0))
        said.append(f"{names[number]} ({len(cloud)})")
        inks.append(colour)
    axes.set(title=title, xticks=[], yticks=[])
    axes.margins(0.08)
    axes.spines[:].set(visible=True, color=MISSING)
    for text in name_points(axes, np.array(middles), said, inks, size=9.5, weight="bold"):
        text.set_bbox(dict(facecolor="white", edgecolor="none", alpha=0.85, pad=1.5))
    return fig
