"""Where to put the names of lines and points so that no two of them overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from encoder_course.viz.palette import ink

# Around a point, in points of 1/72 inch, with the text's alignment; the best place first.
_PLACES = (
    ((6, 0), "left", "center"),
    ((-6, 0), "right", "center"),
    ((0, 6), "center", "bottom"),
    ((0, -6), "center", "top"),
    ((5, 5), "left", "bottom"),
    ((5, -5), "left", "top"),
    ((-5, 5), "right", "bottom"),
    ((-5, -5), "right", "top"),
    ((0, 18), "center", "bottom"),
    ((0, -18), "center", "top"),
)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return the heights moved as little as possible so that any two are `gap` apart.

    Their order is kept. Labels that touch move together as one block about their mean: pooling
    adjacent violators, which is least squares under an order (Ayer et al., 1955).
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    blocks: list[list[float]] = []  # the heights of a block, each less its share of the gaps
    for rank, i in enumerate(order):
        blocks.append([heights[i] - rank * gap])
        while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    settled = [_mean(block) for block in blocks for _ in block]
    placed = [0.0] * len(heights)
    for rank, i in enumerate(order):
        placed[i] = settled[rank] + rank * gap
    return placed


def _mean(block: list[float]) -> float:
    return sum(block) / len(block)


def name_line_ends(axes: Any, lines: Sequence[Any], size: float = 9.0) -> list[Any]:
    """Write each line's label to the right of the axes, at the height where the line ends.

    Call it last: it fixes the limits of the axes. `size` is in points. Returns the annotations.
    """
    fig = axes.figure
    axes.set_ylim(axes.get_ylim())
    fig.draw_without_rendering()  # lays the axes out, so that their height is known
    points = axes.get_position().height * fig.get_figheight() * 72
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in lines]
    heights = [float(to_axes.transform(end)[1]) for end in ends]
    return [
        axes.annotate(
            line.get_label(),
            xy=end,
            xytext=(1.03, height),
            textcoords="axes fraction",
            color=ink(line.get_color()),
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops=dict(arrowstyle="-", color=line.get_color(), lw=0.6, shrinkA=1, shrinkB=1),
        )
        for line, end, height in zip(lines, ends, spread(heights, 1.4 * size / points), strict=True)
    ]


def name_points(
    axes: Any,
    points: Any,
    labels: Sequence[str],
    colours: Sequence[str],
    size: float = 9.0,
    weight: str = "normal",
) -> list[Any]:
    """Write a label beside each point, in the first free place around it. Returns the texts.

    Where no place is free, the least crowded one is taken: fewer points or a larger figure help.
    """
    fig = axes.figure
    fig.draw_without_rendering()
    renderer = fig.canvas.get_renderer()
    dots = axes.transData.transform(points)
    inside = axes.get_window_extent(renderer)
    dot = 3 * fig.dpi / 72  # pixels: no text closer to the middle of a dot
    taken: list[Any] = []
    texts = []
    for point, label, colour in zip(points, labels, colours, strict=True):
        look = dict(textcoords="offset points", fontsize=size, fontweight=weight, color=ink(colour))
        text = axes.annotate(label, point, xytext=(0, 0), **look)
        found = []
        for rank, (offset, across, up) in enumerate(_PLACES):
            text.set(position=offset, ha=across, va=up)
            box = text.get_window_extent(renderer).expanded(1.02, 1.05)
            hits = sum(map(box.overlaps, taken)) + box.padded(dot).count_contains(dots)
            outside = not (inside.x0 <= box.x0 and box.x1 <= inside.x1)
            found.append((hits + outside, rank, box))
        _, rank, box = min(found, key=lambda place: place[:2])
        offset, across, up = _PLACES[rank]
        text.set(position=offset, ha=across, va=up)
        taken.append(box)
        texts.append(text)
    return texts
