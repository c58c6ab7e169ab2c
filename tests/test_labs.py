"""What an earlier lab hands on to a later one."""

import json

import pytest
import torch

from encoder_course.check import attention
from encoder_course.labs import earlier

RIGHT = "def scores(q, k):\n    return q @ k.mT / math.sqrt(q.shape[-1])"


@pytest.fixture
def lab(tmp_path):
    """Write a lab on the exercises of notebook 03, each cell a source with its kind of cell."""

    def write(*cells):
        kinds = {
            "setup": {"solution": False, "grade": False, "locked": True},
            "answer": {"solution": True, "grade": False, "locked": False},
            "test": {"solution": False, "grade": True, "locked": True},
            "own": None,
        }
        found = []
        for kind, source in cells:
            metadata = {"nbgrader": kinds[kind]} if kinds[kind] else {}
            lines = source.splitlines(keepends=True)
            found.append({"cell_type": "code", "metadata": metadata, "source": lines})
        folder = tmp_path / "attention"
        folder.mkdir(exist_ok=True)
        (folder / "attention.ipynb").write_text(json.dumps({"cells": found}))
        return tmp_path

    return write


def test_right_answer_is_taken(lab, capsys):
    folder = lab(("setup", "import math\nprint('noise')"), ("answer", RIGHT))
    mine = earlier("attention", "scores", folder=folder)
    assert mine.__module__ == "attention"
    assert torch.equal(mine(torch.eye(4), torch.eye(4)), torch.eye(4) / 2)
    assert capsys.readouterr().out == "scores: yours, from attention\n"


def test_wrong_answer_is_replaced(lab, capsys):
    folder = lab(("answer", "def scores(q, k):\n    return q @ k.mT"))
    assert earlier("attention", "scores", folder=folder) is attention.scores.reference
    assert (
        "the course’s, because in exercise 3.1 of yours the right keys" in capsys.readouterr().out
    )


def test_several_names_and_failing_cells(lab, capsys):
    folder = lab(
        ("setup", "import math"),
        ("answer", "raise NotImplementedError"),
        ("answer", "this is not Python"),
        ("own", "math = None"),
        ("test", "raise SystemExit"),
        ("answer", RIGHT),
    )
    mine, merge = earlier("attention", "scores", "merge_heads", folder=folder)
    assert mine.__module__ == "attention" and merge is attention.merge_heads.reference
    assert "attention.ipynb does not define it" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{}", "[]", "not JSON", '{"cells": 3}'])
def test_notebook_that_is_none(lab, text, capsys):
    folder = lab()
    (folder / "attention" / "attention.ipynb").write_text(text)
    assert earlier("attention", "scores", folder=folder) is attention.scores.reference
    assert "cannot be read" in capsys.readouterr().out


def test_no_notebook(tmp_path, capsys):
    assert earlier("attention", "scores", folder=tmp_path) is attention.scores.reference
    assert "is not there" in capsys.readouterr().out


def test_unknown_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="attention has no exercise called 'score'"):
        earlier("attention", "score", folder=tmp_path)
