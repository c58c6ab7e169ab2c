"""Figures of notebook 10: the scores of start and end under each token, and all spans at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from encoder_course.viz.palette import GREY, class_colours, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style()
def start_and_end(
    tokens: Sequence[str], start: Any, end: Any, span: tuple[int, int], title: str = ""
) -> Figure:
    """Draw both scores of each token as bars, one panel each, with the chosen span shaded.

    span: its first and last token. Raises ValueError where there is not one score for each token
    or the span is not among them.
    """
    heights = [np.asarray(scores, dtype=float) for scores in (start, end)]
    if any(len(scores) != len(tokens) for scores in heights):
        raise ValueError(f"{len(tokens)} tokens, but {[len(scores) for scores in heights]} scores")
    first, last = span
    if not 0 <= first <= last < len(tokens):
        raise ValueError(f"the span {span} is not among {len(tokens)} tokens")
    fig, panels = new_figure(max(5.0, 0.27 * len(tokens) + 1), 4.2, 1, 2, sharex=True, sharey=True)
    names = ("starts here", "ends here")
    for axes, scores, name, colour in zip(panels, heights, names, class_colours(2), strict=True):
        axes.axvspan(first - 0.5, last + 0.5, color="#E5E5E5", lw=0)
        axes.bar(range(len(tokens)), scores, color=colour, width=0.7)
        axes.axhline(0, color=GREY, lw=0.8)
        axes.set_ylabel(f"score: {name}")
    panels[1].set_xticks(range(len(tokens)), tokens, rotation=90)
    panels[1].tick_params(axis="x", length=0)
    panels[0].tick_params(axis="x", length=0)
    panels[0].set_title(title)
    panels[0].set_xlim(-0.7, len(tokens) - 0.3)
    return fig


@style()
def span_table(
    tokens: Sequence[str], scores: Any, span: tuple[int, int], longest: int, title: str = ""
) -> Figure:
    """Draw the score of each span: rows where it starts, columns where it ends; grey is forbidden.

    scores (T, T); span: the best one, framed. Raises ValueError where the table does not fit.
    """
    table = np.array(scores, dtype=float)
    count = len(tokens)
    if table.shape != (count, count):
        raise ValueError(f"{count} tokens, but a table of {table.shape}")
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    i, j = np.indices(table.shape)
    table[(j < i) | (j >= i + longest)] = np.nan
    size = 0.24 * count + 1.6
    fig, axes = new_figure(size + 0.9, size)
    colours = colormaps["viridis"].with_extremes(bad="#DDDDDD")
    picture = axes.imshow(table, cmap=colours, interpolation="nearest")
    axes.add_patch(
        Rectangle((span[1] - 0.5, span[0] - 0.5), 1, 1, fill=False, color="#D55E00", lw=2.5)
    )
    axes.set_xticks(range(count), tokens, rotation=90)
    axes.set_yticks(range(count), tokens)
    axes.tick_params(length=0)
    axes.set(title=title, xlabel="ends here", ylabel="starts here")
    axes.spines[:].set_visible(False)
    bar = fig.colorbar(picture, ax=axes, label="start score + end score", shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    return fig
