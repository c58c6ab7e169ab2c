"""Submissions, broken and hostile: what is mended, what is refused, what is run, what is shown."""

import base64
import json
import os
import pickle
import re
from copy import deepcopy
from dataclasses import asdict

import nbformat
import pytest
from grading_lab import cell, notebook

from encoder_course.grade.intake import Intake, Unreadable, mend, take_in
from encoder_course.grade.master import read_master
from encoder_course.grade.notebook_json import MOST_BYTES, MOST_CELLS, parse
from encoder_course.grade.sources import defined_names, only_checks

SETUP = """\
import math
import torch
from encoder_course import check
from encoder_course.nn import Block"""
STUB = "def {}:\n    ### BEGIN SOLUTION\n    {}\n    ### END SOLUTION"
SCORES = "def scores(q, k):\n    return q @ k.mT / math.sqrt(q.shape[-1])"
ATTEND = "def attend(q, k, v, keep):\n    return v, keep"
WORDS = "Because a dot product of wide heads has a large spread."
SCORES_STUB = "def scores(q, k):\n    raise NotImplementedError"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
QUESTION = "## Exercise 3: why divide?\n\nIn two sentences."

# Places of the cells of the lab.
HEAD, SET, FIRST, SCORE, SCORE_TEST, DEMO, ATT, ATT_TEST, SHAPE, SHAPE_TEST, ASK, WHY, END = range(
    13
)


def lab_cells():
    hidden = "### BEGIN HIDDEN TESTS\n{}, hidden=417)\n### END HIDDEN TESTS"
    attend = "check.lab03.attend.require(attend"
    graded = dict(grade=True, locked=True)
    return [
        cell("# Lab 90", "markdown"),
        cell(SETUP, grade_id="setup", locked=True),
        cell("## Exercise 1: scores", "markdown"),
        cell(STUB.format("scores(q, k)", "return q @ k.mT"), grade_id="scores", solution=True),
        cell("check.attention.scores.require(scores)", grade_id="scores_test", points=2, **graded),
        cell("wide = torch.ones(3)"),
        cell(STUB.format("attend(q, k, v, keep)", "return v"), grade_id="attend", solution=True),
        cell(f"{attend})\n{hidden.format(attend)}", grade_id="attend_test", points=3, **graded),
        cell(
            "# table = {...}\n### BEGIN SOLUTION\ntable = {}\n### END SOLUTION",
            grade_id="table",
            solution=True,
        ),
        cell(
            "check.attention.shapes.require(dict(table))", grade_id="table_test", points=1, **graded
        ),
        cell(QUESTION, "markdown"),
        cell("Model.", "markdown", grade_id="explain", grade=True, solution=True, points=2),
        cell("## What you now have", "markdown"),
    ]


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    path = tmp_path_factory.mktemp("master") / "lab90.ipynb"
    path.write_text(json.dumps(notebook(lab_cells())), encoding="utf-8")
    return read_master(path)


@pytest.fixture
def cells(master):
    """What a good student hands in, as a list of cells to spoil."""
    found = lab_cells()
    for one, of in zip(found, master.cells, strict=True):
        one["source"] = of.released
    found[SCORE]["source"], found[ATT]["source"] = SCORES, ATTEND
    found[SHAPE]["source"], found[WHY]["source"] = "table = {}", WORDS
    return found


@pytest.fixture
def taken(master, tmp_path):
    """Take in cells, or anything else that JSON can hold, or bytes."""

    def take(found, **top):
        if isinstance(found, list):
            found = notebook(found) | top
        data = found if isinstance(found, bytes) else json.dumps(found).encode()
        path = tmp_path / "anything.ipynb"
        path.write_bytes(data)
        return take_in(path, master)

    return take


def ran(intake: Intake) -> list[str]:
    """The steps in short: the grade_id or else the first line, probes with a question mark."""
    return [
        f"{step.grade_id}?" if step.kind == "probe" else step.grade_id or step.source.split("\n")[0]
        for step in intake.steps
    ]


def shown(intake: Intake) -> list[str]:
    """The cells of the mended notebook in short: the grade_id, or the first line."""
    return [
        one["metadata"].get("nbgrader", {}).get("grade_id") or one["source"].split("\n")[0]
        for one in intake.notebook["cells"]
    ]


def step_of(intake: Intake, grade_id: str):
    return next(step for step in intake.steps if step.grade_id == grade_id)


def said(intake: Intake) -> str:
    return "\n".join(intake.repairs)


WHOLE = [
    "setup",
    "scores",
    "scores_test?",
    "wide = torch.ones(3)",
    "attend",
    "attend_test?",
    "table",
]
WHOLE += ["table_test?"]


def test_a_good_submission_is_taken_as_it_is(taken, cells, master):
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert intake.repairs == intake.flags == ()
    assert intake.words == {"explain": WORDS}
    assert step_of(intake, "attend_test").probes == master.tests["attend_test"].probes
    assert [step.cell for step in intake.steps] == [1, 3, 4, 5, 6, 7, 8, 9]
    nbformat.validate(intake.notebook)
    for made, given in zip(intake.notebook["cells"], cells, strict=True):
        assert made["source"] == given["source"]
        assert made["metadata"] == given["metadata"]
    assert "417" not in json.dumps(intake.notebook)


def test_an_intake_is_plain_data(taken, cells):
    intake = taken(cells)

    assert pickle.loads(pickle.dumps(intake)) == intake
    assert json.loads(json.dumps(asdict(intake)))["words"] == intake.words


def test_the_release_itself_runs_its_stubs(taken, cells, master):
    for one, of in zip(cells, master.cells, strict=True):
        one["source"] = of.released
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert (intake.repairs, intake.flags) == ((), ())


def test_the_master_itself_is_a_submission(taken):
    intake = taken(lab_cells())

    assert (ran(intake), intake.repairs) == (WHOLE, ())
    assert "417" not in json.dumps(intake.notebook)


# What happened to a notebook, and what is made of it.


def test_a_deleted_test_is_put_back_behind_what_it_asks_for(taken, cells):
    del cells[ATT_TEST]
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert step_of(intake, "attend_test").cell == -1
    assert intake.repairs == ("attend_test was missing: it was put back.",)


def test_a_test_of_nothing_stands_where_it_stood_in_the_lab(taken, cells):
    del cells[ATT : ATT_TEST + 1]
    intake = taken(cells)

    assert ran(intake)[2:5] == ["scores_test?", "attend_test?", "wide = torch.ones(3)"]
    assert shown(intake)[SCORE_TEST + 1 : SHAPE] == [
        "attend",
        "attend_test",
        "wide = torch.ones(3)",
    ]
    put_back = intake.notebook["cells"][SCORE_TEST + 1]
    assert "raise NotImplementedError" in put_back["source"]


def test_all_that_is_marked_can_be_missing_but_one_answer(taken, cells):
    intake = taken([cells[ATT]])

    assert ran(intake) == ["setup", "scores_test?", "attend", "attend_test?", "table_test?"]
    assert intake.steps[0].grade_id == "setup"
    assert {"explain", "scores", "table"} <= set(shown(intake))


def test_reordered_cells_stay_in_the_order_of_the_student(taken, cells):
    order = [HEAD, SET, ATT_TEST, ATT, SCORE_TEST, SCORE, END, WHY, ASK, SHAPE, SHAPE_TEST]
    intake = taken([cells[place] for place in order])

    assert ran(intake) == (
        ["setup", "attend_test?", "attend", "scores_test?", "scores", "table", "table_test?"]
    )
    assert intake.repairs == ()


def test_an_edited_test_is_replaced(taken, cells):
    cells[SCORE_TEST]["source"] = "check.attention.scores.require(check.attention.scores.reference)"
    intake = taken(cells)

    assert step_of(intake, "scores_test").probes[0].answer == "scores"
    assert (
        intake.notebook["cells"][SCORE_TEST]["source"] == "check.attention.scores.require(scores)"
    )
    assert "scores_test had been changed" in said(intake)


def test_code_in_a_test_cell_is_kept_beside_the_test(taken, cells):
    cells[SCORE]["source"] = SCORES_STUB
    cells[SCORE_TEST]["source"] = f"{SCORES}\ncheck.attention.scores.require(scores)"
    intake = taken(cells)

    assert ran(intake)[:3] == ["setup", "def scores(q, k):", "scores_test?"]
    assert step_of(intake, "scores_test").cell == -1
    assert any(step.source == cells[SCORE_TEST]["source"] for step in intake.steps)


def test_an_emptied_test_is_filled_again(taken, cells):
    cells[SCORE_TEST]["source"] = "# I passed"
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert "scores_test had been changed" in said(intake)


def test_copies_of_tests_and_of_the_setup_are_not_run(taken, cells):
    intake = taken([*cells[:END], deepcopy(cells[SET]), deepcopy(cells[SCORE_TEST]), cells[END]])

    assert ran(intake) == WHOLE
    assert "Cell 13 has the mark of setup" in said(intake)
    assert "Cell 14 has the mark of scores_test" in said(intake)
    ids = [one["metadata"].get("nbgrader", {}).get("grade_id") for one in intake.notebook["cells"]]
    assert sorted(filter(None, ids)) == sorted({*filter(None, ids)})


def test_of_copies_of_an_answer_the_one_that_defines_it_counts(taken, cells):
    scratch = cells[SCORE] | {"source": "scores(torch.ones(2, 2), torch.ones(3, 2))"}
    for place in (SCORE, SCORE + 1):
        intake = taken([*cells[:place], scratch, *cells[place:]])
        assert step_of(intake, "scores").source == SCORES
        assert "has the mark of scores, and is not it" in said(intake)
        assert "scores(torch.ones(2, 2), torch.ones(3, 2))" in ran(intake)


def test_of_two_written_answers_the_later_counts(taken, cells):
    later = cells[SCORE] | {"source": f"{SCORES}  # better"}
    intake = taken([*cells[: SCORE + 1], later, *cells[SCORE + 1 :]])

    assert step_of(intake, "scores").source == later["source"]


@pytest.mark.parametrize("place", [FIRST, END + 1])
def test_an_answer_in_another_cell_is_found_and_its_stub_not_run(taken, cells, place):
    cells[SCORE]["source"] = SCORES_STUB
    cells.insert(place, cell(SCORES))
    intake = taken(cells)

    assert SCORES_STUB not in [step.source for step in intake.steps]
    assert step_of(intake, "scores").source == SCORES
    assert "Known by what they hold, without their marks: scores." in intake.repairs


def test_a_stub_does_not_undo_an_answer_in_the_cell_of_another(taken, cells):
    cells[SCORE]["source"] = f"{SCORES}\n\n\n{ATTEND}"
    cells[ATT]["source"] = "def attend(q, k, v, keep):\n    raise NotImplementedError\n\n"
    intake = taken(cells)

    assert ran(intake) == [name for name in WHOLE if name != "attend"]


def test_stripped_metadata_is_found_again(taken, cells):
    for one in cells:
        one["metadata"] = {}
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert intake.words == {"explain": WORDS}
    names = "setup, scores, scores_test, attend, attend_test, table, table_test, explain"
    assert intake.repairs == (f"Known by what they hold, without their marks: {names}.",)


def test_stripped_metadata_of_a_release_is_found_again(taken, cells, master):
    for one, of in zip(cells, master.cells, strict=True):
        one |= {"metadata": {}, "source": of.released}
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert shown(intake)[WHY] == "explain"


def test_an_edited_setup_runs_after_ours(taken, cells):
    cells[SET]["source"] = f"{SETUP}\nimport this_is_mine"
    intake = taken(cells)

    ours, theirs = intake.steps[:2]
    assert (ours.source, ours.cell) == (SETUP, -1)
    assert (theirs.source, theirs.cell) == (cells[SET]["source"], SET)
    assert "setup had been changed: the lab's own stands there." in intake.repairs


def test_a_setup_without_its_mark_is_known_by_its_lines(taken, cells):
    cells[SET] = cell(f"{SETUP}\nimport this_is_mine")
    intake = taken(cells)

    assert [step.source for step in intake.steps[:2]] == [SETUP, cells[SET]["source"]]


def test_the_setup_runs_first_wherever_it_stands(taken, cells):
    cells.append(cells.pop(SET))
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert "setup stood below other cells of the lab: it ran first." in intake.repairs


def test_a_cell_of_the_student_above_the_setup_is_no_fault(taken, cells):
    intake = taken([cell("%pip install encoder-course"), *cells])

    assert ran(intake) == ["setup", "%pip install encoder-course", *WHOLE[1:]]
    assert intake.repairs == ()


def test_a_missing_setup_is_put_back(taken, cells):
    del cells[SET]
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert shown(intake)[:3] == ["# Lab 90", "## Exercise 1: scores", "setup"]


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_an_answer_that_became_text_is_code_again(taken, cells, kind):
    cells[SCORE]["cell_type"] = kind
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert f"scores had become {kind}: it is code again." in intake.repairs


def test_words_that_became_code_are_text_again(taken, cells):
    cells[WHY]["cell_type"] = "code"
    intake = taken(cells)

    assert ran(intake) == WHOLE
    assert intake.words == {"explain": WORDS}


@pytest.mark.parametrize("place", [WHY, WHY + 1])
def test_words_in_a_cell_of_their_own_are_found(taken, cells, place):
    cells[WHY]["source"] = "YOUR ANSWER HERE"
    cells.insert(place, cell(WORDS, "markdown"))
    intake = taken(cells)

    assert intake.words == {"explain": WORDS}
    assert "YOUR ANSWER HERE" not in json.dumps(intake.notebook)


def test_words_that_are_missing_are_left_as_released(taken, cells):
    del cells[WHY]
    intake = taken(cells)

    assert intake.words == {"explain": "YOUR ANSWER HERE"}
    assert "explain" in shown(intake)


def test_of_copies_of_words_the_last_written_ones_count(taken, cells):
    cells.insert(END, cells[WHY] | {"source": "And more."})
    assert taken(cells).words == {"explain": "And more."}
    cells[END]["source"] = "YOUR ANSWER HERE"
    assert taken(cells).words == {"explain": WORDS}


def test_a_student_may_write_everything_into_a_new_notebook(taken):
    intake = taken([cell(SETUP), cell(f"{SCORES}\n{ATTEND}"), cell("table = {}")])

    assert {"scores_test?", "attend_test?", "table_test?"} <= set(ran(intake))
    assert ran(intake).index("attend_test?") > 1


# Formats.


def test_format_3_is_brought_to_4(taken, cells):
    for one in cells:
        if one["cell_type"] == "code":
            one["input"] = one.pop("source").splitlines(keepends=True)
            one["outputs"] = [
                {"output_type": "pyout", "text": ["4", "2"], "png": PIXEL},
                {"output_type": "stream", "stream": "stderr", "text": "careful"},
                {"output_type": "pyerr", "ename": "NameError", "evalue": "x", "traceback": ["?"]},
            ]
    cells[HEAD] = {"cell_type": "heading", "level": 2, "source": "Lab 90", "metadata": {}}
    intake = taken({"nbformat": 3, "worksheets": [{"cells": cells[:5]}, {"cells": cells[5:]}]})

    assert ran(intake) == WHOLE
    assert "format 3" in intake.repairs[0]
    assert shown(intake)[HEAD] == "## Lab 90"
    outputs = intake.notebook["cells"][SCORE]["outputs"]
    assert outputs[0]["data"] == {"text/plain": "42", "image/png": PIXEL}
    assert outputs[1] == {"output_type": "stream", "name": "stderr", "text": "careful"}
    assert outputs[2]["traceback"] == ["NameError: x"]
    nbformat.validate(intake.notebook)


@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4, 5, 99, None, "x"])
def test_minor_formats_lists_and_missing_ids_make_no_difference(taken, cells, minor):
    for one in cells:
        one.pop("id", None)
        one["source"] = one["source"].splitlines(keepends=True)
    intake = taken({"cells": cells, "nbformat": 4, "nbformat_minor": minor})

    assert (ran(intake), intake.repairs) == (WHOLE, ())
    nbformat.validate(intake.notebook)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_are_read(taken, cells, encoding):
    text = json.dumps(notebook(cells), ensure_ascii=False)
    assert ran(taken(text.encode(encoding))) == WHOLE


def test_bytes_that_are_no_text_are_replaced(taken, cells):
    cells[HEAD]["source"] = "Caf\xe9"
    intake = taken(json.dumps(notebook(cells), ensure_ascii=False).encode("latin-1"))

    assert ran(intake) == WHOLE
    assert "not UTF-8" in said(intake)


def test_what_no_database_can_hold_is_replaced(taken, cells):
    cells[WHY]["source"] = "half \ud800 a pair, \0 and the end\r\n"
    cells[DEMO]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "\udfff\0"}]
    intake = taken(cells)

    assert intake.words == {"explain": "half \ufffd a pair, \ufffd and the end\n"}
    json.dumps(intake.notebook, ensure_ascii=False).encode()


# Refusals.

REFUSED = {
    "the file is empty": b"",
    "it is not JSON from line 1 on": b"hello",
    "it is not JSON from line 2 on": b'{\n"cells": [',
    "nested deeper": b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested deeper ": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a web page": b"\n<!DOCTYPE html><html>",
    "JSON, but no notebook": b"[]",
    "JSON, but no notebook ": b'{"cells": 3}',
    "JSON, but no notebook  ": b"1" * 1_000_000,
    "it has no cells": b'{"cells": []}',
    "larger than 20 MB": b" " * (MOST_BYTES + 1),
    "more than 3,000,000 values": b"[" + b"[]," * 1_600_000 + b"[]]",
    f"has {MOST_CELLS + 1:,} cells": b'{"cells": [' + b"0," * MOST_CELLS + b"0]}",
    "no cell of lab90": b'{"cells": [null, 3, "x", [], {}]}',
    "the file is empty ": b" \n\0",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_no_notebook_is_refused_with_the_reason(taken, reason):
    with pytest.raises(Unreadable, match=re.escape(reason.strip())):
        taken(REFUSED[reason])


def test_a_notebook_of_another_lab_is_refused_by_name(taken):
    theirs = cell("check.lab02.embed.require(embed)", grade_id="embed_test", grade=True)
    setup = cell("import torch", grade_id="setup", locked=True)
    with pytest.raises(Unreadable, match="no cell of lab90: it seems to be lab02"):
        taken([setup, theirs])


def test_links_folders_pipes_and_nothing_are_refused(master, tmp_path):
    (tmp_path / "real.ipynb").write_text("{}")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "real.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()

    for name, reason in {
        "link": "a link",
        "pipe": "no ordinary file",
        "folder": "directory",
        "nothing": "no such file",
    }.items():
        with pytest.raises(Unreadable, match=reason):
            take_in(tmp_path / f"{name}.ipynb", master)


# Hostile JSON.

WRONG = [None, 0, "", [], {}, [None], {"a": [{}]}]


def places_in(found, path=()):
    """The path to every value of a document, itself included."""
    yield path
    if isinstance(found, dict | list):
        for key, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield from places_in(value, (*path, key))


def replaced(found, path, value):
    if not path:
        return value
    found = deepcopy(found)
    at = found
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return found


def rich(cells):
    """A submission with everything in it that the format allows."""
    data = {"text/plain": ["a"], "image/png": PIXEL, "text/html": f'<img alt="a" src="{PIXEL}">'}
    next(one for one in cells if one["source"].startswith("wide"))["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["a"]},
        {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1},
        {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["t"]},
    ]
    cells[-1]["attachments"] = {"a.png": {"image/png": PIXEL}}
    return notebook(cells)


def outcome(document, master) -> Intake | None:
    """What is made of a document; None where it is refused in the one way that is allowed."""
    try:
        return mend(*parse(json.dumps(document).encode()), master)
    except Unreadable:
        return None


def test_whatever_stands_in_place_of_a_value_it_is_taken_in_or_refused(cells, master):
    whole = rich([cells[place] for place in (SET, SCORE, SCORE_TEST, DEMO, ASK, WHY)])
    old = {"worksheets": [{"cells": [{"cell_type": "heading", "level": 1}, whole["cells"][1]]}]}
    refused = 0
    for document in (whole, old):
        for path in places_in(document):
            for value in WRONG:
                intake = outcome(replaced(document, path, value), master)
                if intake is None:
                    refused += 1
                    continue
                probed = {step.grade_id for step in intake.steps if step.kind == "probe"}
                assert probed == {*master.tests}
                assert list(intake.words) == ["explain"]
        nbformat.validate(outcome(document, master).notebook)
    assert refused < 60  # only where the very notebook is gone, or all that is known of the lab


def test_long_numbers_and_what_json_does_not_have(taken, cells):
    text = json.dumps(notebook(cells))
    text = text.replace('"execution_count": null', f'"execution_count": {"9" * 100_000}')
    text = text.replace('"nbformat": 4', '"nbformat": NaN, "more": [-Infinity, 1e999, 1e-999]')
    text = text.replace('"task": false', '"task": true, "task": false')

    assert ran(taken(text.encode())) == WHOLE


def test_deep_nesting_anywhere_is_refused_or_left_out(taken, cells):
    text = json.dumps(notebook(cells))
    for depth in (500, 100_000):
        deep = text.replace('"outputs": []', f'"outputs": {"[" * depth}{"]" * depth}')
        try:
            assert ran(taken(deep.encode())) == WHOLE
        except Unreadable as refusal:
            assert depth > 500 and "nested" in str(refusal)


def test_many_faults_are_told_in_few_sentences(taken, cells):
    intake = taken({"cells": [*cells, *[None] * 500]})

    assert len(intake.repairs) == 41
    assert intake.repairs[-1] == "And 460 more."


def test_a_cell_longer_than_any_lab_needs_is_left_out(taken, cells):
    cells[DEMO]["source"] = "x" * 600_000
    intake = taken(cells)

    assert "Cell 6 has 600,000 characters: it was left out." in intake.repairs
    assert ran(intake) == [name for name in WHOLE if "wide" not in name]


def test_large_submissions_take_no_more_than_seconds(cells, master):
    import time

    heavy = [cell("a = " + "(" * 400_000), cell("a" + " " * 400_000), cell("<img " * 90_000)]
    heavy += [cell("check." * 80_000), cell("from encoder_course import " * 18_000)]
    heavy[0]["outputs"] = [
        {"output_type": "display_data", "data": {"text/html": '<img alt="' * 200_000}}
    ] * 2
    many = [cell(f"scores = {n}", grade_id="scores") for n in range(900)]
    started = time.process_time()
    mend(*parse(json.dumps(notebook(cells + heavy)).encode()), master)
    mend(*parse(json.dumps(notebook(many)).encode()), master)
    assert time.process_time() - started < 10


# What is shown.


def test_outputs_of_tests_are_not_the_students(taken, cells):
    cells[SCORE_TEST]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "✓ passed"}]
    assert taken(cells).notebook["cells"][SCORE_TEST]["outputs"] == []


def test_long_outputs_are_cut_and_pictures_pasted_into_text_stay(taken, cells):
    long = {"output_type": "stream", "name": "stdout", "text": "x" * 45_000}
    cells[DEMO]["outputs"] = [long]
    cells[WHY]["attachments"] = {"a.png": {"image/png": PIXEL}, "b": {"image/svg+xml": "<svg/>"}}
    intake = taken(cells)

    assert intake.repairs == ("The output of cell 6 lost its last 25,000 letters.",)
    assert intake.notebook["cells"][WHY]["attachments"] == {"a.png": {"image/png": PIXEL}}


# What a human should look at.

TRICKS = [
    "scores = check.attention.scores.reference",
    "[m.wrong for m in check.attention.scores.misconceptions]",
    "check.attention.scores.expected()",
    "from encoder_course.check import lab03",
    "import encoder_course.check.attention as a",
    "from encoder_course import grade",
    "getattr(check, 'attention')",
    "check.attention.scores = print",
    "from encoder_course.check.base import Exercise",
    "import importlib",
    "import gc",
    "import sys\nsys.modules['torch']",
    "().__class__.__base__.__subclasses__()",
    "!cat /etc/passwd",
    "%%bash\nls",
    "import subprocess",
    "from encoder_course.labs import earlier\nscores = earlier('lab90', 'scores')",
]


@pytest.mark.parametrize("source", TRICKS)
def test_a_detour_to_the_answer_is_flagged_and_still_run(taken, cells, source):
    cells[DEMO]["source"] = source
    intake = taken(cells)

    assert len(intake.flags) >= 1
    assert intake.flags[0].startswith("Cell 6 ")
    assert source in [step.source for step in intake.steps]


@pytest.mark.parametrize(
    "source",
    [
        "def scores(q, k):\n    return Block(2, 2)(q)",
        "def scores(q, k):\n    from encoder_course.nn import attention\n    return attention(q)",
        "from transformers.models import (\n  bert as b\n)\ndef scores(q, k): return b.attend(q)",
        "import encoder_course.nn as theirs\ndef scores(q, k): return theirs.attention(q)",
    ],
)
def test_an_answer_that_takes_it_from_a_library_is_flagged(taken, cells, source):
    cells[SCORE]["source"] = source
    assert any("Cell 4, the answer scores, uses" in flag for flag in taken(cells).flags)


INNOCENT = [
    "def scores(q, k):\n    # no Block here\n    return torch.Block(q)",
    "def scores(q, k):\n    Block = q @ k.mT\n    return Block",
    "def scores(q, k):\n    inspect, hidden = q, k\n    return encoder.inspect(q).hidden",
    "def scores(q, k):\n    raise NotImplementedError",
]


@pytest.mark.parametrize("source", INNOCENT)
def test_honest_code_is_not_flagged(taken, cells, source):
    cells[SCORE]["source"] = source
    cells[DEMO]["source"] = (
        "check.attention.scores(scores)\nBlock(4, 2)\nfrom encoder_course import viz"
    )
    assert taken(cells).flags == ()


# Reading sources.


def test_names_that_a_cell_defines():
    source = "def f(x):\n    y = 1\nclass  G(object): pass\nasync def h(): pass\na, (b) = 1, 2\n"
    source += "c: int = 3\nd == 4\ne.f = 5\ng[0] = 6\nh += 1\nif x == 2: pass\n%time k = 3"
    assert defined_names(source) == {"f", "G", "h", "a", "b", "c"}


def test_cells_that_only_check():
    assert only_checks("# mine\ncheck.lab03.attend.require(\n    attend\n)\n")
    assert only_checks("")
    assert not only_checks("check.lab03.attend.require(attend)\nattend = 3")
