"""Take inline markup out of one paragraph: roles, links, emphasis, LaTeX, whatever the dialect."""

from __future__ import annotations

import re

# How a list item begins.
BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)]|\([a-z\d]\)|#\.)\s+(?=\S)")
_INLINE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"!\[[^\]]*\]\([^)]*\)", ""),  # Markdown images
        (r"\[([^\]\[]+)\]\((?:[^()\s]|\([^()]*\))+\)", r"\1"),  # Markdown links
        (r"\s?\[[\w#*.+-]+\]_+", ""),  # references to footnotes
        (r":[\w:+-]+:`[~!.]*([^`<]+?)\s*<[^`>]*>`", r"\1"),  # :role:`text <target>`
        (r"`([^`<]+?)\s*<[^`>]*>`_+", r"\1"),  # `text <address>`_
        (r":[\w:+-]+:`[~!.]?([^`]*)`", r"\1"),  # :role:`name`
        (r"\[`~?([^`\]]+)`\]", r"\1"),  # Hugging Face's [`name`]
        (r"``+([^`]+)``+", r"\1"),
        (r"`[~!]?\.?([^`]+)`_{0,2}", r"\1"),
        (r"\|([A-Za-z][\w ]*)\|_?", r"\1"),  # substitutions
        (r"(?<![\w*])\*\*([^\s*](?:[^*]*[^\s*])?)\*\*(?![\w*])", r"\1"),
        (r"(?<![\w*.])\*([^\s*](?:[^*]*[^\s*,])?)\*(?![\w*])", r"\1"),
        (r"</?(?:[Tt]ip|br|hr|p|b|i|a|code|pre|sup|sub|em|strong|img|hfoptions?|frameworkcontent)"
         r"\b[^>]*>", " "),
        (r"\\ |(?<=\w)\\(?=s\b)", ""),
        (r"\\([*_`|\\])", r"\1"),
    )
)  # fmt: skip
_SPACING: tuple[tuple[re.Pattern[str], str], ...] = tuple(  # what the removals leave behind
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\s+([,.;:)])(?=\s|$)", r"\1"),
        (r"\s\((?:see|see also|cf\.?)?\s*\)", ""),
        (r"\s+", " "),
    )
)
_TAIL = re.compile(r"\[?(?::[\w:+-]+:)?`~[\w.]*?(\w+(?:\(\))?)`\]?")  # `~a.b.C` shows as C
_MATH_ROLE = re.compile(r":math:`([^`]*)`|(?<!\\)\$\$?([^$]{1,200})\$\$?")
_MARKUP = frozenset("`*|<[\\$")


def inline(text: str) -> str:
    """One paragraph without its inline markup; sentences that carry an address are dropped."""
    text = BULLET.sub("- ", text) if text[:1] in "*+•#" else text
    if "://" in text or "www." in text:
        text = re.sub(r"`([^`<]+?)\s*<[^`>]*>`_+|\[([^\]\[]+)\]\([^)]*\)", r"\1\2", text)
        sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z`])", text)
        text = " ".join(s for s in sentences if "://" not in s and "www." not in s)
    if not _MARKUP.isdisjoint(text):
        text = _MATH_ROLE.sub(lambda m: _math(m[1] or m[2] or ""), text)
        text = _TAIL.sub(r"\1", text)
        for pattern, replacement in _INLINE:
            text = pattern.sub(replacement, text)
        text = _math(text.replace("`", ""))
    for pattern, replacement in _SPACING:
        text = pattern.sub(replacement, text)
    return text.strip()


def _math(latex: str) -> str:
    """LaTeX made speakable: commands become words, braces go."""
    if "\\" not in latex and "_{" not in latex and "^{" not in latex:
        return latex
    latex = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)", latex)
    latex = re.sub(r"\\(?:math(?:rm|bf|cal|bb|it)|text|operatorname|left|right|frac)\b", "", latex)
    latex = re.sub(r"\\(sqrt|vec|bar|hat|tilde|overline)\{([^{}]*)\}", r"\1(\2)", latex)
    latex = re.sub(r"\\(?:[,;!]|(?=[{}]|[A-Za-z]{2}))", "", latex)
    return re.sub(r"(?<![\w'\"])\{([^{}]*)\}|(?<=[_^])\{([^{}]*)\}", r"\1\2", latex)
