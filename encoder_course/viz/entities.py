"""Spans made visible in their text: the figures of notebook 09, as HTML for `show_html`."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from encoder_course.text.bio import Span
from encoder_course.viz.palette import class_colours, ink

_LINES = ("solid", "dashed", "dotted", "double")
_MARK = "border-radius:3px;padding:.1em .25em;background:#F3F3F3;color:#111"
_NAME = "font-size:.68em;font-weight:bold;letter-spacing:.03em;margin-left:.35em"
_TEXT = "font-size:1.02em;line-height:2.1;margin:.2em 0;max-width:52em"


def highlighted(text: str, spans: Sequence[Span], labels: Sequence[str]) -> str:
    """Return HTML of `text` with its spans marked, each with the name of its label beside it.

    The place of a label in `labels` gives it a colour and a kind of line, which help those who
    see them: the name says it all. Raises ValueError where spans overlap, run backwards or leave
    the text, and for a label that is not in `labels`.
    """
    return f'<p style="{_TEXT}"{_language(text)}>{_marked(text, spans, labels)}</p>'


def compared(text: str, rows: Sequence[tuple[str, Sequence[Span]]], labels: Sequence[str]) -> str:
    """Return HTML of one text several times, as a row of each (name, spans): truth, prediction.

    A row says in words how many spans it marks. Raises ValueError as `highlighted` does.
    """
    side = "text-align:left;vertical-align:top;white-space:nowrap;padding:.5em .8em .2em 0"
    body = "".join(
        f'<tr><th scope="row" style="{side};border:0">{html.escape(name)}'
        f'<br><span style="font-weight:normal;color:#555">{_counted(spans)}</span></th>'
        f'<td style="text-align:left;border:0;{_TEXT}"{_language(text)}>'
        f"{_marked(text, spans, labels)}</td></tr>"
        for name, spans in rows
    )
    return f'<table style="border-collapse:collapse;background:#fff;color:#111">{body}</table>'


def _marked(text: str, spans: Sequence[Span], labels: Sequence[str]) -> str:
    colours = class_colours(len(labels))
    parts: list[str] = []
    place = 0
    for start, end, label in sorted(spans):
        if label not in labels:
            raise ValueError(f"the label {label!r} is not among {list(labels)}")
        if not place <= start < end <= len(text):
            raise ValueError(f"the span {start} to {end} ({label}) overlaps or leaves the text")
        number = list(labels).index(label)
        line = f"border-bottom:3px {_LINES[number % len(_LINES)]} {colours[number]}"
        name = f"{_NAME};color:{_hex(ink(colours[number]))}"
        parts += [
            html.escape(text[place:start]),
            f'<mark style="{_MARK};{line}">{html.escape(text[start:end])}'
            f'<span style="{name}">{html.escape(label)}</span></mark>',
        ]
        place = end
    return "".join([*parts, html.escape(text[place:])])


def _counted(spans: Sequence[Any]) -> str:
    return f"{len(spans) or 'no'} span{'s' * (len(spans) != 1)}"


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02X}" for part in colour)


def _language(text: str) -> str:
    return ' lang="hi"' if any("\u0900" <= sign <= "\u097f" for sign in text) else ""
