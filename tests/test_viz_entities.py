"""Highlighted spans: nothing of the text is lost, labels are words, bad spans are named."""

import html
import re

import pytest

from encoder_course.data.written import load
from encoder_course.text.bio import Span
from encoder_course.viz.entities import compared, highlighted

LABELS = ["CASE_REF", "DATE", "JURISDICTION", "LEGAL_TERM", "MONEY", "PARTY"]
TEXT = 'Young & Old <owes> "£5" to Hope.'
SPANS = (Span(0, 11, "PARTY"), Span(20, 22, "MONEY"), Span(27, 31, "PARTY"))


def plain(markup: str) -> str:
    """What is left of the markup without the names of labels and without tags."""
    without_names = re.sub(r"<span[^>]*>[^<]*</span></mark>", "</mark>", markup)
    return html.unescape(re.sub("<[^>]*>", "", without_names))


def test_the_text_is_all_there_and_labels_are_words():
    markup = highlighted(TEXT, SPANS, LABELS)
    assert plain(markup) == TEXT
    named = re.findall(r"<mark[^>]*>([^<]*)<span[^>]*>([^<]*)</span></mark>", markup)
    assert named == [("Young &amp; Old", "PARTY"), ("£5", "MONEY"), ("Hope", "PARTY")]
    assert plain(highlighted(TEXT, (), LABELS)) == TEXT


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_clause_can_be_shown(split):
    for clause in load("contracts", split):
        markup = highlighted(clause.text, clause.spans, LABELS)
        assert plain(markup) == clause.text and markup.count("<mark") == len(clause.spans)


def test_looks_differ_in_more_than_colour():
    looks = set()
    for label in LABELS:
        markup = highlighted("x", [Span(0, 1, label)], LABELS)
        looks.add(re.search(r"border-bottom:3px (\w+) (#\w+)", markup).groups())
    assert len(looks) == len({colour for _, colour in looks}) == 6
    assert len({line for line, _ in looks}) == 4


def test_rows_say_whose_spans_they_are_and_how_many():
    markup = compared(TEXT, [("true", SPANS), ("ours", SPANS[:1]), ("list", ())], LABELS)
    assert markup.count("<tr>") == 3
    assert [re.sub("<[^>]*>", " ", row).split()[:3] for row in markup.split("<tr>")[1:]] == [
        ["true", "3", "spans"],
        ["ours", "1", "span"],
        ["list", "no", "spans"],
    ]
    assert 'scope="row"' in markup


def test_devanagari_is_marked_as_hindi():
    text = "सुनीता ने लिखा"
    assert 'lang="hi"' in highlighted(text, [Span(0, 6, "PARTY")], LABELS)
    assert 'lang="hi"' in compared(text, [("true", ())], LABELS)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([Span(0, 4, "PARTY"), Span(3, 6, "DATE")], r"span 3 to 6 \(DATE\) overlaps"),
        ([Span(5, 5, "PARTY")], "5 to 5"),
        ([Span(5, 500, "PARTY")], "5 to 500 .* leaves the text"),
        ([Span(0, 5, "FIRM")], "label 'FIRM' is not among"),
    ],
)
def test_bad_spans_are_named(spans, message):
    with pytest.raises(ValueError, match=message):
        highlighted(TEXT, spans, LABELS)
