"""Whatever is handed in: the right score, a status, and a machine as it was before."""

import shutil
import sys

import grading_lab
import psutil
import pytest
from hostile_submissions import CASES

from encoder_course.grade.limits import Limits
from encoder_course.grade.master import read_master
from encoder_course.grade.pool import grade_one, imported_by
from encoder_course.grade.runner import Runner
from encoder_course.grade.sandbox import START

LIMITS = Limits(
    cell_seconds=4, probe_seconds=4, total_seconds=30, megabytes=512, processes=24, disk_megabytes=8
)
pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course directory with a master, a gradebook and a classmate's work in it."""
    folder = tmp_path_factory.mktemp("course")
    grading_lab.master(folder)
    classmate = folder / "submitted" / "SECRET"
    classmate.mkdir(parents=True)
    (classmate / "SECRET.ipynb").write_text("what a classmate wrote")
    (folder / "gradebook.db").write_text("what a gradebook holds")
    return folder


@pytest.fixture(scope="module")
def master(course):
    return read_master(course / "lab.ipynb")


@pytest.fixture(scope="module")
def runner(master):
    with Runner(imported_by(master), limits=LIMITS) as found:
        found.run([], lambda *_: True)
        yield found


def state(folder):
    """Every file below a folder, with what it holds."""
    return {
        path: path.read_bytes() if path.is_file() and path.stat().st_size < 10**6 else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("name", CASES)
def test_submission_gets_what_it_deserves(name, course, master, runner):
    case = CASES[name]
    folder = course / "submitted" / "student"
    folder.mkdir()
    try:
        case.put(folder / "lab.ipynb")
        before = state(course)
        result = grade_one(runner, master, "student", folder / "lab.ipynb")
        assert state(course) == before
    finally:
        shutil.rmtree(folder)
    said = "\n".join([*result.problems, *(one.message for one in result.exercises)])
    assert [one.grade_id for one in result.exercises if one.passed] == [
        f"{right}_test" for right in case.right
    ], said
    assert result.points == sum(grading_lab.POINTS[right] for right in case.right)
    assert result.of == grading_lab.ALL + grading_lab.BY_HAND
    expected = (case.status,) if isinstance(case.status, str) else case.status
    assert result.status in expected, said
    assert case.words in said, said
    assert all(one.message for one in result.exercises)


def test_run_goes_on_and_nothing_is_left(runner, master, course):
    folder = course / "submitted" / "last"
    folder.mkdir()
    path = folder / "lab.ipynb"
    CASES["right"].put(path)
    result = grade_one(runner, master, "last", path)
    assert (result.status, result.points) == ("graded", grading_lab.ALL)
    names = sorted(process.name() for process in runner.processes())
    assert len(names) == 3 and names[:2] == ["bwrap", "bwrap"], names
    orphans = [p.info for p in psutil.process_iter(["ppid", "uids", "cmdline"])]
    zygote = [sys.executable, "-I", "-c", START]
    commands = [runner.processes()[index].cmdline() for index in range(3)]
    assert any(one[:4] == zygote for one in commands), commands
    assert [one for one in orphans if one["ppid"] == 1 and one["cmdline"][:4] == zygote] == []
