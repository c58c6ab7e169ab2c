"""Questions about docstrings: facts found by rule, asked in words of ours.

Some ways to ask are kept for the test, and so are whole packages: a model that only knows its
training questions, or its training docstrings, gives itself away.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from encoder_course.data.facts_in_docs import KINDS, Fact
from encoder_course.data.public import Question

HELD_OUT = frozenset({"sklearn", "networkx", "huggingface_hub"})  # all come with the course
SIDES = ("train", "validation", "test")

SEEN = {
    "default": (
        "What is the default of {}?",
        "What is the default value of {}?",
        "Which value does {} have by default?",
        "What does {} default to?",
        "If {} is not given, what is its default?",
        "{}: default?",
        "Tell me the default setting of {}.",
        "Which default does {} take?",
        "What value is used for {} unless I set it?",
        "What is {} when it is left out?",
    ),
    "type": (
        "What type must {} have?",
        "Which type is {}?",
        "What is the type of {}?",
        "What type of object does {} take?",
        "Of what type should {} be?",
        "{}: type?",
        "What kind of value does {} accept?",
        "What should I pass as {}?",
        "Is {} a string, a number or what?",
        "Which data type does {} expect?",
    ),
    "raises": (
        "When is {} raised?",
        "What raises {}?",
        "In which case does it raise {}?",
        "Under which condition is {} raised?",
        "When do I get a {}?",
        "Why would this raise {}?",
        "{}: when?",
        "What makes it fail with {}?",
        "When does {} occur?",
        "What leads to {}?",
    ),
}
NEW = {
    "default": (
        "What will {} be if nobody passes it?",
        "I did not set {}. What is it now?",
        "Which value is assumed for {}?",
        "What does {} start out as?",
        "Leaving {} alone gives me which value?",
        "What is {} preset to?",
        "Out of the box, {} is what?",
        "Without my doing anything, what will {} be?",
    ),
    "type": (
        "What sort of thing is {}?",
        "What am I supposed to hand over for {}?",
        "In which form does {} want its input?",
        "What has {} got to be, an array or a float?",
        "What can go into {}?",
        "What may {} be?",
        "Which class of object belongs in {}?",
        "How is {} to be given?",
    ),
    "raises": (
        "What did I do wrong if I see {}?",
        "How can I provoke {}?",
        "My call ended in {}. What was the matter?",
        "Which mistake ends in {}?",
        "What must I avoid so that no {} comes up?",
        "What triggers {}?",
        "Which input is refused with {}?",
        "What is {} telling me?",
    ),
}
PHRASINGS = {"seen": SEEN, "new": NEW}


@dataclass(frozen=True)
class DocsQuestion(Question):
    """A question about the docstring of `source`; `about` is the name that it asks for."""

    kind: str  # of `facts_in_docs.KINDS`
    about: str
    source: str


def side(fact: Fact) -> str:
    """Of SIDES: whole packages are kept for the test, whole modules for the validation.

    The same module falls on the same side on every machine.
    """
    if fact.package in HELD_OUT:
        return "test"
    module = ".".join(fact.source.split(".")[:3])
    return "validation" if zlib.crc32(module.encode()) % 10 == 0 else "train"


def choose(
    facts: Iterable[Fact],
    count: int,
    *,
    unanswerable: float | int = 1 / 3,
    most_of_one: int = 2,
    seed: int = 0,
) -> list[Fact]:
    """As many facts of each kind, some of them not in their context, in random order.

    `unanswerable` is the share of those: half are parameters whose default the context does not
    state, half are names that it does not hold. No object gives more than `most_of_one`. Where a
    kind runs short the others fill up. ValueError where there are too few facts for `count`.
    """
    draw = random.Random(seed)
    there = [fact for fact in facts if fact.places]
    unstated = [fact for fact in facts if not fact.places]
    absent = [_absent(fact, there, draw) for fact in draw.sample(there, min(len(there), count))]
    used: Counter[str] = Counter()
    silent = round(count * unanswerable)
    chosen = _pick(unstated, silent // 2, most_of_one, used, draw)
    chosen += _pick(
        [fact for fact in absent if fact], silent - len(chosen), most_of_one, used, draw
    )
    chosen += _pick(there, count - len(chosen), most_of_one, used, draw)
    if len(chosen) < count:
        raise ValueError(f"asked for {count} facts, but there are only {len(chosen)} to choose")
    return draw.sample(chosen, count)


def _pick(
    facts: Sequence[Fact], count: int, most: int, used: Counter[str], draw: random.Random
) -> list[Fact]:
    """`count` facts, the kinds in turn, and `most` of one object."""
    queues = [draw.sample(q, len(q)) for q in ([f for f in facts if f.kind == k] for k in KINDS)]
    picked: list[Fact] = []
    while len(picked) < count and any(queues):
        for queue in filter(None, queues):
            while queue and used[queue[-1].source] >= most:
                queue.pop()
            if queue and len(picked) < count:
                picked.append(queue.pop())
                used[picked[-1].source] += 1
    return picked


def _absent(fact: Fact, others: Sequence[Fact], draw: random.Random) -> Fact | None:
    """The context of a fact, asked for a name that another one has; None where none was found."""
    for other in draw.sample(others, min(20, len(others))):
        if other.about.casefold() not in fact.context.casefold():
            return replace(fact, kind=other.kind, about=other.about, places=())
    return None


def ask(facts: Iterable[Fact], phrasings: str = "seen", seed: int = 0) -> tuple[DocsQuestion, ...]:
    """One question for each fact; `phrasings` are "seen", those to train on, or "new"."""
    if phrasings not in PHRASINGS:
        raise ValueError(f"phrasings are {' or '.join(PHRASINGS)}, not {phrasings!r}")
    draw, ways = random.Random(seed), PHRASINGS[phrasings]
    return tuple(
        DocsQuestion(
            draw.choice(ways[fact.kind]).format(fact.about),
            *(fact.context, fact.places, fact.kind, fact.about, fact.source),
        )
        for fact in facts
    )
