"""Questions over docstrings and contracts: where the answers lie, and what is held out."""

import re

import pytest

from encoder_course.data.corpus import Document, Entry
from encoder_course.data.facts_in_docs import KINDS, Fact, facts, listing, of_parameters
from encoder_course.data.questions_in_contracts import by_hand, from_spans
from encoder_course.data.questions_in_docs import NEW, SEEN, SIDES, ask, choose, side
from encoder_course.tasks.read_baselines import OverlapReader, RuleReader, SilentReader


def entries(*rows):
    return [Entry(*row) for row in rows]


def found(*rows):
    """{(kind, parameter): what the places say} for a parameter list."""
    parameters = entries(*rows)
    context, starts = listing(parameters, ())
    return {
        (kind, name): [context[a:b] for a, b in places]
        for kind, name, places in of_parameters(parameters, starts)
    }


@pytest.mark.parametrize(
    ("type_", "text", "default"),
    [
        ("int, default=5", "How many.", "5"),
        ("int, optional, defaults to 5", "How many.", "5"),
        ("int, optional", "How many. Defaults to 1e-3.", "1e-3"),
        ("str, optional", "How. Default: 'left'", "'left'"),
        ("bool, default False", "Whether.", "False"),
        ("float or np.nan, default=np.nan", "What.", "np.nan"),
        ("int (default: -1)", "Axis.", "-1"),
    ],
)
def test_a_default_is_found_in_each_layout(type_, text, default):
    assert found(("count", type_, text))["default", "count"] == [default]


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("int", "How many. Default is 100 * eps."),
        ("int", "How many. Defaults to the number of rows."),
        ("bool, default try", "Whether."),
        ("int", "If None, defaults to 3 (which defaults to 4)."),
        ("int", "How many; one if not given, unless the list is empty."),
        ("int", "The default depends on the solver."),
    ],
)
def test_a_default_in_other_words_is_neither_a_fact_nor_a_missing_one(type_, text):
    assert ("default", "count") not in found(("count", type_, text))


def test_a_type_ends_where_its_shape_or_its_default_begins():
    rows = [
        ("one", "array-like of shape (n,), optional", "Rows."),
        ("two", "{'a', 'b'} or None, default='a'", "Which."),
        ("three", "Union[str, list[int]]", "What."),
        ("four", "bool. If True, more", "Whether."),
        ("five", "", "No type."),
        ("x", "int", "Its name is too short to ask for."),
    ]
    said = {name: texts for (kind, name), texts in found(*rows).items() if kind == "type"}
    assert said == {
        "one": ["array-like"],
        "two": ["{'a', 'b'} or None"],
        "three": ["Union[str, list[int]]"],
    }


def test_a_parameter_without_a_default_says_so():
    assert found(("rows", "list", "What to add up."))["default", "rows"] == []


def document(name, section, *rows, package="toy"):
    text = "\n".join(map(str, entries(*rows)))
    return Document(package, "1", name, "function", section, text, (), (), tuple(entries(*rows)))


DOCS = [
    document("toy.add.rows", "parameters", ("rows", "list", ""), ("axis", "int, default=0", "")),
    document("toy.add.rows", "raises", ("", "ValueError", "If the rows differ in length.")),
    document("toy.sub.one", "parameters", ("left", "int", "From."), ("right", "int", "What.")),
    document("toy.sub.one", "raises", ("KeyError", "", "If there is no such key.")),
    document("toy.mul.all", "parameters", ("scale", "float, default=1.0", "By how much.")),
]


def test_facts_lie_in_their_context():
    made = facts(DOCS, range(1, 50))
    said = {(fact.source, fact.kind, fact.about): fact.answer for fact in made}
    assert said["toy.add.rows", "raises", "ValueError"] == "If the rows differ in length"
    assert said["toy.sub.one", "raises", "KeyError"] == "If there is no such key"
    assert said["toy.add.rows", "default", "axis"] == "0"
    assert said["toy.add.rows", "default", "rows"] == ""
    assert {fact.kind for fact in made} == set(KINDS)
    assert "Raises ValueError: If the rows" in made[0].context
    assert facts(DOCS, range(40, 50)) == []


def test_chosen_facts_are_there_unstated_or_absent():
    made = facts(DOCS, range(1, 50))
    chosen = choose(made, 6, unanswerable=0.5, most_of_one=9)
    assert len(chosen) == 6 and sum(not fact.places for fact in chosen) == 3
    absent = [fact for fact in chosen if fact.about not in fact.context]
    assert absent and not any(fact.places for fact in absent)
    assert choose(made, 6, most_of_one=9, seed=5) == choose(made, 6, most_of_one=9, seed=5)
    few = choose(made, 4, most_of_one=2)
    assert max(sum(f.source == g.source for g in few) for f in few) <= 2
    with pytest.raises(ValueError, match="asked for 99 facts"):
        choose(made, 99)


def test_phrasings_for_the_test_are_others():
    for kind in KINDS:
        assert len(set(SEEN[kind])) == 10 and len(set(NEW[kind])) == 8
        assert not set(SEEN[kind]) & set(NEW[kind])
        assert all(way.count("{}") == 1 for way in SEEN[kind] + NEW[kind])
    telling = re.compile(r"default|\btype|\braise", re.I)
    assert not any(telling.search(way) for ways in NEW.values() for way in ways)


def test_questions_ask_for_the_fact():
    made = facts(DOCS, range(1, 50))
    for phrasings in ("seen", "new"):
        for fact, question in zip(made, ask(made, phrasings), strict=True):
            assert fact.about in question.question and question.answers == fact.places
    with pytest.raises(ValueError, match="seen or new, not 'old'"):
        ask(made, "old")


def test_packages_and_modules_do_not_straddle_the_sides():
    def at(source, package):
        return side(Fact("type", "a", "a", (), source, package))

    assert at("sklearn.svm.SVC", "sklearn") == "test"
    modules = [f"torch.nn.module{i}" for i in range(200)]
    sides = [at(module, "torch") for module in modules]
    assert sides == [at(f"{module}.Thing.forward", "torch") for module in modules]
    assert set(sides) == set(SIDES) - {"test"}
    assert 0.04 < sides.count("validation") / 200 < 0.2


def test_questions_from_spans_have_one_answer_or_none():
    made = from_spans()
    assert len(made) > 400 and len(set(made)) == len(made)
    assert 0.3 < sum(not q.answers for q in made) / len(made) < 0.36
    assert all(len(q.answers) <= 1 for q in made)
    assert from_spans(count=9, seed=2) == from_spans(count=9, seed=2)
    with pytest.raises(ValueError, match="asked for 9999"):
        from_spans(count=9999)


def test_questions_by_hand_are_about_the_test_clauses():
    made = by_hand()
    assert (len(made), sum(not q.answers for q in made)) == (78, 20)
    trained_on = {q.context for q in from_spans()}
    assert not trained_on & {q.context for q in made}
    assert not {q.question for q in made} & {q.question for q in from_spans()}
    for question in made:
        for start, end in question.answers:
            assert question.context[start:end].strip() == question.context[start:end] != ""


CONTEXT = "axis (int, default=0): Where to sum.\nRaises ValueError: If rows differ."


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the default of axis?", "0"),
        ("What type must axis have?", "int"),
        ("When is ValueError raised?", "If rows differ"),
        ("What is the default of keepdims?", ""),
        ("When is KeyError raised?", ""),
        ("I did not set axis. What is it now?", ""),  # it knows no such way to ask
    ],
)
def test_the_rule_reads_the_layout(question, answer):
    found = RuleReader().answer(question, CONTEXT)
    assert found.text == answer == CONTEXT[found.start : found.end]


def test_overlap_answers_beside_what_is_shared():
    reader = OverlapReader(["the rent is due", "the price is due"], longest=1)
    context = "Rent is seven and nothing comes on top of that."
    assert reader.answer("what is the rent?", context).text == "seven"
    assert reader.answer("wherefore?", context).text == ""
    made = reader.predict(["what is the rent?"] * 2, [context, "nothing"])
    assert [x.text for x in made] == ["seven", ""]


def test_silence_is_right_where_there_is_no_answer():
    report = SilentReader().evaluate(by_hand(), resamples=10)
    assert report["exact match"].value == report["F1"].value == 20 / 78
