"""Show somebody else's Markdown without running, loading or imitating anything.

nbconvert keeps raw HTML and gives headings ids; in formgrader, a script would have the instructor's
rights, and an id or a class of its buttons would take their place. So what is rendered is cleaned
afterwards, by a list of what may stay.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache

MOST_LETTERS = 50_000  # of a cell that is rendered; a longer one is shown as it was typed
TAGS = frozenset(
    "a b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre"
    " s small span strong sub summary sup table tbody td th thead tr u ul".split()
)
LINK = re.compile(r"https?://", re.IGNORECASE)
PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=\s]*")
HIGHLIGHT = re.compile(r"highlight|[a-z][a-z0-9]{0,2}")  # Pygments' names of classes


@lru_cache(maxsize=500)  # most cells are the lab's own, and the same for everybody
def safe_html(markdown: str) -> str:
    """Markdown rendered, with nothing left but text, tables, code, web links and pictures in it."""
    from bleach import clean
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    try:
        if len(PICTURE.sub("", markdown)) > MOST_LETTERS:
            raise ValueError("too long to be read as Markdown")
        rendered = MarkdownWithMath(renderer=renderer).render(markdown)
        return clean(rendered, tags=TAGS, attributes=_may_stay, protocols=["http", "https", "data"])
    except Exception:  # whatever a text may do to the two parsers, it can be shown as it is
        return f"<pre>{html.escape(markdown[:MOST_LETTERS])}</pre>"


def _may_stay(tag: str, name: str, value: str) -> bool:
    if tag == "img":
        return name == "alt" or (name == "src" and PICTURE.fullmatch(value) is not None)
    if tag == "a":
        return name == "href" and LINK.match(value) is not None
    if tag in ("div", "span", "pre"):
        return name == "class" and HIGHLIGHT.fullmatch(value) is not None
    return tag == "details" and name == "open"
