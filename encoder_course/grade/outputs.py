"""Keep of a student's outputs what can be shown without running anything: text and pictures.

HTML, SVG, JavaScript and widgets are left out, except for the one kind of HTML that the course
itself writes: `viz.show` puts a picture and the words on it into an `<img>`.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable
from typing import Any

from encoder_course.grade.notebook_json import text_of

MOST_LETTERS = 20_000  # of all outputs of a cell
MOST_OUTPUTS = 20  # of a cell
LARGEST_PICTURE = 4_000_000  # characters of base64
LONGEST_NAME = 200  # characters of an attachment's
PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}  # how each begins
SHOWN = re.compile(
    r'\s*<img alt="([^"]*)"[^<>]*? src="data:(image/(?:png|jpeg));base64,([A-Za-z0-9+/=]+)">\s*'
)
OF_FORMAT_3 = {"text/plain": "text", "image/png": "png", "image/jpeg": "jpeg", "text/html": "html"}

Output = dict[str, Any]


def clean_outputs(found: Any) -> tuple[list[Output], int]:
    """What stays of a cell's outputs, and how many characters of text were cut off their end."""
    kept: list[Output] = []
    room, cut = MOST_LETTERS, 0
    for output in found if isinstance(found, list) else []:
        read = _read(output) if isinstance(output, dict) else None
        if read is None:
            continue
        text, build = read
        cut += max(0, len(text) - room)
        built = build(text[:room])
        if len(kept) < MOST_OUTPUTS and (room or built.get("data")):
            kept.append(built)
        room -= min(room, len(text))
    return kept, cut


def clean_attachments(found: Any) -> dict[str, dict[str, str]]:
    """Pictures that were pasted into a Markdown cell, by their name there."""
    named = found.items() if isinstance(found, dict) else ()
    pictures = {text_of(name[:LONGEST_NAME]): _picture(data) for name, data in named}
    return {name: data for name, data in pictures.items() if data}


def _read(output: Output) -> tuple[str, Callable[[str], Output]] | None:
    """The text of an output, and how to build an output that shows as much of it as fits."""
    kind = output.get("output_type")
    if kind == "stream":
        error = "stderr" in (output.get("name"), output.get("stream"))
        head = {"output_type": "stream", "name": "stderr" if error else "stdout"}
        return text_of(output.get("text")) or "", lambda text: head | {"text": text}
    if kind in ("error", "pyerr"):
        name = (text_of(output.get("ename")) or "Error")[:LONGEST_NAME]
        return text_of(output.get("evalue")) or "", lambda text: _error(name, text)
    old = {new: output.get(key) for new, key in OF_FORMAT_3.items()}
    data = output.get("data", old)
    if not isinstance(data, dict):
        return None
    text, picture = text_of(data.get("text/plain")) or "", _picture(data)
    if not picture and (shown := SHOWN.fullmatch(text_of(data.get("text/html")) or "")):
        text, picture = html.unescape(shown[1]), _picture({shown[2]: shown[3]})
    return (text, lambda text: _display(text, picture)) if text or picture else None


def _error(name: str, text: str) -> Output:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def _display(text: str, picture: dict[str, str]) -> Output:
    words = {"text/plain": text} if text else {}
    return {"output_type": "display_data", "metadata": {}, "data": words | picture}


def _picture(data: Any) -> dict[str, str]:
    """The picture among several forms of one thing, its base64 written anew; {} without one."""
    for kind, start in PICTURES.items() if isinstance(data, dict) else ():
        encoded = text_of(data.get(kind)) or ""
        if 0 < len(encoded) <= LARGEST_PICTURE:
            try:
                raw = base64.b64decode("".join(encoded.split()), validate=True)
            except (binascii.Error, ValueError):  # not base64, or not ASCII
                continue
            if raw.startswith(start):
                return {kind: base64.b64encode(raw).decode("ascii")}
    return {}
