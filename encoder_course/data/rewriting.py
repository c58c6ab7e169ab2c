"""Two tasks made by rule for notebook 13: a blank to fill, and dates and amounts to rewrite.

Everything here was written for the course. Contracts of another hand lie in `written/contracts.md`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SHOPS = dict(
    baker="bread",
    florist="roses",
    jeweller="rings",
    butcher="ham",
    tailor="shirts",
    chemist="pills",
    greengrocer="pears",
    fishmonger="trout",
    stationer="pens",
    cobbler="boots",
    brewer="beer",
    potter="bowls",
)
_ASIDES = (
    "on Monday",
    "in the rain",
    "after lunch",
    "with my sister",
    "for the party",
    "by the river",
    "before noon",
    "last week",
    "near the station",
    "without a list",
)
BLANK = "_"


@dataclass(frozen=True)
class Blank:
    """A sentence with one blank, the word that belongs there, and where its clue stands."""

    text: str
    answer: str
    clue: int  # phrases from the blank to the shop that decides it; negative: the shop is before


def blanks(count: int, seed: int) -> list[Blank]:
    """Sentences such as "at the baker 's on Monday we bought _ in the rain", the same for a seed.

    Five phrases stand around the blank in any order, and one of them names a shop, which sells one
    thing. Every place of the shop is equally likely.
    """
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        shop = rng.choice(list(SHOPS))
        phrases = [*rng.sample(_ASIDES, 4), f"at the {shop} 's"]
        rng.shuffle(phrases)
        phrases.insert(rng.randrange(len(phrases) + 1), f"we bought {BLANK}")
        places = {phrase: i for i, phrase in enumerate(phrases)}
        clue = places[f"at the {shop} 's"] - places[f"we bought {BLANK}"]
        made.append(Blank(" ".join(phrases), SHOPS[shop], clue))
    return made


@dataclass(frozen=True)
class Rewriting:
    """A clause, the ISO form of the one date or amount in it, and the format it was written in."""

    text: str
    iso: str
    format: str


_MONTHS = "January February March April May June July August September October November December"
MONTHS = tuple(_MONTHS.split())
CURRENCIES = dict(EUR=("€", "euros"), USD=("$", "dollars"), GBP=("£", "pounds"))
_DATE_CLAUSES = (
    "This agreement begins on {} and ends thirty days later .",
    "The rent is due on {} and/or on delivery of the keys .",
    "Either party may give notice until {} under clause 4 .",
    "Signed in Lisbon on {} in two copies .",
    "The goods arrive by {} or within 5 days .",
    "From {} the tenant pays interest of 3 percent .",
)
_AMOUNT_CLAUSES = (
    "The tenant pays {} on the first day of each month .",
    "A deposit of {} and/or a guarantee is due under clause 7 .",
    "The price is {} within 30 days .",
    "The seller owes the buyer {} for each of 2 deliveries .",
    "Damages above {} need consent in writing .",
    "The fee of {} covers 12 visits .",
)


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


# A date is written from its year, month and day.
DATE_FORMATS: dict[str, Callable[[int, int, int], str]] = {
    "12 March 2031": lambda y, m, d: f"{d} {MONTHS[m - 1]} {y}",
    "March 12, 2031": lambda y, m, d: f"{MONTHS[m - 1]} {d}, {y}",
    "12th March 2031": lambda y, m, d: f"{_ordinal(d)} {MONTHS[m - 1]} {y}",
    "12 Mar 2031": lambda y, m, d: f"{d} {MONTHS[m - 1][:3]} {y}",
    "12.03.2031": lambda y, m, d: f"{d:02}.{m:02}.{y}",
    "Mar 12th, 2031": lambda y, m, d: f"{MONTHS[m - 1][:3]} {_ordinal(d)}, {y}",
}
HELD_OUT_DATES: dict[str, Callable[[int, int, int], str]] = {
    "the 12th of March 2031": lambda y, m, d: f"the {_ordinal(d)} of {MONTHS[m - 1]} {y}",
    "12/03/2031": lambda y, m, d: f"{d:02}/{m:02}/{y}",
    "2031 March 12": lambda y, m, d: f"{y} {MONTHS[m - 1]} {d}",
}
# An amount is written from its currency, its whole part and its cents.
AMOUNT_FORMATS: dict[str, Callable[[str, int, int], str]] = {
    "EUR 1,250.00": lambda c, w, f: f"{c} {w:,}.{f:02}",
    "€1,250": lambda c, w, f: f"{CURRENCIES[c][0]}{w:,}",
    "€1,250.00": lambda c, w, f: f"{CURRENCIES[c][0]}{w:,}.{f:02}",
    "1,250 euros": lambda c, w, f: f"{w:,} {CURRENCIES[c][1]}",
}
HELD_OUT_AMOUNTS: dict[str, Callable[[str, int, int], str]] = {
    "1,250.00 euros": lambda c, w, f: f"{w:,}.{f:02} {CURRENCIES[c][1]}",
    "EUR 1.250,00": lambda c, w, f: f"{c} {w:,}".replace(",", ".") + f",{f:02}",
}
FORMATS = (*DATE_FORMATS, *AMOUNT_FORMATS)
HELD_OUT = (*HELD_OUT_DATES, *HELD_OUT_AMOUNTS)


def rewritings(count: int, seed: int, formats: Sequence[str] = FORMATS) -> list[Rewriting]:
    """Clauses with one date or amount in one of `formats`, the same for a seed.

    ISO 8601 for dates (2031-03-12), the code of ISO 4217 and two decimals for amounts (EUR
    1250.00). Amounts have one to six digits before the point, each number of digits equally often.
    ValueError for a format that is not known.
    """
    dates, amounts = DATE_FORMATS | HELD_OUT_DATES, AMOUNT_FORMATS | HELD_OUT_AMOUNTS
    unknown = [name for name in formats if name not in dates and name not in amounts]
    if unknown:
        raise ValueError(f"there is no format {unknown}, only {[*FORMATS, *HELD_OUT]}")
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        name = rng.choice(list(formats))
        if name in dates:
            year, month, day = rng.randint(1990, 2059), rng.randint(1, 12), rng.randint(1, 28)
            iso, written = f"{year}-{month:02}-{day:02}", dates[name](year, month, day)
        else:
            code = rng.choice(list(CURRENCIES))
            digits = rng.randint(1, 6)
            whole = rng.randrange(10 ** (digits - 1), 10**digits)
            cents = rng.randrange(100) if "00" in name else 0
            iso, written = f"{code} {whole}.{cents:02}", amounts[name](code, whole, cents)
        clause = rng.choice(_DATE_CLAUSES if name in dates else _AMOUNT_CLAUSES)
        made.append(Rewriting(clause.format(written), iso, name))
    return made


def pieces(text: str) -> list[str]:
    """Words in lower case, and every digit and sign by itself: 12th -> 1 2 th."""
    return re.findall(r"[a-z]+|[^a-z\s]", text.lower())
