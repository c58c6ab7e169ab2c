"""Many submissions: each graded once, whatever is killed on the way, here or on a cluster."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import grading_lab
import pytest

from encoder_course.grade import judge, pool, preflight
from encoder_course.grade.limits import Limits
from encoder_course.grade.master import read_master
from encoder_course.grade.needed import demonstrations, free_names
from encoder_course.grade.results import Result, Results
from encoder_course.grade.runner import Runner
from encoder_course.grade.sandbox import SandboxError

needs_bubblewrap = pytest.mark.skipif(
    not shutil.which("bwrap"), reason="bubblewrap is not installed"
)
WRONG = "def scores(q, k):\n    return q @ k.mT"

# Grades a course until it is killed or done, as a process of its own.
GRADE = """
import sys
from pathlib import Path
from encoder_course.grade.master import read_master
from encoder_course.grade.pool import grade_all
from encoder_course.grade.results import Results
course = Path(sys.argv[1])
submissions = {path.stem: path for path in (course / "submitted").iterdir()}
results = Results(course / "results")
for result in grade_all(read_master(course / "lab.ipynb"), submissions, results, workers=2):
    print(result.student, flush=True)
"""


@pytest.fixture
def course(tmp_path):
    """A course of 30 students, every third of whom is wrong about scores."""
    grading_lab.master(tmp_path)
    folder = tmp_path / "submitted"
    folder.mkdir()
    for number in range(30):
        handed_in = grading_lab.submission(**({} if number % 3 else {"scores": WRONG}))
        (folder / f"student{number:02d}.ipynb").write_text(json.dumps(handed_in))
    return tmp_path


def submissions(course):
    return {path.stem: path for path in sorted((course / "submitted").iterdir())}


def points(course):
    return {one.student: one.points for one in Results(course / "results").all("lab")}


def expected():
    right, wrong = grading_lab.ALL, grading_lab.ALL - grading_lab.POINTS["scores"]
    return {f"student{n:02d}": right if n % 3 else wrong for n in range(30)}


@needs_bubblewrap
def test_killed_twice_and_nothing_is_lost_or_done_twice(course):
    said = []
    written = {}
    for most in (7, 12, None):
        process = subprocess.Popen(
            [sys.executable, "-c", GRADE, str(course)], stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            said.append(line.strip())
            if most is not None and (most := most - 1) == 0:
                process.send_signal(signal.SIGKILL)
        process.wait()
        for path, when in written.items():
            assert path.stat().st_mtime_ns == when
        written = {p: p.stat().st_mtime_ns for p in (course / "results" / "lab").glob("[!.]*")}
    assert points(course) == expected()
    assert len(said) == len(set(said)) and process.returncode == 0
    survivors = subprocess.run(["pgrep", "-f", str(course)], capture_output=True, text=True).stdout
    assert survivors == ""


@needs_bubblewrap
def test_what_changed_is_graded_again(course):
    master, results = read_master(course / "lab.ipynb"), Results(course / "results")
    few = dict(list(submissions(course).items())[:3])
    assert len(list(pool.grade_all(master, few, results))) == 3
    assert pool.unfinished(master, few, results) == {}
    few["student00"].write_text(json.dumps(grading_lab.submission()))
    results.path("student01", "lab").write_text("{damaged")
    again = {one.student: one for one in pool.grade_all(master, few, results)}
    assert set(again) == {"student00", "student01"}
    assert again["student00"].points == grading_lab.ALL


@needs_bubblewrap
def test_a_cluster_that_loses_a_worker_grades_all(course):
    distributed = pytest.importorskip("distributed")
    from encoder_course.grade.cluster import grade_on_cluster

    master, results = read_master(course / "lab.ipynb"), Results(course / "results")
    options = dict(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    with distributed.LocalCluster(**options) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        running = grade_on_cluster(
            master, submissions(course), results, address=cluster.scheduler_address
        )
        seen = []
        for result in running:
            seen.append(result.student)
            if len(seen) == 1:
                os.kill(victim, signal.SIGKILL)
    assert sorted(seen) == sorted(submissions(course))
    assert points(course) == expected()
    assert pool.unfinished(master, submissions(course), results) == {}


@needs_bubblewrap
def test_protections_hold_in_the_sandbox():
    found = preflight.protections()
    assert [one for one in found if not one.holds] == [] and len(found) == 12


def test_protections_that_do_not_hold_are_found_out():
    missing = {one.name for one in preflight.protections("process") if not one.holds}
    assert {"no network", "no process of others", "no file of this machine"} <= missing
    assert "no memory that belongs to no process" in missing
    assert "a limit on time" not in missing and "a limit on memory" not in missing


def test_without_bubblewrap_the_sandbox_says_what_brings_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match="apt install bubblewrap"):
        Runner([])
    assert {one.seen for one in preflight.protections()} == {
        "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    }


def test_wall_of_a_broken_sandbox_is_named(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho no such kernel feature >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with Runner([]) as runner, pytest.raises(SandboxError, match="no such kernel feature"):
        runner.run([], lambda *_: True)


def test_process_runner_leaves_no_process(tmp_path):
    code = "import subprocess, time\nsubprocess.Popen(['sleep', '987'], start_new_session=True)"
    steps = [{"kind": "code", "cell": 0, "source": code}]
    with Runner([], isolation="process", limits=Limits(total_seconds=20)) as runner:
        outcome = runner.run(steps, lambda *_: True)
        assert outcome.errors == {} and len(runner.processes()) == 1
    time.sleep(0.1)
    found = subprocess.run(["pgrep", "-f", "^sleep 987"], capture_output=True, text=True).stdout
    assert found == ""


def test_limits_make_sense():
    with pytest.raises(ValueError, match="cell_seconds is 0"):
        Limits(cell_seconds=0)
    with pytest.raises(ValueError, match="isolation is 'none'"):
        Runner([], isolation="none")


# ---- results


def result(**changes) -> Result:
    return Result(**dict(student="ana", lab="lab", status="graded", points=1, of=2) | changes)


def test_result_comes_back_as_written(tmp_path):
    results = Results(tmp_path)
    one = judge.ExerciseResult(
        grade_id="a_test", title="a", points=1, of=1, passed=True, message="✓"
    )
    written = result(exercises=(one,), flags=("look",), repairs=("mended",))
    results.write(written)
    assert results.read("ana", "lab") == written and list(results.all("lab")) == [written]
    assert [path.name for path in (tmp_path / "lab").iterdir()] == ["ana.json"]
    assert written.needs_human == ("look",) and written.sha256 != result().sha256
    assert results.read("ben", "lab") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"exercises": 3}', "[" * 10**5, "null"])
def test_damaged_result_is_none(tmp_path, text):
    results = Results(tmp_path)
    results.write(result())
    results.path("ana", "lab").write_text(text)
    assert results.read("ana", "lab") is None


def test_unknown_status_is_refused():
    with pytest.raises(ValueError, match="'fine'"):
        result(status="fine")


# ---- demonstrations


def test_demonstrations_are_cells_that_no_answer_needs(tmp_path):
    path = grading_lab.master(tmp_path)
    notebook = json.loads(path.read_text())
    plain = [
        "width = 4",
        "table = {}\ntable['wide'] = width",
        "print(scores(torch.ones(1, 2), torch.ones(1, 2)))",
        "torch.manual_seed(0)\nmath.pi",
    ]
    answer = notebook["cells"][2]
    answer["source"] = answer["source"].replace("q.shape[-1]", "(q.shape[-1] + 0 * table['wide'])")
    notebook["cells"][2:2] = [grading_lab.cell(source) for source in plain]
    notebook["cells"].append(grading_lab.cell("width = 5"))
    path.write_text(json.dumps(notebook))
    assert demonstrations(read_master(path)) == {plain[2], plain[3], "width = 5"}


def test_free_names_are_those_of_the_notebook():
    source = "def f(x):\n    y = x + a\n    return [b for c in y]\nd = f(e)\n"
    assert free_names(source) - {"f"} == {"a", "b", "e"}
