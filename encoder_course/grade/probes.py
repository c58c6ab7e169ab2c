"""What a test cell asks for: `check.MODULE.NAME.require(EXPRESSION)` calls, read and never run.

Grading runs the expression beside the student's code and judges what it gives on the trusted side,
so a test cell can hold nothing else.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from encoder_course import check


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One `require` call: which exercise, on which expression, and the seed of hidden cases.

    exercise: module and name, such as "lab03.attend". answer: the source of a Python expression.
    """

    exercise: str
    answer: str
    hidden: int | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that the expression takes from the notebook."""
        nodes = ast.walk(ast.parse(self.answer, mode="eval"))
        return frozenset(node.id for node in nodes if isinstance(node, ast.Name))


def read_probes(source: str) -> tuple[Probe, ...]:
    """The probes of a test cell. Raises ValueError where it holds none, or anything else."""
    try:
        statements = ast.parse(source).body
    except SyntaxError as problem:
        raise ValueError(f"it is not Python: {problem}") from None
    if not statements:
        raise ValueError("it tests nothing")
    return tuple(_probe(statement) for statement in statements)


def _probe(statement: ast.stmt) -> Probe:
    """The probe of one statement, which has to be a `require` call on an exercise that is there."""
    match statement:
        case ast.Expr(
            ast.Call(
                ast.Attribute(
                    ast.Attribute(ast.Attribute(ast.Name("check"), module), name), method
                ),
                [answer],
                keywords,
            )
        ) if method == "require" and not isinstance(answer, ast.Starred):
            probe = Probe(
                exercise=f"{module}.{name}", answer=ast.unparse(answer), hidden=_seed(keywords)
            )
        case _:
            said = ast.unparse(statement).partition("\n")[0]
            raise ValueError(
                "a test cell holds check.MODULE.NAME.require(EXPRESSION) calls, with hidden=NUMBER"
                f" or without, and not `{said}`"
            )
    exercise = getattr(getattr(check, module), name, None) if module in check.modules() else None
    if not isinstance(exercise, check.Exercise):
        raise ValueError(f"there is no exercise check.{module}.{name}")
    if probe.hidden is not None and exercise.hidden is None:
        raise ValueError(f"check.{module}.{name} has no hidden cases")
    return probe


def _seed(keywords: list[ast.keyword]) -> int | None:
    match keywords:
        case []:
            return None
        case [ast.keyword("hidden", ast.Constant(int(seed)))] if not isinstance(seed, bool):
            return seed
    raise ValueError("the one thing that `require` takes beside the answer is hidden=NUMBER")
