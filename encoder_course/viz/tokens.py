"""Pieces, merges and padding made visible: the figures of notebook 01."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from encoder_course.viz.palette import GREY, OKABE_ITO, class_colours, style
from encoder_course.viz.show import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PIECE = "border-radius:3px;padding:.1em 0;margin-right:1px"
_LOOKS = (
    "background:#CFE6F5;border-bottom:3px solid #0072B2",
    "background:#FBE3C8;border-bottom:3px dotted #D55E00",
)


def marked_pieces(text: str, offsets: Sequence[tuple[int, int]]) -> str:
    """Return HTML of `text` with the pieces marked in it, two looks in turn, for `show_html`.

    Empty offsets, those of special tokens, are left out. The looks differ in colour and in the
    line below. Raises ValueError where offsets run backwards or leave the text.
    """
    parts = []
    place = 0
    for number, (start, end) in enumerate(span for span in offsets if span[0] < span[1]):
        if not place <= start or end > len(text):
            raise ValueError(f"offsets {(start, end)} come after {place} of {len(text)} characters")
        inside = html.escape(text[start:end])
        parts += [
            html.escape(text[place:start]),
            f'<span style="{_PIECE};{_LOOKS[number % 2]}">{inside}</span>',
        ]
        place = end
    parts.append(html.escape(text[place:]))
    language = ' lang="hi"' if any("\u0900" <= c <= "\u097f" for c in text) else ""
    return f'<p{language} style="font-size:1.15em;line-height:2;margin:0">{"".join(parts)}</p>'


@style()
def merge_tree(steps: Sequence[Sequence[str]], ranks: Mapping[tuple[str, str], int]) -> Figure:
    """Draw how byte-pair encoding joins the letters of a word, from `BPE.steps` and `BPE.ranks`.

    The letters stand at the bottom; each join carries the number of its merge, the first one
    learned being 1. Raises ValueError where two neighbouring steps are not one merge apart.
    """
    heights = [0] * len(steps[0])
    middles = [float(at) for at in range(len(steps[0]))]
    nodes = [(x, 0, piece, "") for x, piece in zip(middles, steps[0], strict=True)]
    lines = []
    for before, after in zip(steps, steps[1:], strict=False):
        at = _merged_at(before, after)
        pair = (before[at], before[at + 1])
        middle, height = (middles[at] + middles[at + 1]) / 2, 1 + max(heights[at : at + 2])
        for child in (at, at + 1):
            lines.append(((middles[child], middle), (heights[child], height)))
        nodes.append((middle, height, after[at], f"{ranks[pair] + 1:,}"))
        middles[at : at + 2], heights[at : at + 2] = [middle], [height]
    fig, axes = new_figure(max(0.58 * len(steps[0]), 4.0), 0.62 * max(n[1] for n in nodes) + 0.9)
    for x, y in lines:
        axes.plot(x, y, color=GREY, lw=1.2, zorder=1)
    for x, y, piece, number in nodes:
        edge = OKABE_ITO["blue"] if number else "white"
        box = dict(boxstyle="round,pad=0.25", fc="white", ec=edge, lw=1.2)
        look = dict(family="DejaVu Sans Mono", fontsize=10, ha="center", va="center", bbox=box)
        axes.text(x, y, piece, **look, zorder=2)
        if number:
            beside = dict(xytext=(0, 11), textcoords="offset points", ha="center", va="bottom")
            ground = dict(boxstyle="square,pad=0.1", fc="white", ec="white")
            look = dict(fontsize=9, color=OKABE_ITO["vermillion"], bbox=ground)
            axes.annotate(number, (x, y), **beside, **look)
    axes.set(xlim=(-0.7, len(steps[0]) - 0.3), ylim=(-0.4, max(n[1] for n in nodes) + 0.7))
    axes.axis("off")
    return fig


def _merged_at(before: Sequence[str], after: Sequence[str]) -> int:
    """The index at which two pieces of `before` became one of `after`."""
    for at in range(len(before) - 1):
        joined = "".join(before[at : at + 2])
        if list(after) == [*before[:at], joined, *before[at + 2 :]]:
            return at
    raise ValueError(f"{list(after)} is not {list(before)} with two neighbours joined")


@style()
def padding_area(panels: Mapping[str, Sequence[Sequence[int]]], unit: str = "tokens") -> Figure:
    """Draw padded batches as areas: panels maps a title to batches, each the lengths of its rows.

    Every row is a line, as long as its batch is wide; the share of padding stands in the title.
    """
    widest = max(max(batch) for batches in panels.values() for batch in batches)
    fig, places = new_figure(7.6, 3.9, columns=len(panels), sharey=True, squeeze=False)
    for axes, (title, batches) in zip(places[0], panels.items(), strict=True):
        y = 0
        for batch in batches:
            width = max(batch)
            rows = range(y, y + len(batch))
            axes.barh(rows, batch, height=1.0, color=OKABE_ITO["blue"])
            rest = [width - length for length in batch]
            look = dict(color="#F6D9B8", edgecolor=OKABE_ITO["vermillion"], linewidth=0)
            axes.barh(rows, rest, left=batch, height=1.0, hatch="////", **look)
            y += len(batch) + 3
        tokens = sum(map(sum, batches))
        area = sum(max(batch) * len(batch) for batch in batches)
        axes.set(title=f"{title}: {1 - tokens / area:.0%} padding", xlabel=unit)
        axes.set(xlim=(0, widest * 1.02), yticks=[])
        axes.spines["left"].set_visible(False)
    places[0][0].invert_yaxis()
    places[0][0].set_ylabel("rows, batch by batch")
    fig.legend(
        handles=[_patch(OKABE_ITO["blue"]), _patch("#F6D9B8", hatch="////")],
        labels=["tokens", "padding"],
        loc="outside lower center",
        ncols=2,
    )
    return fig


@style()
def grouped_bars(
    values: Mapping[str, Mapping[str, int | float]],
    unit: str = "",
    *,
    hatched: Mapping[str, Mapping[str, int | float]] | None = None,
    hatched_name: str = "",
) -> Figure:
    """Draw `{group: {name: value}}` as horizontal bars, the groups one below the other.

    hatched: of the same shape, the part of each bar to be hatched, such as unknown tokens;
    hatched_name says what it is. Each bar carries its number. Raises ValueError where the groups
    do not hold the same names.
    """
    names = list(next(iter(values.values())))
    for group, row in values.items():
        if list(row) != names:
            raise ValueError(f"group {group!r} holds {list(row)} and the first one {names}")
    fig, axes = new_figure(7.4, len(values) * (0.34 * len(names) + 0.3) + 0.9)
    colours = class_colours(len(names))
    ticks, y = [], 0.0
    for group, row in values.items():
        ticks.append(y + (len(names) - 1) / 2)
        for name, colour in zip(names, colours, strict=True):
            part = (hatched or {}).get(group, {}).get(name, 0)
            axes.barh(y, row[name] - part, height=0.86, color=colour)
            look = dict(color="white", edgecolor=colour, hatch="////", linewidth=1)
            axes.barh(y, part, left=row[name] - part, height=0.86, **look)
            said = f"{name}: {row[name]:.3g}"
            said += f", of these {part:.2g} {hatched_name}" if part >= 0.05 else ""
            place = dict(xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
            axes.annotate(said, (row[name], y), **place)
            y += 1
        y += 0.7
    axes.set_yticks(ticks, list(values))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel=unit)
    axes.margins(x=0.02)
    axes.axvline(0, color="black", lw=0.8)
    axes.spines["left"].set_visible(False)
    return fig


def _patch(colour: str, **look: Any) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, edgecolor=OKABE_ITO["vermillion"], linewidth=0, **look)
