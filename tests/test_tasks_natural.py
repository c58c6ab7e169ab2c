"""Questions out of the documentation: whose they are, and what may stand beside the right one."""

import pytest
import torch

from encoder_course.data.corpus import Corpus, Document, Entry, Report
from encoder_course.tasks.natural import (
    choices_for,
    last_part,
    see_also_questions,
    twin_questions,
)
from encoder_course.tasks.rag import Passage
from encoder_course.tasks.search import DocumentSearch, Question, WordSearch

BODIES = {
    "one.sort": "Sort an array.",
    "one.Array.sort": "Sort this array in place.",
    "one.sort_": "Sort a given array in place.",
    "one.add": "Add two arrays.",
    "one.copy": "Copy an array.",
    "one.split": "Split an array.",
    "two.sort": "Return the array in ascending order.",
    "two.add": "Attach a file to a message.",
}
PASSAGES = [Passage(n.partition(".")[0], "1", n, "summary", body) for n, body in BODIES.items()]


@pytest.fixture
def words():
    return WordSearch().fit(PASSAGES, progress=False)


def page(*entries, section="see also", package="one"):
    listed = tuple(Entry(name, "", text) for name, text in entries)
    return Document(package, "1", f"{package}.page", "function", section, "", entries=listed)


def test_see_also_lines_are_about_the_names_they_end_in():
    corpus = Corpus(
        [
            page(("Array.sort", "Sort it where it is."), ("add", "Too short.")),
            page(("one.copy", "Make another one of it."), ("nowhere", "Not in the index at all.")),
            page(("sort", "The same as a parameter."), section="parameters"),
            page(("sort", "Put things in order."), package="two"),
        ],
        Report(1, 1, 4),
    )
    found = {q.text: set(q.right) for q in see_also_questions(corpus, PASSAGES)}
    assert found == {
        "Sort it where it is.": {"one.Array.sort"},
        "Make another one of it.": {"one.copy"},
        "Put things in order.": {"two.sort"},
    }
    assert [last_part(n) for n in ("torch.Tensor.add_", "Sort")] == ["add", "sort"]


def test_twins_share_their_name_and_their_meaning():
    search = DocumentSearch.__new__(DocumentSearch)  # its vectors are given
    search.documents = PASSAGES
    near, far = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    search.vectors = torch.stack([far if p.name == "two.add" else near for p in PASSAGES])
    found = {q.text: set(q.right) for q in twin_questions(search)}
    assert found["Sort an array."] == {"two.sort"}
    everyone = {"one.sort", "one.Array.sort", "one.sort_"}
    assert found["Return the array in ascending order."] == everyone
    assert not {"Add two arrays.", "Attach a file to a message."} & set(found)


def test_wrong_texts_are_near_and_wrong(words):
    asked = [Question("put an array in order", frozenset({"one.sort"}))]
    (choice,) = choices_for(asked, words, wrong=2, among=9)
    assert choice.right == "one.sort: Sort an array."
    # Neither a namesake, nor `sort_`, nor what shares no word with the question.
    allowed = {"one.add: Add two arrays.", "one.copy: Copy an array.", "one.split: Split an array."}
    assert set(choice.wrong) <= allowed and len(choice.wrong) == 2
    assert choices_for(asked, words, wrong=2, among=9) == [choice]


def test_what_is_held_out_takes_no_part(words):
    asked = [Question("put an array in order", frozenset({"one.sort"}))]
    (choice,) = choices_for(asked, words, {"one.copy", "one.add"}, wrong=1, among=9)
    assert choice.wrong == ("one.split: Split an array.",)
    assert choices_for(asked, words, {"one.sort"}, wrong=1) == []
    assert choices_for(asked, words, wrong=5) == []
    copied = [Question("Sort an array!", frozenset({"one.sort"}))]
    assert choices_for(copied, words, wrong=1) == []
