'''Exercises that diagnose: a check knows the wrong ideas, and says which one it is looking at.

A module of this package holds the exercises of one notebook. A complete one:

    """Checks of notebook 03: self-attention."""

    import torch

    from encoder_course.check.base import Exercise, Misconception


    def _scores(q, k):
        return q @ k.mT / q.shape[-1] ** 0.5


    scores = Exercise(
        number="3.2",
        title="scores",
        difficulty=2,
        minutes=15,
        reference=_scores,
        cases=lambda: {
            "3 queries and 4 keys of width 2": (
                torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]),
                torch.tensor([[1.0, 1.0], [0.0, 1.0], [2.0, 0.0], [0.0, 3.0]]),
            ),
        },
        misconceptions=(
            Misconception(
                "unscaled",
                "the scores grow with the head width: something must keep their spread near 1",
                lambda q, k: q @ k.mT,
            ),
        ),
        spoilers=("** 0.5", "sqrt", "rsqrt"),
    )

    shape = Exercise(  # a prediction: the answer is a value, and so is each wrong idea
        number="3.3",
        title="shape of the weights",
        difficulty=1,
        minutes=3,
        reference=(2, 4, 9, 9),
        misconceptions=(
            Misconception("merged", "every head keeps weights of its own", (2, 9, 9)),
        ),
    )

In the notebook the learner runs `check.attention.scores(my_scores)` and reads one line; a lab runs
`check.lab03.attend.require(attend)`, which stops there until the answer is right. Where an answer
is a class, or must be called several times, `observe` takes the place of `cases`: a function of
the answer that returns a dict of data, and calls learner's code through `running.call`.

A lab's exercise also has `hidden`: with `cases`, a function of a seed that makes further cases;
with `observe`, a function of the answer and a seed. What `require(answer, hidden=417)` looks at
then follows from the seed, which only the instructor's notebook holds.
'''

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from encoder_course.check.evidence import Stopped, difference, plain
from encoder_course.check.running import GIVEN, NOTHING_YET, call, explain

STOPPED = "stopped"  # the key of evidence that holds why there is no other evidence
ELSEWHERE = "on inputs that are not shown here, it gives something else than it should"


@dataclass(frozen=True, eq=False)
class Misconception:
    """A wrong idea: its short name, an answer that follows from it, and what to tell its holder.

    The message completes "✗ 3.2 scores: ..." and says what is seen and why, never the answer.
    """

    name: str
    message: str
    wrong: Any


def faults_left(faults: Mapping[str, str], answer: Callable[..., Any]) -> tuple[Misconception, ...]:
    """What may remain of a repair: one misconception for each choice of its faults, few first.

    `faults` has up to four short names with what to tell of each; `answer(*names)` has just these.
    """
    said = {1: "one fault is left", 2: "two faults are left", 3: "three faults are left"}
    said[4] = "four faults are left"
    return tuple(
        Misconception(
            " and ".join(left),
            f"{said[number]}: {'; and '.join(faults[fault] for fault in left)}",
            answer(*left),
        )
        for number in range(1, len(faults) + 1)
        for left in combinations(faults, number)
    )


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, what to tell the learner, and the misconception recognised."""

    passed: bool
    message: str
    misconception: str | None = None

    def _ipython_display_(self) -> None:
        """Show nothing: the exercise has printed the message already."""


class NotYet(AssertionError):
    """An answer that a lab asked for and that is not right yet; the text is what to read."""

    def _render_traceback_(self) -> list[str]:
        """Show the line alone: no frame of the checker helps the learner."""
        return [str(self)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Exercise:
    """One exercise of a notebook or a lab; call it on an answer to print a verdict.

    number: "notebook.exercise", such as "3.2" or "lab03.2". difficulty: 1 (a line) to 5.
    minutes: expected.
    reference: a right answer, of the same kind as the learner's: a function, a class or a value.
    cases: makes {what the learner is told of this input: arguments}, the same at every call.
    observe: in place of `cases`, returns a dict of data that tells right answers from wrong ones.
        With neither, the answer is a value.
    hidden: makes further cases from a seed; beside `observe`, observes an answer with a seed.
    tolerance: how far a floating-point number may be off, absolute or relative.
    spoilers: pieces of source that no message may contain.
    Raises ValueError where the number, difficulty or minutes make no sense.
    """

    number: str
    title: str
    difficulty: int
    minutes: int
    reference: Any
    misconceptions: tuple[Misconception, ...] = ()
    cases: Callable[[], Mapping[str, tuple]] | None = None
    observe: Callable[[Any], Mapping[str, Any]] | None = None
    hidden: Callable[..., Mapping[str, Any]] | None = None
    tolerance: int | float = 1e-5
    spoilers: tuple[str, ...] = ()
    _known: dict[tuple, dict] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(\d+|[a-z]+\d*)\.\d+", self.number):
            raise ValueError(f'number is {self.number!r}, and looks like "3.2" or "lab03.2"')
        if self.difficulty not in range(1, 6) or self.minutes < 1:
            raise ValueError(
                f"difficulty is {self.difficulty} and minutes {self.minutes}: 1 to 5, 1 or more"
            )
        if self.cases and self.observe:
            raise ValueError(f"{self.number} has both cases and observe: one of them is the probe")
        if self.hidden and self.expects_value:
            raise ValueError(f"{self.number} asks for a value, which has no hidden cases")

    def __call__(self, answer: Any) -> Verdict:
        """Print what the check makes of `answer`, and return it."""
        verdict = self.judge(self.probe(answer))
        print(self.line(verdict))
        return verdict

    def require(self, answer: Any, hidden: int | None = None) -> None:
        """Print the verdict on a right answer; with `hidden`, on cases drawn from that seed.

        Raises NotYet, which ends a run of the notebook here, where the answer is not right.
        """
        verdict = self.judge(self.probe(answer, hidden), hidden)
        if not verdict.passed:
            raise NotYet(self.line(verdict))
        print(self.line(verdict))

    @property
    def expects_value(self) -> bool:
        """Whether the answer is a value to predict, not code to run."""
        return self.cases is None and self.observe is None

    def probe(self, answer: Any, hidden: int | None = None) -> dict[str, Any]:
        """Run `answer` on fixed inputs and return plain data; whatever goes wrong is data too.

        Raises ValueError where `hidden` is given and the exercise has no hidden cases.
        """
        if hidden is not None and self.hidden is None:
            raise ValueError(f"{self.number} has no hidden cases")
        try:
            return plain(self._observed(answer, hidden))
        except Stopped as stop:
            return {STOPPED: str(stop)}
        except Exception as error:
            return {STOPPED: explain(error)}

    def judge(self, evidence: Any, hidden: int | None = None) -> Verdict:
        """Compare evidence, which may be forged, with the reference's and every misconception's.

        Raises ValueError where the reference itself gives no evidence.
        """
        found = difference(evidence, self.expected(hidden), self.tolerance)
        if found is None:
            return Verdict(True, self._right(hidden))
        if isinstance(evidence, dict) and isinstance(evidence.get(STOPPED), str):
            return Verdict(False, _without_inputs(evidence[STOPPED], hidden))
        for idea in self.misconceptions:
            known = self._evidence(idea.name, idea.wrong, hidden)
            if difference(evidence, known, self.tolerance) is None:
                return Verdict(False, idea.message, idea.name)
        if hidden is not None:
            return Verdict(False, ELSEWHERE)
        return Verdict(False, found.removeprefix("for `answer`: "))

    def line(self, verdict: Verdict) -> str:
        """Lay a verdict out as plain text, no line wider than 100 characters."""
        mark = "✓" if verdict.passed else "✗"
        paragraphs = f"{mark} {self.number} {self.title}: {verdict.message}".splitlines()
        return "\n".join(
            textwrap.fill(text, 100, initial_indent="  " * (i > 0), subsequent_indent="  ")
            for i, text in enumerate(paragraphs)
        )

    def expected(self, hidden: int | None = None) -> dict[str, Any]:
        """The evidence that the reference gives. Raises ValueError where it gives none."""
        evidence = self._evidence("", self.reference, hidden)
        if STOPPED in evidence:
            raise ValueError(f"the reference of {self.number} is no answer: {evidence[STOPPED]}")
        return evidence

    def _evidence(self, name: str, answer: Any, hidden: int | None) -> dict[str, Any]:
        """Probe an answer of our own, once: a grader judges hundreds against the same ones."""
        if (name, hidden) not in self._known:
            self._known[name, hidden] = self.probe(answer, hidden)
        return self._known[name, hidden]

    def _observed(self, answer: Any, hidden: int | None) -> Mapping[str, Any]:
        if self.expects_value:
            return {"answer": self._value(answer)}
        if not callable(answer):
            raise Stopped("hand over the function or class itself, by its name and without calling")
        if self.observe:
            return self.observe(answer) if hidden is None else self.hidden(answer, hidden)
        cases = self.cases() if hidden is None else self.hidden(hidden)
        return {name: _on(name, answer, arguments) for name, arguments in cases.items()}

    @staticmethod
    def _value(answer: Any) -> Any:
        if answer is None or answer is Ellipsis:
            raise Stopped(NOTHING_YET.replace("raise NotImplementedError", "..."))
        if callable(answer):
            raise Stopped("hand over your prediction: a value and not a function")
        return answer.strip().casefold() if isinstance(answer, str) else answer

    def _right(self, hidden: int | None) -> str:
        if self.expects_value:
            return "right"
        seen = "input" if self.cases else "point"
        count = len(self.expected(hidden))
        drawn = " that is not shown" if count == 1 else " that are not shown"
        plural = "s" if count > 1 else ""
        return f"right on {count} {seen}{plural}{drawn if hidden is not None else ''}"


def _without_inputs(text: str, hidden: int | None) -> str:
    """What to tell of an error: of hidden cases, not what the answer was given."""
    if hidden is None:
        return text
    return "\n".join(line for line in text.splitlines() if not line.startswith(GIVEN))


def _on(name: str, answer: Callable, arguments: tuple) -> Any:
    """Run one case; where that fails, say on which input."""
    try:
        return plain(call(answer, *arguments))
    except Stopped as stop:
        raise Stopped(f"for `{name}`: {stop}") from stop
    except Exception as error:
        message = explain(error)
        raise Stopped(message if message == NOTHING_YET else f"for `{name}`: {message}") from error
