"""README's table of results is the one that `benchmarks/lessons.py` measured."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "lessons.py"


@pytest.fixture(scope="module")
def lessons():
    spec = importlib.util.spec_from_file_location("lessons", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    return json.loads(SCRIPT.with_suffix(".json").read_text("utf-8"))


def test_readme_shows_what_was_measured(lessons, rows):
    assert lessons.table(rows) in (ROOT / "README.md").read_text("utf-8")


def test_intervals_hold_their_values(rows, lessons):
    for row in rows:
        assert set(row["metrics"]) == set(lessons.COLUMNS)
        for metric in row["metrics"].values():
            assert 0 <= metric["low"] <= metric["value"] <= metric["high"] <= 1


def test_every_task_lesson_is_measured(rows):
    notebooks = {path.name[:2] for path in (ROOT / "notebooks").glob("*.ipynb")}
    measured = {row["notebook"] for row in rows}
    assert measured <= notebooks and measured >= {"08", "09", "10", "11", "12"}


def test_readme_names_the_command(lessons):
    command = re.search(r"OMP_NUM_THREADS=1 python \S+", lessons.__doc__)[0]
    assert command in (ROOT / "README.md").read_text("utf-8")
