"""Questions that nobody had to write: what the documentation says of its own objects."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from encoder_course.data.corpus import Corpus
from encoder_course.tasks.rag import Passage, sentences
from encoder_course.tasks.rerank import Choice
from encoder_course.tasks.search import DocumentSearch, Question, Search

SHORTEST = 3  # words of a line that says something
ALIKE = 0.6  # cosine from which two summaries of one name in two packages mean the same


def last_part(name: str) -> str:
    """The last part of a qualified name, without underscores: torch.Tensor.add_, add."""
    return name.rpartition(".")[2].strip("_").lower()


def plain(text: str) -> str:
    """The words of a text, without case and marks."""
    return re.sub(r"\W+", " ", text.lower()).strip()


def see_also_questions(corpus: Corpus, passages: Sequence[Passage]) -> list[Question]:
    """What See Also lists say of other objects, each with the names that it can be about.

    The author of one page describes another page's object: a paraphrase of its summary, or a copy.
    """
    endings: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(passage.name for passage in passages):
        endings[last_part(name)].append(name)
    found: dict[str, frozenset[str]] = {}
    for page in corpus:
        for entry in page.entries if page.section == "see also" else ():
            known = [n for n in endings[last_part(entry.name)] if n.startswith(f"{page.package}.")]
            about = frozenset(n for n in known if f".{n}".endswith(f".{entry.name}"))
            if about and len(entry.text.split()) >= SHORTEST:
                found.setdefault(entry.text, about)
    return [Question(text, about) for text, about in found.items()]


def twin_questions(search: DocumentSearch) -> list[Question]:
    """The first sentence about an object as a question to its namesake in another package.

    numpy.linspace and torch.linspace do the same and are described by two people. Only pairs whose
    vectors are near each other count, because a name like `apply` means many things.
    """
    first: dict[str, int] = {}
    for place, passage in enumerate(search.documents):
        first.setdefault(passage.name, place)
    named: dict[str, list[str]] = defaultdict(list)
    for name in first:
        named[last_part(name)].append(name)
    found: dict[str, frozenset[str]] = {}
    for one, place in first.items():
        about = search.documents[place]
        others = [n for n in named[last_part(one)] if n.partition(".")[0] != one.partition(".")[0]]
        near = [n for n in others if _cosine(search, place, first[n]) > ALIKE]
        text = next(iter(sentences(about.body)), "")
        if near and len(text.split()) >= SHORTEST:
            found.setdefault(text, frozenset(near))
    return [Question(text, about) for text, about in found.items()]


def _cosine(search: DocumentSearch, one: int, other: int) -> float:
    return float(search.vectors[one] @ search.vectors[other])


def choices_for(
    questions: Iterable[Question],
    search: Search,
    held_out: Collection[str] = (),
    *,
    wrong: int = 4,
    among: int = 16,
    seed: int = 0,
) -> list[Choice]:
    """Each question with a passage that answers it and `wrong` hard ones that do not.

    Wrong ones are drawn from the first `among` that `search` finds: no name that is right, none
    that resembles it (`add` and `add_`), no text that is the question itself. Nothing whose name
    is `held_out` takes part, on either side; questions with too few passages are left out.
    """
    generator = random.Random(seed)
    passages: dict[str, Passage] = {}
    for passage in search.documents:
        passages.setdefault(passage.name, passage)
    choices = []
    for question in questions:
        right = sorted(question.right - set(held_out), key=len)
        if not right:
            continue
        body = passages[right[0]].body
        seen = {plain(body), plain(question.text)}
        parts = [last_part(name) for name in question.right]
        others = []
        for hit in search.query(question.text, 3 * among):
            passage, last = hit.document, last_part(hit.document.name)
            alike = any(last in part or part in last for part in parts)
            if not alike and passage.name not in held_out and plain(passage.body) not in seen:
                seen.add(plain(passage.body))
                others.append(passage.text)
        if len(others) >= wrong and plain(question.text) != plain(body):
            drawn = tuple(generator.sample(others[:among], wrong))
            choices.append(Choice(question.text, passages[right[0]].text, drawn))
    return choices
