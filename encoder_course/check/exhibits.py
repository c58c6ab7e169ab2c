"""Exhibits of the bug museum: exercises whose answer is a test, and how that test is tested.

Every answer is a function `test(implementation)` that raises AssertionError on a bug and returns
on right code. It is run on two right implementations, written differently, and on two wrong ones:
the bug of the exhibit and a variant of it. Where it does not tell them apart, it is run on further
ones, which fill the result with nonsense or raise, to see what it listens to at all.
"""

from __future__ import annotations

import inspect
import itertools
import math
import random
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.testing import assert_close

from encoder_course.check.base import Exercise, Misconception
from encoder_course.check.evidence import Stopped
from encoder_course.check.running import NOTHING_YET, explain

PASSES, FAILS, SOMETIMES = "passes", "fails", "sometimes fails"
NAMES = ("a right implementation", "another right one", "the bug", "a variant of the bug")
RIGHT = dict(zip(NAMES, (PASSES, PASSES, FAILS, FAILS), strict=True))

# What a test can be blind to, whatever it is a test of: the clue and what its holder is told.
RETURNS = "returns"
NO_CALL = "no call"
SWALLOWS = "swallows"
ASSERTS_NOTHING = "asserts nothing"
FORM = "form"
ITSELF = "itself"
FLAKY = "flaky"
TO_THE_BIT = "to the bit"  # only where an exhibit has a message for it

TURNS, MANY_TURNS = 2, 8  # how often chance gets another chance, and where something is wrong

Calls = list[dict[str, Any]]  # the arguments of each call of an implementation, by name


class _OnShow:
    """An implementation without its name, which remembers what it is given.

    `turn`: makes it draw other random numbers, so that no seed of a test is a lucky one.
    `spoil`: makes another result out of the right one and the arguments.
    """

    def __init__(
        self, implementation: Callable, turn: int = 0, spoil: Callable[..., Any] | None = None
    ):
        self.calls: Calls = []
        self._implementation = implementation
        self._signature = inspect.signature(implementation)
        self._turn = turn
        self._spoil = spoil

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        given = self._signature.bind(*arguments, **keywords).arguments
        self.calls.append(given)
        if isinstance(generator := given.get("generator"), torch.Generator):
            drawn = torch.randint(2**40, (), generator=generator).item()
            generator.manual_seed(drawn + self._turn)
        result = self._implementation(**given)
        return self._spoil(result, given) if self._spoil else result


def exhibit(
    *,
    implementations: tuple[Callable, Callable, Callable, Callable],
    example: Callable[[], tuple],
    reference: Callable,
    misconceptions: tuple[Misconception, ...],
    blind: Mapping[str, Callable[[Calls], bool]] | None = None,
    flaky: Callable | None = None,
    **fields: Any,
) -> Exercise:
    """Make the exercise whose answer tells two right implementations from two wrong ones.

    example: makes arguments of an implementation. reference: a right test.
    blind: {clue: whether calls with these arguments cannot show the bug}. flaky: a test whose
    verdict is up to chance.
    """
    gallery = dict(zip(NAMES, implementations, strict=True))
    right = implementations[0]
    ideas = (*_general(reference, right, example, flaky), *misconceptions)
    named = {idea.name for idea in ideas}

    def look(test: Callable, seed: int = 0) -> dict[str, str]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            verdicts = {}
            for name in random.Random(seed).sample(NAMES, len(NAMES)):
                turns = range(seed % 97, seed % 97 + TURNS)
                verdicts[name] = _verdict(test, [_OnShow(gallery[name], t) for t in turns], name)
            clue = None if verdicts == RIGHT else _clue(test, verdicts, right, blind or {})
        if clue in named:
            return {"clue": clue}
        return {f"your test on {name}": verdict for name, verdict in verdicts.items()}

    return Exercise(
        reference=reference,
        observe=look,
        hidden=look,
        misconceptions=ideas,
        **fields,
    )


def _verdict(test: Callable, shows: list[_OnShow], name: str) -> str:
    """Whether a test passes on an implementation, on all shows of it or on some.

    Raises Stopped where it ends with any error but AssertionError.
    """
    passed = set()
    for show in shows:
        try:
            test(show)
            passed.add(True)
        except AssertionError:
            passed.add(False)
        except Exception as error:
            reason = explain(error)
            if reason == NOTHING_YET:
                raise Stopped(reason) from error
            why = "a test says no with an AssertionError, and with nothing else"
            raise Stopped(f"run on {name}, {reason}\n{why}") from error
    return SOMETIMES if len(passed) > 1 else PASSES if True in passed else FAILS


def _clue(test: Callable, verdicts: dict[str, str], right: Callable, blind: Mapping) -> str | None:
    """Say why a test does not tell right from wrong, where that can be seen from outside."""
    shows = [_OnShow(right, turn) for turn in range(MANY_TURNS)]
    if SOMETIMES in (*verdicts.values(), _verdict(test, shows, NAMES[0])):
        return FLAKY
    failed = [verdicts[name] == FAILS for name in NAMES[:2]]
    if any(failed):
        return None if all(failed) else TO_THE_BIT
    calls = shows[0].calls
    return _deafness(test, right, calls) or next(
        (c for c, is_ in blind.items() if is_(calls)), None
    )


def _deafness(test: Callable, right: Callable, calls: Calls) -> str | None:
    """Find what a test that passes too much does not listen to, from what else it passes on."""
    if not calls:
        return NO_CALL
    counter = itertools.count(1)

    def passes(spoil: Callable[..., Any]) -> bool:
        try:
            test(_OnShow(right, spoil=spoil))
        except Exception:  # whatever it stops with, the test has noticed
            return False
        return True

    def passes_on(number: Callable[[dict], float]) -> bool:
        return passes(lambda result, given: _filled(result, number(given))) and passes(
            lambda result, given: _filled(result, -number(given))
        )

    def refuse(result: Any, given: dict) -> None:
        raise AssertionError

    if passes(refuse):
        return SWALLOWS
    if passes_on(lambda given: 1000.0 * next(counter)):
        if not passes(lambda result, given: _misshapen(result)):
            return FORM
        return ASSERTS_NOTHING if test(right) is None else RETURNS
    if passes_on(_digest):
        return ITSELF
    return None


def _filled(result: Any, number: float) -> Any:
    """A result of the same form, with numbers that mean nothing."""
    if isinstance(result, Tensor):
        places = torch.arange(result.numel()).reshape(result.shape)
        return (places + number).to(result.dtype)
    if isinstance(result, dict):
        return {str(number): int(number)}
    if isinstance(result, list):
        return [int(number) + place for place in range(len(result))]
    return number


def _misshapen(result: Any) -> Any:
    """A result of another form."""
    if isinstance(result, Tensor):
        return result[None] * math.nan
    return [] if isinstance(result, (list, dict)) else str(result)


def _digest(given: Any) -> float:
    """A number that changes with the arguments."""
    if isinstance(given, Tensor):
        return float(given.double().abs().sum())
    if isinstance(given, dict):
        return _digest(list(given.values()))
    if isinstance(given, list):
        return sum(_digest(item) for item in given)
    if isinstance(given, str):
        return float(zlib.crc32(given.encode()))
    return float(given) if isinstance(given, (int, float)) else 0.0


def _form(result: Any) -> Any:
    """What a test of the form alone would look at."""
    if isinstance(result, Tensor):
        return result.shape
    return len(result) if isinstance(result, list) else type(result)


def _general(
    reference: Callable, right: Callable, example: Callable[[], tuple], flaky: Callable | None
) -> tuple[Misconception, ...]:
    """The wrong ideas about tests that fit every exhibit."""

    def says_no(implementation):
        try:
            reference(implementation)
        except AssertionError:
            return True
        return False

    def swallows(implementation):
        says_no(implementation)

    def backwards(implementation):
        assert says_no(implementation)

    def asserts_nothing(implementation):
        implementation(*example())

    def form(implementation):
        assert _form(implementation(*example())) == _form(right(*example()))

    def itself(implementation):
        assert_close(implementation(*example()), implementation(*example()), equal_nan=True)

    def unlucky(implementation):
        reference(implementation)
        assert torch.rand(()) < 0.5

    def never_right(implementation):
        raise AssertionError("there is a bug")

    return (
        Misconception(
            NO_CALL,
            "it never calls the implementation that it is handed, so it says the same of every one",
            lambda implementation: None,
        ),
        Misconception(
            RETURNS,
            "it returns its verdict, and nobody reads what a test returns: a test says no by"
            " raising AssertionError",
            lambda implementation: implementation(*example()) == right(*example()),
        ),
        Misconception(
            SWALLOWS,
            "an AssertionError is raised inside your test and caught there again: nobody hears it",
            swallows,
        ),
        Misconception(
            ASSERTS_NOTHING,
            "it runs the implementation and asserts nothing about the result: it can fail only"
            " where the code crashes",
            asserts_nothing,
        ),
        Misconception(
            FORM,
            "it passes on a result of the right form that is filled with nonsense: you look at the"
            " shape or the type alone, or ask for something that nonsense has as well",
            form,
        ),
        Misconception(
            ITSELF,
            "it compares the implementation with itself: nonsense passes, as long as it is the same"
            " nonsense twice",
            itself,
        ),
        Misconception(
            FLAKY,
            "on one and the same implementation it passes in some runs and fails in others: chance,"
            " or the rounding of floats, moves the numbers by more than you allow",
            flaky or unlucky,
        ),
        Misconception(
            "never right",
            "it fails on two right implementations, too: what it demands is not true of the right"
            " result (is the expected value right? does it ask for more than the story promises,"
            " such as equality to the last bit?)",
            never_right,
        ),
        Misconception(
            "backwards",
            "it fails on the right implementations and passes on the wrong ones: the assertion says"
            " the opposite of what you mean",
            backwards,
        ),
    )
