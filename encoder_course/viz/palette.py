"""Colours, marks and type that every figure of the course shares.

Classes take the colours of Okabe and Ito (2008), which stay apart for colour-blind readers;
amounts take viridis, signed numbers a map whose white is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OKABE_ITO = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
    "yellow": "#F0E442",
}
GREY = "#6B6B6B"  # baselines, leaders and other things that are not data: 5.3:1 on white
MISSING = "#DDDDDD"  # cells without a number
AMOUNTS = "viridis"
SIGNED = "RdBu_r"
# Never colour alone: the n-th class has the n-th colour, marker and dashes.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), *((0, (n, 2)) for n in (9, 3, 2, 12)))

# Matplotlib takes each glyph from the first installed font that has it. From 3.11 on it also joins
# Devanagari letters as they should be; for older ones, `html_table` leaves that to the browser.
FONTS = (
    "DejaVu Sans",
    "Noto Sans Devanagari",
    "Nirmala UI",
    "Kohinoor Devanagari",
    "Devanagari Sangam MN",
    "Mangal",
    "Lohit Devanagari",
)


def class_colours(count: int) -> list[str]:
    """Return the colours of `count` classes, best kept apart first.

    Raises ValueError above eight: more colours cannot be told apart.
    """
    if not 0 <= count <= len(OKABE_ITO):
        raise ValueError(f"{count} classes, and there are {len(OKABE_ITO)} colours: group some")
    return list(OKABE_ITO.values())[:count]


def text_on(colour: Any) -> str:
    """Return "black" or "white", whichever reads better on `colour` (any matplotlib colour).

    The contrast is that of WCAG 2: the two are equally good at a luminance of 0.179.
    """
    return "black" if _luminance(colour) > 0.179 else "white"


def ink(colour: Any) -> tuple[float, float, float]:
    """Return `colour`, darkened until text in it reads on white (contrast 4.5, WCAG 2)."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    while _luminance((red, green, blue)) > 1.05 / 4.5 - 0.05:
        red, green, blue = 0.95 * red, 0.95 * green, 0.95 * blue
    return red, green, blue


def _luminance(colour: Any) -> float:
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def fonts() -> list[str]:
    """Return those of `FONTS` that this machine has; DejaVu Sans comes with matplotlib."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return [name for name in FONTS if name in installed]


def style_settings() -> dict[str, Any]:
    """Return matplotlib's settings for a figure of the course; sizes are points of 1/72 inch."""
    return {
        "font.family": fonts(),
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "axes.labelsize": 10,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.8,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.facecolor": "white",
    }


@contextmanager
def style() -> Iterator[None]:
    """Draw inside `with style():`, or decorate a function that draws with `@style()`."""
    import matplotlib

    with matplotlib.rc_context(style_settings()):
        yield
