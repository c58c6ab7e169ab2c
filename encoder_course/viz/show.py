"""The one way a picture or a table gets into a notebook, with words for those who cannot see it.

An `<img alt=...>` in HTML is the one form whose text survives JupyterLab, nbconvert and the book.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from encoder_course.viz.palette import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CSS_DPI = 96  # pixels per inch in a browser
SHORTEST_ALT = 30  # characters: less cannot state a finding
_CELL = "padding:.25em .8em;border:0;border-bottom:1px solid #ddd"


def new_figure(
    width: int | float = 7.0,
    height: int | float = 3.5,
    columns: int = 1,
    rows: int = 1,
    **layout: Any,
) -> tuple[Figure, Any]:
    """Return a figure (inches) and its axes, unknown to pyplot, so that nothing shows it twice.

    One panel gives one `Axes`, more give the array that `Figure.subplots` makes; `layout` goes
    there (`sharey=True`). Draw inside `with style():`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style():
        fig = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(fig)
        return fig, fig.subplots(rows, columns, **layout)


def show(fig: Figure, alt: str) -> None:
    """Put a figure into the notebook; `alt` says in a sentence or two what it shows.

    Sharp on dense screens: the picture has twice as many pixels as it takes. Outside of a notebook
    nothing is displayed. Raises ValueError where `alt` says too little.
    """
    _display(image(fig, alt))


def image(fig: Figure, alt: str) -> str:
    """Return the `<img>` that `show` displays, the same bytes for the same figure."""
    words = _checked(alt)
    stream = io.BytesIO()
    with style():
        fig.savefig(stream, format="png", dpi=2 * CSS_DPI, metadata={"Software": None})
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)  # or the inline backend would show a pyplot figure a second time
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    width = round(fig.get_figwidth() * CSS_DPI)
    return (
        f'<img alt="{words}" style="max-width:100%;height:auto;background:#fff" '
        f'width="{width}" src="data:image/png;base64,{data}">'
    )


def show_html(markup: str, alt: str) -> None:
    """Put HTML into the notebook, on a white ground; `alt` says what it shows.

    For scripts such as Devanagari, which browsers shape and older matplotlibs do not, and for text
    with marks in it. Raises ValueError where `alt` says too little.
    """
    frame = "background:#fff;color:#111;padding:.5em;overflow-x:auto"
    words = _checked(alt)
    _display(f'<div role="group" aria-label="{words}" style="{frame}">{markup}</div>')


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "") -> str:
    """Return a table for `show_html`; text is escaped, numbers stand to the right.

    Integers get thousands separators, other numbers three digits.
    Raises ValueError where a row is not as long as `columns`.
    """
    for position, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(f"row {position} has {len(row)} cells for {len(columns)} columns")
    titles = (
        f'<th scope="col" style="{_CELL};text-align:{_side(rows[0][i] if rows else name)}">'
        f"{_text(name)}</th>"
        for i, name in enumerate(columns)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    above = f'<caption style="text-align:left;font-weight:bold">{_text(caption)}</caption>'
    return (
        '<table style="border-collapse:collapse;color:#111;background:#fff">'
        f"{above if caption else ''}<thead><tr>{''.join(titles)}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _cell(value: Any) -> str:
    return f'<td style="{_CELL};text-align:{_side(value)}"{_language(value)}>{_text(value)}</td>'


def _side(value: Any) -> str:
    return "left" if isinstance(value, str) else "right"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if type(value) is int else html.escape(str(value))


def _language(value: Any) -> str:
    """Mark Devanagari as Hindi, so that a browser and a screen reader pick the right voice."""
    is_devanagari = isinstance(value, str) and any("\u0900" <= c <= "\u097f" for c in value)
    return ' lang="hi"' if is_devanagari else ""


def _checked(alt: str) -> str:
    if len(alt.strip()) < SHORTEST_ALT:
        raise ValueError(f"alt is {alt!r}, and needs {SHORTEST_ALT} characters to state a finding")
    return html.escape(" ".join(alt.split()), quote=True)


def _display(markup: str) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import HTML, display

        display(HTML(markup))
