"""Questions about the written contracts: made from spans to train on, written by hand to test."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from encoder_course.data.public import Question
from encoder_course.data.written import FOLDER, Clause, load

# For a clause in which one span alone has the label, so that the question has one answer.
PHRASINGS = {
    "PARTY": ("Who is named?", "Which person or firm is it?", "Who is concerned?", "Who is it?"),
    "DATE": ("When?", "Which date is given?", "On which day?", "By when?", "Since when?"),
    "MONEY": ("How much?", "What does it cost?", "Which sum is due?", "How much is paid?"),
    "JURISDICTION": ("Whose law?", "Which law or court?", "Where is it decided?"),
    "CASE_REF": ("Under which number?", "Which reference is given?", "What is the number?"),
    "LEGAL_TERM": ("Which term of law is used?", "What do lawyers call it?"),
}


def from_spans(
    clauses: Sequence[Clause] | None = None, count: int | None = None, seed: int = 0
) -> tuple[Question, ...]:
    """Questions whose answer is the only span of its label, and half as many that find none.

    By default of the training clauses, all that there are. ValueError for more than there are.
    """
    clauses, draw = load("contracts", "train") if clauses is None else clauses, random.Random(seed)
    there, silent = [], []
    for clause in clauses:
        for label, ways in PHRASINGS.items():
            spans = [(span.start, span.end) for span in clause.spans if span.label == label]
            if len(spans) < 2:
                found = there if spans else silent
                found.append(Question(draw.choice(ways), clause.text, tuple(spans)))
    questions = there + draw.sample(silent, min(len(silent), len(there) // 2))
    count = len(questions) if count is None else count
    if count > len(questions):
        raise ValueError(f"asked for {count} questions, but the clauses give {len(questions)}")
    return tuple(draw.sample(questions, count))


def by_hand() -> tuple[Question, ...]:
    """78 questions about clauses of the test split, 20 of which the clause does not answer.

    Each is worded for its clause, most of them without its words. Where two spans would do as an
    answer, both count.
    """
    clauses = load("contracts", "test")
    rows = json.loads((FOLDER / "contract_questions.json").read_text(encoding="utf-8"))
    found = []
    for row in rows:
        text = clauses[row["clause"]].text
        places = tuple((text.index(a), text.index(a) + len(a)) for a in row["answers"])
        found.append(Question(row["question"], text, places))
    return tuple(found)
