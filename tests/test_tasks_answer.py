"""Span answers: SQuAD's metrics, the joint best span, windows, learning, saving, bad input."""

import numpy as np
import pytest
import torch

from encoder_course.config import EncoderConfig
from encoder_course.data.public import Question
from encoder_course.nn import Encoder
from encoder_course.tasks.answer import Answerer, best_span
from encoder_course.tasks.span_metrics import (
    Extract,
    best_threshold,
    exact_match,
    f1,
    normalise_answer,
    report,
)
from encoder_course.tasks.training import seeded
from encoder_course.tasks.windows import fullest, windows
from encoder_course.text.tokenizer import Tokenizer


def about(question, context, answer=None):
    start = context.index(answer) if answer else 0
    return Question(question, context, ((start, start + len(answer)),) if answer else ())


TRAIN = [
    about("who baked the bread?", "Ann baked the bread on Monday.", "Ann"),
    about("when was the bread baked?", "Ann baked the bread on Monday.", "Monday"),
    about("who sold the car?", "In June, old Bob Miller sold the red car.", "Bob Miller"),
    about("what was sold?", "In June, old Bob Miller sold the red car.", "red car"),
    about("where is the cat?", "The cat sleeps under the table.", "under the table"),
    about("who sleeps?", "The cat sleeps under the table.", "The cat"),
    about("who paints?", "Green leaves fall."),
    about("what falls?", "Green leaves fall.", "Green leaves"),
]
ASKED, GIVEN = [x.question for x in TRAIN], [x.context for x in TRAIN]
TRUE = [x.context[slice(*x.answers[0])] if x.answers else "" for x in TRAIN]


@pytest.fixture(scope="module")
def parts():
    tokenizer = Tokenizer.train(ASKED + GIVEN, vocab_size=150, progress=False)
    with seeded(0):
        return Encoder(EncoderConfig.tiny(vocab_size=len(tokenizer))).eval(), tokenizer


def untrained(parts, **settings):
    return Answerer(*parts, **{"max_len": 48, "stride": 8, **settings})


@pytest.fixture(scope="module")
def fitted(parts):
    answerer = untrained(parts, lr=3e-3, head_lr=1e-2, batch=4)
    return answerer.fit(TRAIN, epochs=60, progress=False)


@pytest.mark.parametrize(
    ("text", "normal"),
    [("The  Cat!", "cat"), ("an apple, a day", "apple day"), ("theatre", "theatre"), ("the", "")],
)
def test_answers_are_normalised(text, normal):
    assert normalise_answer(text) == normal


@pytest.mark.parametrize(
    ("predicted", "references", "match", "overlap"),
    [
        ("the Cat.", ["cat"], 1, 1),
        ("black cat", ["cat"], 0, 2 / 3),  # precision 1/2, recall 1
        ("cat cat", ["cat"], 0, 2 / 3),  # a word counts as often as both have it
        ("black cat", ["dog", "a black cat sat"], 0, 0.8),  # 2 of 2 and 2 of 3
        ("dog", ["cat"], 0, 0),
        ("", [], 1, 1),
        ("cat", [], 0, 0),
        ("", ["cat"], 0, 0),
    ],
)
def test_metrics_by_hand(predicted, references, match, overlap):
    assert exact_match(predicted, references) == match
    assert f1(predicted, references) == pytest.approx(overlap)


def test_the_best_span_is_that_of_brute_force():
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        start, end = torch.randn(2, 12, generator=generator)
        keep = torch.rand(12, generator=generator) > 0.3
        keep[5] = True
        longest = int(torch.randint(1, 6, (), generator=generator))
        _, first, last = best_span(start, end, keep, longest)
        spans = [
            (i, j) for i in range(12) for j in range(i, min(i + longest, 12)) if keep[i] and keep[j]
        ]
        assert (first, last) == max(spans, key=lambda s: (start[s[0]] + end[s[1]]).item())


def test_start_and_end_taken_apart_give_no_span():
    start, end = torch.tensor([9.0, 0, 1, 5, 0]), torch.tensor([9.0, 0, 6, 3, 0])
    keep = torch.tensor([False, True, True, True, True])
    apart = [int(x.masked_fill(~keep, -torch.inf).argmax()) for x in (start, end)]
    assert apart == [3, 2]  # ends before it starts
    assert best_span(start, end, keep, 30) == (8.0, 3, 3)
    with pytest.raises(ValueError, match="no span"):
        best_span(start, end, keep & False, 30)


def test_windows_cover_every_token():
    for length in range(1, 40):
        for room in range(1, 12):
            for stride in range(1, room + 1):
                found = windows(length, room, stride)
                assert {i for part in found for i in part} == set(range(length))
                assert all(1 <= len(part) <= room for part in found)
    assert windows(5, 9, 2) == [range(0, 5)]
    with pytest.raises(ValueError, match="stride is 4 tokens but a window has room for 3"):
        windows(9, 3, 4)


def test_each_token_belongs_to_the_window_with_most_context():
    assert fullest([range(0, 6), range(3, 9)]) == [range(0, 5), range(5, 9)]
    for length in range(1, 30):
        parts = windows(length, 7, 3)
        owned = fullest(parts)
        assert sorted(token for mine in owned for token in mine) == list(range(length))
        for token in range(length):
            context = {
                i: min(token - part.start, part.stop - 1 - token)
                for i, part in enumerate(parts)
                if token in part
            }
            (owner,) = [i for i, mine in enumerate(owned) if token in mine]
            assert context[owner] == max(context.values())


def test_a_span_begins_where_it_may():
    start, end = torch.tensor([1.0, 9, 3, 0]), torch.tensor([0.0, 0, 2, 5])
    keep, begin = torch.ones(4, dtype=torch.bool), torch.tensor([False, False, True, True])
    assert best_span(start, end, keep, 9)[1:] == (1, 3)
    assert best_span(start, end, keep, 9, begin)[1:] == (2, 3)
    with pytest.raises(ValueError, match="no span"):
        best_span(start, end, keep, 9, begin & False)


def test_a_report_counts_as_many_answers_as_questions():
    right = [Extract(0, 0, text, 1.0) for text in TRUE]
    assert [metric.value for metric in report(TRAIN, right, resamples=10)] == [1, 1, 1]
    silent = [Extract(0, 0, "", 0.0)] * len(TRAIN)
    assert report(TRAIN, silent, resamples=10)["exact match"].value == 1 / 8
    with pytest.raises(ValueError, match="8 questions but 1 answers"):
        report(TRAIN, silent[:1])


def test_the_threshold_is_the_best_of_all():
    generator = np.random.default_rng(0)
    for _ in range(20):
        margins = generator.integers(-4, 5, 9).astype(float)
        answered, silent = generator.random(9), generator.integers(0, 2, 9).astype(float)

        def score(cut, m=margins, a=answered, s=silent):
            return np.where(m > cut, a, s).mean()

        best = max(score(cut) for cut in np.arange(-6, 6, 0.5))
        assert score(best_threshold(margins, answered, silent)) == pytest.approx(best)


def test_targets_are_the_answers(parts):
    for window, (first, last) in untrained(parts).rows(TRAIN):
        if (first, last) == (0, 0):
            continue
        assert first in window.body and last in window.body
        body, context = window.body.start, GIVEN[window.example]
        start, end = window.offsets[first - body][0], window.offsets[last - body][1]
        assert context[start:end] == TRUE[window.example]


def test_it_learns_eight_examples_and_when_to_be_silent(fitted):
    found = fitted.predict(ASKED, GIVEN)
    assert [x.text for x in found] == TRUE
    assert all(context[x.start : x.end] == x.text for x, context in zip(found, GIVEN, strict=True))
    report = fitted.evaluate(TRAIN, resamples=20)
    assert [metric.value for metric in report] == [1, 1, 1]
    assert report["F1"].low == 1


def test_a_long_context_is_read_to_its_end(fitted):
    context = "Green leaves fall. " * 20 + GIVEN[0]
    windows_read = fitted.read([ASKED[0]], [context])
    assert len(windows_read) > 3
    assert windows_read[-1].offsets[-1][1] == len(context)
    (found,) = fitted.predict([ASKED[0]], [context])
    assert context[found.start : found.end] == found.text


def test_validation_chooses_the_threshold(parts):
    answerer = untrained(parts)
    answerer.fit(TRAIN, validation=TRAIN[6:7], epochs=1, progress=False)
    assert len(answerer.history.validation) == 1
    assert answerer.predict(ASKED[6:7], GIVEN[6:7])[0].text == ""


def test_the_same_seed_gives_the_same_answers(parts):
    one, two = (untrained(parts).fit(TRAIN, epochs=1, seed=3, progress=False) for _ in range(2))
    assert one.candidates(ASKED, GIVEN) == two.candidates(ASKED, GIVEN)


def test_what_is_loaded_answers_alike(fitted, tmp_path):
    fitted.save(tmp_path)
    assert Answerer.load(tmp_path).predict(ASKED, GIVEN) == fitted.predict(ASKED, GIVEN)


def test_bad_input_is_named(parts, fitted):
    with pytest.raises(ValueError, match="call fit first"):
        untrained(parts).predict(ASKED, GIVEN)
    with pytest.raises(ValueError, match="context of example 0 is empty"):
        fitted.predict(["who?"], [" "])
    with pytest.raises(ValueError, match="question of example 0 is empty"):
        fitted.predict([""], ["Ann"])
    with pytest.raises(ValueError, match="question of example 0 has .* less than the stride"):
        fitted.predict(["who " * 60], ["Ann"])
    with pytest.raises(ValueError, match="1 questions but 2 contexts"):
        fitted.predict(["who?"], ["Ann", "Bob"])
    with pytest.raises(ValueError, match="answer is at 2 to 9 but the context has 3"):
        untrained(parts).fit([Question("who?", "Ann", ((2, 9),))], progress=False)
    with pytest.raises(ValueError, match="answer at 3 to 4 is only white space"):
        untrained(parts).fit([Question("who?", "Ann sat", ((3, 4),))], progress=False)
    with pytest.raises(ValueError, match="no examples"):
        untrained(parts).fit([], progress=False)
    assert fitted.predict([], []) == []
