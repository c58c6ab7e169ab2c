"""The labs that students get follow from their solutions, and stop at the first stub."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from encoder_course import check
from encoder_course.bootstrap import for_notebooks
from encoder_course.grade.intake import take_in
from encoder_course.grade.judge import exercise_of
from encoder_course.grade.master import read_master
from encoder_course.grade.release import release_repository

ROOT = Path(__file__).parent.parent
LABS = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/*.ipynb"))
each_lab = pytest.mark.parametrize("lab", LABS)


def solution(lab):
    return ROOT / "solutions" / lab / f"{lab}.ipynb"


def released(lab):
    return ROOT / "labs" / lab / f"{lab}.ipynb"


def test_every_lab_is_there():
    assert LABS == [
        "lab01",
        "lab02",
        "lab03",
        "lab04",
        "lab05",
        "lab06",
        "lab07",
        "lab08",
        "lab09",
        "lab10",
        "lab11",
        "lab12",
        "lab13",
        "lab15",
        "museum",
    ]
    found = {path.relative_to(ROOT / "labs") for path in (ROOT / "labs").rglob("*.*")}
    assert found == {Path(lab) / f"{lab}.ipynb" for lab in LABS}


def test_labs_are_made_from_their_solutions(tmp_path):
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions")
    made = release_repository([], tmp_path)
    assert sorted(folder.name for folder in made) == LABS
    for lab in LABS:
        made = tmp_path / "labs" / lab / f"{lab}.ipynb"
        assert made.read_bytes() == released(lab).read_bytes(), f"{lab}: run `make labs`"


@each_lab
def test_released_lab_holds_no_solution(lab):
    text = released(lab).read_text(encoding="utf-8")
    assert "HIDDEN TESTS" not in text and "SOLUTION" not in text and "hidden=" not in text
    assert all(not cell.get("outputs") for cell in json.loads(text)["cells"])


@each_lab
def test_points_are_those_of_the_table_in_the_head(lab):
    master = read_master(solution(lab))
    graded = [cell for cell in master.marked.values() if cell.points]
    table = re.findall(r"^\| \d.*\| ([\d +]+) \| \d+ \|$", master.cells[0].source, re.MULTILINE)
    shown = [int(points) for row in table for points in row.split("+")]
    assert shown == [cell.points for cell in graded] and sum(shown) == 20
    assert 5 <= len(master.tests) <= 8 and master.explains
    kinds = ("implement", "predict", "repair", "measure", "explain", "write a test")
    assert sum(f"| {kind}" in master.cells[0].source for kind in kinds) >= 2


@each_lab
def test_a_test_cell_asks_for_what_its_name_says(lab):
    for cell in read_master(solution(lab)).tests.values():
        name = cell.grade_id.removesuffix("_test")
        for probe in cell.probes:
            assert probe.exercise == f"{lab}.{name}"
        hidden = [probe.hidden for probe in cell.probes]
        asks_hidden = exercise_of(cell.probes[0]).hidden is not None
        assert hidden[0] is None and any(seed is not None for seed in hidden) == asks_hidden


def test_there_are_enough_wrong_ideas():
    for lab in LABS:
        ideas = [idea for one in check.exercises_of(lab) for idea in one.misconceptions]
        assert len(ideas) >= 15, lab


@each_lab
def test_solution_and_release_are_taken_in_without_repairs(lab):
    master = read_master(solution(lab))
    for path in (solution(lab), released(lab)):
        intake = take_in(path, master)
        assert intake.repairs == () and intake.flags == ()


@each_lab
def test_released_lab_runs_to_its_first_stub(lab, tmp_path):
    """In a kernel's place a plain interpreter: cells in order until one says what is missing."""
    cells = nbformat.read(released(lab), as_version=4).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code"]
    (tmp_path / "cells.json").write_text(json.dumps(sources))
    (tmp_path / "lab").mkdir()
    code = (
        "import json\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "for source in json.load(open('../cells.json')):\n"
        "    outcome = shell.run_cell(source, silent=True)\n"
        "    if not outcome.success: break\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "lab",
        env={**os.environ, **for_notebooks(), "IPYTHONDIR": str(tmp_path), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    last = done.stdout.strip().splitlines()[-3:]
    said = "\n".join(last)
    assert "Nothing there yet" in said or "NotImplementedError" in said, done.stdout + done.stderr
