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

In the notebook the learner runs `check.attention.scores(my_scores)` and reads one line. Where an
answer is a class, or must be called several times, `observe` takes the place of `cases`: a function
of the answer that returns a dict of data, and calls learner's code through `running.call`.
'''

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from encoder_course.check.evidence import Stopped, difference, plain
from encoder_course.check.running import NOTHING_YET, call, explain

STOPPED = "stopped"  # the key of evidence that holds why there is no other evidence


@dataclass(frozen=True, eq=False)
class Misconception:
    """A wrong idea: its short name, an answer that follows from it, and what to tell its holder.

    The message completes "✗ 3.2 scores: ..." and says what is seen and why, never the answer.
    """

    name: str
    message: str
    wrong: Any


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, what to tell the learner, and the misconception recognised."""

    passed: bool
    message: str
    misconception: str | None = None

    def _ipython_display_(self) -> None:
        """Show nothing: the exercise has printed the message already."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Exercise:
    """One exercise of a notebook; call it on an answer to print a verdict.

    number: "notebook.exercise", such as "3.2". difficulty: 1 (a line) to 5. minutes: expected.
    reference: a right answer, of the same kind as the learner's: a function, a class or a value.
    cases: makes {what the learner is told of this input: arguments}, the same at every call.
    observe: in place of `cases`, returns a dict of data that tells right answers from wrong ones.
        With neither, the answer is a value.
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
    tolerance: int | float = 1e-5
    spoilers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        notebook, _, place = self.number.partition(".")
        if not (notebook.isdecimal() and place.isdecimal()):
            raise ValueError(f'number is {self.number!r}, and looks like "3.2" elsewhere')
        if self.difficulty not in range(1, 6) or self.minutes < 1:
            raise ValueError(
                f"difficulty is {self.difficulty} and minutes {self.minutes}: 1 to 5, 1 or more"
            )
        if self.cases and self.observe:
            raise ValueError(f"{self.number} has both cases and observe: one of them is the probe")

    def __call__(self, answer: Any) -> Verdict:
        """Print what the check makes of `answer`, and return it."""
        verdict = self.judge(self.probe(answer))
        print(self.line(verdict))
        return verdict

    @property
    def expects_value(self) -> bool:
        """Whether the answer is a value to predict, not code to run."""
        return self.cases is None and self.observe is None

    def probe(self, answer: Any) -> dict[str, Any]:
        """Run `answer` on fixed inputs and return plain data; whatever goes wrong is data too."""
        try:
            return plain(self._observed(answer))
        except Stopped as stop:
            return {STOPPED: str(stop)}
        except Exception as error:
            return {STOPPED: explain(error)}

    def judge(self, evidence: Any) -> Verdict:
        """Compare evidence, which may be forged, with the reference's and every misconception's."""
        found = difference(evidence, self.expected, self.tolerance)
        if found is None:
            return Verdict(True, self._right())
        if isinstance(evidence, dict) and isinstance(evidence.get(STOPPED), str):
            return Verdict(False, evidence[STOPPED])
        for idea in self.misconceptions:
            if difference(evidence, self.probe(idea.wrong), self.tolerance) is None:
                return Verdict(False, idea.message, idea.name)
        return Verdict(False, found.removeprefix("for `answer`: "))

    def line(self, verdict: Verdict) -> str:
        """Lay a verdict out as plain text, no line wider than 100 characters."""
        mark = "✓" if verdict.passed else "✗"
        paragraphs = f"{mark} {self.number} {self.title}: {verdict.message}".splitlines()
        return "\n".join(
            textwrap.fill(text, 100, initial_indent="  " * (i > 0), subsequent_indent="  ")
            for i, text in enumerate(paragraphs)
        )

    @cached_property
    def expected(self) -> dict[str, Any]:
        """The evidence that the reference gives. Raises ValueError where it gives none."""
        evidence = self.probe(self.reference)
        if STOPPED in evidence:
            raise ValueError(f"the reference of {self.number} is no answer: {evidence[STOPPED]}")
        return evidence

    def _observed(self, answer: Any) -> Mapping[str, Any]:
        if self.expects_value:
            return {"answer": self._value(answer)}
        if not callable(answer):
            raise Stopped("hand over the function or class itself, by its name and without calling")
        if self.observe:
            return self.observe(answer)
        return {name: _on(name, answer, arguments) for name, arguments in self.cases().items()}

    @staticmethod
    def _value(answer: Any) -> Any:
        if answer is None or answer is Ellipsis:
            raise Stopped(NOTHING_YET.replace("raise NotImplementedError", "..."))
        if callable(answer):
            raise Stopped("hand over your prediction: a value and not a function")
        return answer.strip().casefold() if isinstance(answer, str) else answer

    def _right(self) -> str:
        if self.expects_value:
            return "right"
        seen = "input" if self.cases else "point"
        return f"right on {len(self.expected)} {seen}{'s' if len(self.expected) > 1 else ''}"


def _on(name: str, answer: Callable, arguments: tuple) -> Any:
    """Run one case; where that fails, say on which input."""
    try:
        return plain(call(answer, *arguments))
    except Stopped as stop:
        raise Stopped(f"for `{name}`: {stop}") from stop
    except Exception as error:
        message = explain(error)
        raise Stopped(message if message == NOTHING_YET else f"for `{name}`: {message}") from error
