"""Every exercise from both sides: right answers pass, each wrong idea meets its own message."""

import importlib
import linecache
import sys
import textwrap
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from encoder_course import check
from encoder_course.check import base
from encoder_course.check.base import STOPPED, Exercise, Misconception, NotYet, Verdict
from encoder_course.check.evidence import Stopped, difference, plain
from encoder_course.check.running import NOTHING_YET

EXERCISES = list(check.all_exercises().values())
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.number)


def right_answers(module: str) -> dict[str, list]:
    return importlib.import_module(f"right_answers.{module}").RIGHT


def faults(exercise: Exercise, right: list) -> list[str]:
    """Whatever is wrong with an exercise itself; the rest of this file shows that it finds it."""
    found = []
    if len(right) < (1 if exercise.expects_value else 2):
        found.append(f"{len(right)} right answers")
    for position, answer in enumerate(right):
        verdict = exercise.judge(exercise.probe(answer))
        if not verdict.passed:
            found.append(f"right answer {position} fails: {verdict.message}")
    stub = ... if exercise.expects_value else unwritten
    if not exercise.judge(exercise.probe(stub)).message.startswith("Nothing there yet"):
        found.append("the stub is not recognised")
    seen = {"the reference": exercise.expected()}
    for idea in exercise.misconceptions:
        verdict = exercise.judge(exercise.probe(idea.wrong))
        if verdict != Verdict(False, idea.message, idea.name):
            found.append(f"{idea.name} is told: {verdict.message}")
        seen[idea.name] = exercise.probe(idea.wrong)
        spoilt = [s for s in exercise.spoilers if squeeze(s) in squeeze(idea.message)]
        found += [f"{idea.name} gives {s} away" for s in spoilt]
    for one, other in combinations(seen, 2):
        if difference(seen[one], seen[other], exercise.tolerance) is None:
            found.append(f"{one} and {other} cannot be told apart")
    return found + [fault for seed in (1, 2) for fault in hidden_faults(exercise, right, seed)]


def hidden_faults(exercise: Exercise, right: list, seed: int) -> list[str]:
    """Whatever is wrong with the cases that a seed draws."""
    if exercise.hidden is None:
        return []
    found = []
    if difference(exercise.expected(seed), exercise.probe(exercise.reference, seed)) is not None:
        found.append(f"seed {seed} draws other cases each time")
    for position, answer in enumerate(right):
        verdict = exercise.judge(exercise.probe(answer, seed), seed)
        if not verdict.passed:
            found.append(f"right answer {position} fails for seed {seed}: {verdict.message}")
    for idea in exercise.misconceptions:
        verdict = exercise.judge(exercise.probe(idea.wrong, seed), seed)
        if verdict.passed or (seed == 1 and verdict.misconception != idea.name):
            found.append(f"{idea.name} is told for seed {seed}: {verdict.message}")
    return found


def unwritten(*arguments, **keywords):
    raise NotImplementedError


def squeeze(text: str) -> str:
    return "".join(text.split()).casefold()


@each_exercise
def test_exercise_is_sound(exercise):
    module = next(m for m in check.modules() if exercise in check.exercises_of(m))
    assert faults(exercise, right_answers(module).get(exercise.number, [])) == []


@pytest.mark.parametrize("module", check.modules())
def test_right_answers_are_those_of_the_module(module):
    numbers = [exercise.number for exercise in check.exercises_of(module)]
    assert numbers and set(right_answers(module)) == set(numbers)


# ---- toy exercises


def two_rows():
    return {"two rows": (torch.tensor([[0.0, 1.0], [2.0, 0.0]]),)}


def code(**changes) -> Exercise:
    fields = dict(
        number="3.2",
        title="weights",
        difficulty=2,
        minutes=10,
        reference=lambda scores: scores.softmax(-1),
        cases=two_rows,
        misconceptions=(
            Misconception("columns", "the columns sum to 1", lambda scores: scores.softmax(0)),
        ),
        spoilers=("softmax(-1)",),
    )
    return Exercise(**fields | changes)


def value(reference=(2, 9), **changes) -> Exercise:
    return Exercise(
        number="3.3", title="shape", difficulty=1, minutes=2, reference=reference, **changes
    )


def message(exercise: Exercise, answer) -> str:
    verdict = exercise.judge(exercise.probe(answer))
    assert not verdict.passed and verdict.misconception is None
    return verdict.message


def long_way(scores):
    raised = scores.exp()
    return raised / raised.sum(-1, keepdim=True)


RIGHT = [long_way, lambda scores: torch.nn.functional.softmax(scores, dim=1)]


def test_sound_toys_have_no_faults():
    assert faults(code(), RIGHT) == []
    merged = Misconception("merged", "heads keep their own", (9,))
    assert faults(value(misconceptions=(merged,)), [[2, 9]]) == []


def test_unsound_toys_are_found_out():
    columns = code().misconceptions[0]
    twin = Misconception("twin", "another message", columns.wrong)
    right = Misconception("right", "this is right", long_way)
    spoiler = Misconception("uniform", "use softmax( -1 )", lambda scores: scores * 0 + 0.5)
    assert faults(code(), RIGHT[:1]) == ["1 right answers"]
    assert any("fails" in f for f in faults(code(), [long_way, torch.exp]))
    assert any("cannot be told" in f for f in faults(code(misconceptions=(columns, twin)), RIGHT))
    assert any("right is told" in f for f in faults(code(misconceptions=(right,)), RIGHT))
    assert any("away" in f for f in faults(code(misconceptions=(spoiler,)), RIGHT))


def draw(seed):
    return {"rows": (torch.randn(3, 4, generator=torch.Generator().manual_seed(seed)),)}


def test_hidden_cases_are_drawn_from_the_seed():
    exercise = code(hidden=draw)
    assert faults(exercise, RIGHT) == []

    def learnt_by_heart(scores):
        return long_way(scores) if scores.shape == (2, 2) else scores

    exercise.require(learnt_by_heart)
    with pytest.raises(NotYet, match="not shown"):
        exercise.require(learnt_by_heart, hidden=7)
    verdict = exercise.judge(exercise.probe(lambda scores: scores.softmax(0), 7), 7)
    assert verdict.misconception == "columns"
    assert not exercise.judge(exercise.probe(long_way, 7), 8).passed
    with pytest.raises(ValueError, match="no hidden cases"):
        code().probe(long_way, 7)
    with pytest.raises(ValueError, match="asks for a value"):
        value(hidden=draw)


def test_hidden_observations_take_the_seed():
    def seen(answer, seed=0):
        return {"row": check.call(answer, torch.arange(3.0) * (seed + 1))}

    exercise = code(cases=None, observe=seen, hidden=seen)
    assert exercise.judge(exercise.probe(lambda x: x.softmax(-1), 3), 3).passed
    assert not exercise.judge(exercise.probe(lambda x: x.softmax(-1)), 3).passed


def test_unsound_hidden_cases_are_found_out():
    restless = iter(range(100))
    assert any("each time" in f for f in faults(code(hidden=lambda _: draw(next(restless))), RIGHT))
    blind = code(hidden=lambda seed: {"rows": (torch.ones(3, 3) * seed,)})
    assert any("is told for seed 1" in f for f in faults(blind, RIGHT))


def test_require_stops_a_lab_with_one_line(capsys):
    code().require(long_way)
    assert capsys.readouterr().out == "✓ 3.2 weights: right on 1 input\n"
    code(hidden=draw).require(long_way, hidden=7)
    shown = "✓ 3.2 weights: right on 1 input that is not shown\n"
    assert capsys.readouterr().out == shown
    with pytest.raises(NotYet) as stop:
        code().require(unwritten)
    assert stop.value._render_traceback_() == [f"✗ 3.2 weights: {NOTHING_YET}"]


def test_call_prints_one_line_and_shows_nothing_else(capsys):
    assert code()(long_way).passed
    assert capsys.readouterr().out == "✓ 3.2 weights: right on 1 input\n"
    verdict = code()(lambda scores: scores.softmax(0))
    assert capsys.readouterr().out == "✗ 3.2 weights: the columns sum to 1\n"
    assert verdict.misconception == "columns" and verdict._ipython_display_() is None


def test_long_messages_are_wrapped():
    lines = code().line(Verdict(False, "word " * 60 + "\nand more")).splitlines()
    assert max(map(len, lines)) <= 100 and lines[-1] == "  and more" and lines[1][:2] == "  "


def test_template_for_authors_is_sound():
    template = textwrap.dedent(
        base.__doc__.partition("complete one:\n")[2].partition("\nIn the")[0]
    )
    names = {}
    exec(template, names)
    right = [lambda q, k: (q / q.shape[1] ** 0.5) @ k.T, two_loops]
    assert faults(names["scores"], right) == []
    assert faults(names["shape"], [[2, 4, 9, 9]]) == []


def two_loops(q, k):
    rows = [[torch.dot(a, b) / len(a) ** 0.5 for b in k] for a in q]
    return torch.tensor(rows)


# ---- general messages


def test_stub():
    assert message(code(), unwritten) == NOTHING_YET
    assert message(value(), ...).startswith("Nothing there yet")
    assert message(value(), None).startswith("Nothing there yet")


def test_torch_saying_not_implemented_is_no_stub():
    def complain(scores):
        return torch.ops.aten.nonzero_static(scores.to_sparse(), size=1)

    with pytest.raises(NotImplementedError):
        complain(torch.ones(2, 2))
    assert "stops with NotImplementedError" in message(code(), complain)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda scores: None, "for `two rows`: it returns None"),
        (lambda scores: scores.softmax(-1).sum(-1), "the shape is (2,), and (2, 2) is needed"),
        (lambda scores: scores.softmax(-1).double(), "the dtype is float64, and float32"),
        (lambda scores: scores.softmax(-1).tolist(), "it is a list, tuple or set, and a tensor"),
        (lambda scores: scores.softmax(-1) / (scores != 2), "your value at [1, 0] is inf"),
        (lambda scores: scores.log_softmax(-1).sqrt(), "it is NaN at [0, 0]"),
        (lambda scores: scores.softmax(-1) + torch.eye(2) / 10, "off by about 0.1 (2 of 4 values"),
        (lambda scores: object(), "for `two rows`: it gives an object"),
        (
            lambda scores: scores.exp_() / scores.sum(-1, True),
            "changes its input `scores` in place",
        ),
        (lambda q, k: q, "missing 1 required positional argument: 'k'"),
        (torch.ones(2, 2), "hand over the function"),
    ],
)
def test_general_message(wrong, words):
    assert words in message(code(), wrong)


def test_message_does_not_hold_the_expected_value():
    wanted = f"{torch.tensor([0.0, 1.0]).softmax(0)[0].item():.3g}"
    told = message(code(), lambda scores: scores.softmax(-1) + 0.5)
    assert wanted not in told and "0.7689" in told


def test_missing_key():
    exercise = code(reference=lambda s: {"weights": s, "values": s}, misconceptions=())
    assert "`values` is missing" in message(exercise, lambda s: {"weights": s})
    extra = message(exercise, lambda s: {"weights": s, "values": s, "more": s})
    assert "`more` is not asked for" in extra


@pytest.mark.parametrize(
    ("reference", "answer", "words"),
    [
        ((2, 9), (2, 8), "at position 1: 8 is too small"),
        ((2, 9), (2,), "the length is 1, and 2 is needed"),
        ((2, 9), 2, "it is an int, and a list, tuple or set is needed"),
        ({"a", "b"}, "a", "it is a string, and a list, tuple or set is needed"),
        (7, "7", "it is a string, and a number is needed"),
        (7, True, "it is a truth value, and a number is needed"),
        (110_000_000, 110_000_001, "110000001 is too large"),
        (0.5, float("nan"), "nan is not it"),
        ("b", "C", "'c' is not it"),
        (7, len, "hand over your prediction"),
    ],
)
def test_prediction(reference, answer, words):
    assert message(value(reference), answer) == words or words in message(value(reference), answer)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (7, 7.0),
        (0.5, torch.tensor(0.5)),
        ("B", " b"),
        ((2, 9), torch.Size([2, 9])),
        (3, np.int64(3)),
    ],
)
def test_prediction_in_another_form_is_right(reference, answer):
    assert value(reference).judge(value(reference).probe(answer)).passed


def test_tolerance_is_the_exercises_own():
    def slightly_off(scores):
        return scores.softmax(-1) + 1e-3

    assert "off by about 0.001" in message(code(), slightly_off)
    assert code(tolerance=0.01).judge(code().probe(slightly_off)).passed


def test_integers_have_no_tolerance():
    assert difference(torch.tensor([100_001]), torch.tensor([100_000]), 0.1)
    assert difference(torch.tensor([1.05]), torch.tensor([1.0]), 0.1) is None


# ---- errors in the learner's code


def test_error_names_their_line():
    def broken(scores):
        return scores @ torch.ones(3)

    told = message(code(), broken)
    assert told.startswith("for `two rows`: it stops with RuntimeError: size mismatch")
    assert "test_check.py, line" in told and "return scores @ torch.ones(3)" in told
    assert "Traceback" not in told and "running.py" not in told


def test_error_in_a_library_names_the_line_that_called_it():
    def broken(scores):
        return torch.nn.Linear(7, 1)(scores)

    assert "return torch.nn.Linear(7, 1)(scores)" in message(code(), broken)


def test_error_in_a_notebook_names_the_cell(monkeypatch):
    cell, source = "/somewhere/ipykernel_1/1234.py", "def broken(scores):\n    return scores[9]\n"
    linecache.cache[cell] = (len(source), None, source.splitlines(keepends=True), cell)
    names = {}
    exec(compile(source, cell, "exec"), names)
    shell = SimpleNamespace(compile=SimpleNamespace(format_code_name=lambda f: ("Cell", "In[3]")))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert message(code(), names["broken"]).endswith("Cell In[3], line 2: return scores[9]")
    del linecache.cache[cell]


def test_error_names_what_was_given_in_every_kind_of_probe():
    class Layer(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.inner = torch.nn.Linear(width, width)

        def forward(self, hidden, keep=None):
            return self.inner(hidden) if keep is None else hidden.nothing

    def observe(Layer):
        layer = check.call(Layer, 4)
        keep = torch.ones(2, 3, dtype=torch.bool)
        seen = check.call(layer, torch.ones(2, 3, 4)).shape
        return {"out": seen, "masked": check.call(layer, torch.ones(2, 3, 4), keep=keep)}

    def reference(width):
        return lambda hidden, keep=None: hidden

    told = message(code(cases=None, observe=observe, reference=reference), Layer)
    assert "\ngiven: `hidden` of shape (2, 3, 4), `keep` of shape (2, 3)\n" in told
    told = message(code(), lambda scores: scores @ torch.ones(3))
    assert "\ngiven: `scores` of shape (2, 2)\n" in told
    cases = {"all": (None, 3, [1], "x" * 50, len)}
    told = message(code(cases=lambda: cases, reference=lambda *_: 0, misconceptions=()), max)
    assert "number 1 None, number 2 3, number 3 a list of 1, number 4 'xxx" in told
    assert told.endswith("xxx', number 5 a builtin_function_or_method")


def test_error_on_hidden_cases_does_not_show_them():
    def broken(text):
        return text.nothing

    exercise = code(
        cases=lambda: {"a word": ("shown",)},
        hidden=lambda seed: {"a word": (f"secret {seed}",)},
        reference=len,
        misconceptions=(),
    )
    assert "\ngiven: `text` 'shown'\n" in message(exercise, broken)
    told = exercise.judge(exercise.probe(broken, hidden=417), 417).message
    assert told.startswith("for `a word`: it stops with AttributeError")
    assert "given" not in told and "secret" not in told


def test_error_that_takes_no_attribute_is_explained_all_the_same():
    class Sealed(Exception):
        def __setattr__(self, name, value):
            raise SystemError

    def complain(scores):
        raise Sealed("so there")

    assert "it stops with Sealed: so there" in message(code(), complain)


# ---- observed by hand, and the framework's own promises


def test_observe_probes_a_class():
    def observe(Layer):
        layer = Layer(4)
        return {"width": layer.width, "out": check.call(layer, torch.ones(1, 4))}

    class Layer:
        def __init__(self, width):
            self.width = width

        def __call__(self, hidden):
            return hidden * self.width

    class Nameless(Layer):
        def __init__(self, width):
            self.size = width

    class Greedy(Layer):
        def __call__(self, hidden):
            return hidden.mul_(self.width)

    exercise = code(cases=None, observe=observe, reference=Layer, misconceptions=())
    assert exercise.judge(exercise.probe(Layer)).message == "right on 2 points"
    assert "no attribute 'width'" in message(exercise, Nameless)
    assert "changes its input `hidden`" in message(exercise, Greedy)
    assert message(exercise, unwritten) == NOTHING_YET


def test_call_sees_changed_keywords_and_leaves_generators_alone():
    def draw(generator, *, row):
        return torch.rand(2, generator=generator) + row[0]

    generator = torch.Generator().manual_seed(0)
    first, second = (check.call(draw, generator, row=[1]) for _ in range(2))
    assert torch.equal(first, second)
    with pytest.raises(Stopped, match="input `row` in place"):
        check.call(lambda *, row: row.append(1) or row, row=[1])


def test_evidence_is_plain_and_shares_nothing():
    weight = torch.nn.Parameter(torch.ones(2))
    kept = plain({"w": (weight, {3, 1}), 5: np.ones(2), "s": np.array(["a"])})
    assert type(kept["w"][0]) is torch.Tensor and not kept["w"][0].requires_grad
    assert kept["w"][1] == [1, 3] and kept["5"].dtype == torch.float64 and kept["s"] == ["a"]
    with torch.no_grad():
        weight.zero_()
    assert kept["w"][0].sum() == 2


@pytest.mark.parametrize("evidence", [{}, [], None, {STOPPED: 3}, {"two rows": "x"}])
def test_forged_evidence_fails_without_an_error(evidence):
    assert not code().judge(evidence).passed


def test_bad_exercises_are_refused():
    with pytest.raises(ValueError, match="3-2"):
        code(number="3-2")
    with pytest.raises(ValueError, match="difficulty is 6"):
        code(difficulty=6)
    with pytest.raises(ValueError, match="both cases and observe"):
        code(observe=dict)
    with pytest.raises(ValueError, match="reference of 3.2"):
        code(reference=unwritten).judge({})


# ---- the registry


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Write modules of exercises as if they lay in `encoder_course/check`."""
    monkeypatch.setattr(check, "__path__", [*check.__path__, str(tmp_path)])

    def write(name, *numbers):
        lines = ["from encoder_course.check.base import Exercise"]
        for number in numbers:
            fields = f"number={number!r}, title='t', difficulty=1, minutes=1, reference=1"
            lines.append(f"e{number.replace('.', '_')} = Exercise({fields})")
        (tmp_path / f"{name}.py").write_text("\n".join(lines))
        monkeypatch.delitem(sys.modules, f"encoder_course.check.{name}", raising=False)

    return write


def test_registry_finds_what_is_there(course):
    before = set(check.all_exercises())
    course("zz_toy", "98.10", "98.9")
    assert [n for n in check.all_exercises() if n not in before] == ["98.9", "98.10"]
    course("aa_lab", "zz98.1")
    assert list(check.all_exercises())[-1] == "zz98.1"
    assert check.zz_toy.e98_9.number == "98.9" and "zz_toy" in dir(check)


def test_module_without_right_answers_fails(course):
    course("zz_orphan", "99.1")
    with pytest.raises(ModuleNotFoundError, match="zz_orphan"):
        test_right_answers_are_those_of_the_module("zz_orphan")


def test_number_given_twice_is_refused(course):
    course("zz_one", "97.1")
    course("zz_two", "97.1")
    with pytest.raises(ValueError, match="both numbered 97.1"):
        check.all_exercises()


def test_unknown_module_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_notebook"):
        check.no_such_notebook  # noqa: B018
