"""Masters: what is read from one, what is refused, and that nbgrader releases the same text."""

import hashlib
import json
import logging

import pytest
from grading_lab import cell, notebook

from encoder_course.grade.master import MasterCell, read_master
from encoder_course.grade.probes import Probe, read_probes
from encoder_course.grade.regions import CODE_STUB, TEXT_STUB

ANSWER = "def scores(q, k):\n    ### BEGIN SOLUTION\n    return q @ k.mT\n    ### END SOLUTION"
TEST = "check.attention.scores.require(scores)"
HIDDEN = (
    "check.lab03.attend.require(attend)\n### BEGIN HIDDEN TESTS\n"
    "check.lab03.attend.require(attend, hidden=417)\n### END HIDDEN TESTS"
)


def a_test(source=TEST, **marks):
    return cell(source, **(dict(grade_id="scores_test", grade=True, locked=True, points=2) | marks))


def explain(source="Model answer.", **marks):
    base = dict(grade_id="explain_it", grade=True, solution=True, points=3.5)
    return cell(source, "markdown", **(base | marks))


def read(folder, *cells):
    path = folder / "lab90.ipynb"
    path.write_text(json.dumps(notebook(list(cells))), encoding="utf-8")
    return read_master(path)


WHOLE = [
    cell("# Lab", "markdown"),
    cell("import math", grade_id="setup", locked=True),
    cell(ANSWER, grade_id="scores", solution=True),
    a_test(),
    cell("print(1)"),
    cell("# n = ...\n### BEGIN SOLUTION\nn = 3\n### END SOLUTION", grade_id="n", solution=True),
    cell("whole = 3", grade_id="whole", solution=True),
    a_test(HIDDEN, grade_id="attend_test", points=4),
    explain(),
]


def test_a_master_is_read_with_roles_points_and_probes(tmp_path):
    master = read(tmp_path, *WHOLE)

    assert (master.lab, master.points) == ("lab90", 9.5)
    assert master.sha256 == hashlib.sha256(master.path.read_bytes()).hexdigest()
    roles = [one.role for one in master.cells]
    assert roles == ("plain read_only answer test plain answer answer test explain".split())
    assert list(master.tests) == ["scores_test", "attend_test"]
    assert list(master.explains) == ["explain_it"]
    assert len(master.marked) == 7
    assert master.probes == (
        Probe(exercise="attention.scores", answer="scores"),
        Probe(exercise="lab03.attend", answer="attend"),
        Probe(exercise="lab03.attend", answer="attend", hidden=417),
    )


def test_an_expression_names_what_it_takes_from_the_notebook(tmp_path):
    master = read(
        tmp_path, a_test("check.attention.shapes.require(\n    dict(a=width, b=[depth])\n)")
    )

    (probe,) = master.probes
    assert probe.answer == "dict(a=width, b=[depth])"
    assert master.tests["scores_test"].asked == {"dict", "width", "depth"}


def test_released_text_is_what_nbgrader_releases(tmp_path):
    from nbformat import read as read_notebook
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
    from traitlets.config import Config

    region = "### BEGIN SOLUTION\n        return 1\n\n        ### END SOLUTION"
    two = f"class A:\n    def f(self):\n        {region}\n    def g(self):\n        {region}\n"
    part = explain("Write:\n\n### BEGIN SOLUTION\nx\n### END SOLUTION\n", grade_id="explain_part")
    master = read(tmp_path, *WHOLE, cell(two, grade_id="A", solution=True), part)

    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    theirs = read_notebook(master.path, as_version=4)
    logging.disable()
    for step in (ClearSolutions, ClearHiddenTests):
        theirs, _ = step(config=config).preprocess(theirs, {})
    logging.disable(logging.NOTSET)
    assert [one.released for one in master.cells] == [one.source for one in theirs.cells]


def test_marks_are_those_that_were_read(tmp_path):
    master = read(tmp_path, *WHOLE)

    for made, found in zip(master.cells, WHOLE, strict=True):
        assert made.nbgrader == found["metadata"].get("nbgrader", {})
    plain = MasterCell(kind="code", role="plain", grade_id=None, points=0, source="", released="")
    assert plain.nbgrader == {}


REFUSED_TESTS = {
    "print(1)": "not `print(1)`",
    "x = check.attention.scores.require(scores)": "holds check.MODULE.NAME.require",
    "check.attention.scores(scores)": "holds check.MODULE.NAME.require",
    "check.attention.scores.require(scores, scores)": "holds check.MODULE.NAME.require",
    "check.attention.scores.require(*scores)": "holds check.MODULE.NAME.require",
    "check.attention.scores.require()": "holds check.MODULE.NAME.require",
    "encoder.attention.scores.require(scores)": "holds check.MODULE.NAME.require",
    "check.attention.nothing.require(scores)": "no exercise check.attention.nothing",
    "check.attention.torch.require(scores)": "no exercise check.attention.torch",
    "check.nothing.scores.require(scores)": "no exercise check.nothing.scores",
    "check.base.scores.require(scores)": "no exercise check.base.scores",
    "check.attention.scores.require(scores, hidden=4)": "has no hidden cases",
    "check.lab03.attend.require(attend, hidden=seed)": "hidden=NUMBER",
    "check.lab03.attend.require(attend, hidden=True)": "hidden=NUMBER",
    "check.lab03.attend.require(attend, seed=3)": "hidden=NUMBER",
    "check.lab03.attend.require(attend, hidden=3, more=4)": "hidden=NUMBER",
    "check.attention.scores.require(scores": "it is not Python",
    "# nothing": "it tests nothing",
    "": "it tests nothing",
}


@pytest.mark.parametrize("source", REFUSED_TESTS)
def test_a_test_cell_that_cannot_be_graded_is_refused(source):
    with pytest.raises(
        ValueError, match=REFUSED_TESTS[source].replace("(", r"\(").replace(")", r"\)")
    ):
        read_probes(source)


REFUSED = {
    "cell 1 (scores_test): a test cell holds": [a_test("print(1)")],
    "cell 1 (scores_test): it gives 0 points": [a_test(points=0)],
    "cell 1 (scores_test): it gives None points": [a_test(points=None)],
    "it gives True points": [a_test(points=True)],
    "it gives '2' points": [a_test(points="2")],
    "cell 2 (explain_it): it gives -1 points": [a_test(), explain(points=-1)],
    "two cells with the grade_id scores_test": [a_test(), a_test()],
    "cell 1 (code): it has no grade_id": [a_test(grade_id="")],
    "nbgrader's marks make no sense here: code": [a_test(locked=False)],
    "task": [cell("Do it.", "markdown", grade_id="it", task=True)],
    "cell 2 (n): nbgrader's marks make no sense here: markdown": [
        a_test(),
        cell("Answer", "markdown", grade_id="n", solution=True),
    ],
    "no cell gives points": [cell(ANSWER, grade_id="scores", solution=True)],
    "cell 1 (code): it has a solution": [cell(ANSWER), a_test()],
    "it has hidden tests": [cell(HIDDEN), a_test()],
    "BEGIN SOLUTION has no END SOLUTION": [
        cell("### BEGIN SOLUTION", grade_id="scores", solution=True)
    ],
    "BEGIN HIDDEN TESTS stands in such a region": [
        a_test("### BEGIN HIDDEN TESTS\n### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS")
    ],
    "the seed of its hidden cases": [a_test("check.lab03.attend.require(attend, hidden=417)")],
    "it has no cells": [],
    "Cell 1 does not say": [a_test() | {"cell_type": "task"}],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_master_that_cannot_be_graded_is_refused_with_the_cell(tmp_path, reason):
    with pytest.raises(ValueError) as refusal:
        read(tmp_path, *REFUSED[reason])
    assert reason in str(refusal.value)


def test_a_test_cell_that_shows_nothing_to_students_is_refused(tmp_path):
    with pytest.raises(ValueError, match="it tests nothing"):
        read(tmp_path, a_test(HIDDEN.partition("\n")[2]))
