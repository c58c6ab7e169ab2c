"""Set-up: CUDA never by surprise, nothing done twice, nothing half done left unnoticed."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from encoder_course import bootstrap

ROOT = Path(__file__).parent.parent
CPU_REPORT = ["torch", "sympy", "networkx"]
CUDA_REPORT = ["torch", "nvidia-cublas-cu12", "triton"]


def pip_report(names: list[str]) -> str:
    return json.dumps({"version": "1", "install": [{"metadata": {"name": n}} for n in names]})


class Machine:
    """A machine on which nothing is really run: what it answers is set, what is asked is kept."""

    def __init__(self, report=CPU_REPORT, torch="", pip="24.0", failing=()):
        self.report, self.torch, self.pip, self.failing = report, torch, pip, failing
        self.commands: list[str] = []

    def run(self, *command, check=True, env=None):
        words = " ".join(str(part) for part in command[1:])
        self.commands.append(words)
        status = 1 if any(part in words for part in self.failing) else 0
        if check and status:
            raise bootstrap.SetupError(words)
        return status

    def answers(self, *arguments):
        asked = " ".join(arguments)
        if asked == "-c import torch":
            return self.torch or None
        if "version('torch')" in asked:
            return self.torch or "2.13.0+cpu"
        if "pip.__version__" in asked:
            return self.pip
        if "--dry-run" in asked:
            self.commands.append("dry run")
            return pip_report(self.report) if self.report is not None else None
        return "an answer"

    def ran(self, part: str) -> bool:
        return any(part in words for words in self.commands)


@pytest.fixture
def on(monkeypatch, tmp_path):
    """Put bootstrap on a pretended machine, with a course folder of its own."""

    def place(**facts) -> Machine:
        machine = Machine(**facts)
        monkeypatch.setattr(bootstrap, "run", machine.run)
        monkeypatch.setattr(bootstrap, "_answers", machine.answers)
        return machine

    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "CONSTRAINTS", tmp_path / "constraints.txt")
    (tmp_path / ".venv").mkdir()
    (tmp_path / "pyproject.toml").write_text("one")
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\ntorch==2.13.0\n")
    return place


# torch


def test_pip_is_used_where_it_finds_a_build_without_cuda(on):
    machine = on(report=CPU_REPORT)
    bootstrap.ensure_torch("cpu")
    assert machine.commands == ["dry run", f"-m pip install {bootstrap.TORCH}"]


def test_uv_is_used_where_pip_would_bring_cuda(on):
    machine = on(report=CUDA_REPORT)
    bootstrap.ensure_torch("cpu")
    assert not machine.ran(f"-m pip install {bootstrap.TORCH}")
    assert machine.ran("--torch-backend=cpu")


@pytest.mark.parametrize("failing", ["install --quiet uv", "--torch-backend=cpu"])
def test_where_no_cpu_build_is_found_it_stops_and_says_what_to_do(on, failing):
    machine = on(report=CUDA_REPORT, failing=[failing])
    with pytest.raises(bootstrap.SetupError) as stop:
        bootstrap.ensure_torch("cpu")
    assert "TORCH=cuda" in str(stop.value) and "PIP_FIND_LINKS" in str(stop.value)
    assert not machine.ran(f"-m pip install {bootstrap.TORCH}")


def test_cuda_comes_when_asked_for(on):
    machine = on(report=CUDA_REPORT)
    bootstrap.ensure_torch("cuda")
    assert machine.commands == [f"-m pip install {bootstrap.TORCH}"]


def test_a_torch_that_is_there_stays(on):
    machine = on(report=CUDA_REPORT, torch="2.12.0")
    bootstrap.ensure_torch("cpu")
    bootstrap.install_course("course", latest=False)
    assert machine.commands[0].startswith("-m pip install --quiet -e .[course]")
    held = (bootstrap.VENV / "constraints.txt").read_text()
    assert held == "numpy==2.4.6\ntorch==2.12.0\n"


def test_a_pip_that_would_download_to_answer_is_renewed_first(on):
    machine = on(pip="22.3.1")
    bootstrap.ensure_torch("cpu")
    assert machine.commands[:2] == ["-m pip install --quiet --upgrade pip", "dry run"]


def test_a_pip_that_finds_no_torch_leaves_it_to_uv(on):
    assert on(report=None) and bootstrap.pip_would_bring_cuda()


# Once, and to the end


def test_a_second_setup_does_nothing_and_a_change_is_noticed(on):
    machine = on()
    bootstrap.setup("test")
    done = len(machine.commands)
    bootstrap.setup("test")
    bootstrap.setup("course")  # the tests need the course and more
    assert len(machine.commands) == done
    for changed in (bootstrap.CONSTRAINTS, bootstrap.ROOT / "pyproject.toml"):
        changed.write_text("two\n")
        bootstrap.setup("test")
        assert len(machine.commands) > done
        done = len(machine.commands)


def test_the_course_alone_is_not_enough_for_the_tests(on):
    machine = on()
    bootstrap.setup("course")
    assert not machine.ran(".[course,dev]")
    bootstrap.setup("test")
    assert machine.ran(".[course,dev]")


def test_an_interrupted_setup_is_taken_up_again(on, monkeypatch):
    machine = on()

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(bootstrap, "install_course", interrupt)
        bootstrap.setup("course")
    assert not machine.ran("-e .[course]")
    bootstrap.setup("course")
    assert machine.ran("-e .[course]")


def test_versions_that_do_not_fit_are_left_aside_and_it_says_so(on, capsys):
    machine = on()
    attempts = []

    def fail_once(*command, check=True, env=None):
        attempts.append((bootstrap.VENV / "constraints.txt").read_text())
        return int(len(attempts) == 1)

    bootstrap.run = fail_once  # `on` puts the real one back
    bootstrap.install_course("course", latest=False)
    assert attempts == ["numpy==2.4.6\ntorch==2.13.0+cpu\n", "torch==2.13.0+cpu\n"]
    assert "constraints.txt" in capsys.readouterr().out
    bootstrap.run = machine.run
    bootstrap.install_course("course", latest=True)
    assert (bootstrap.VENV / "constraints.txt").read_text() == "torch==2.13.0+cpu\n"


def test_a_broken_environment_is_made_anew(monkeypatch, tmp_path):
    venv = tmp_path / ".venv"
    python = venv / bootstrap.PYTHON.relative_to(bootstrap.VENV)
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "PYTHON", python)
    python.parent.mkdir(parents=True)
    python.write_text("not a program")
    bootstrap.ensure_venv()
    done = subprocess.run([python, "-c", "import pip, sys; print(sys.prefix)"], capture_output=True)
    assert done.stdout.decode().strip() == str(venv)
    stamp = venv / ".ready-course"
    stamp.write_text("kept")
    bootstrap.ensure_venv()
    assert stamp.exists()


# The tasks


def test_every_suite_runs_even_when_one_fails_and_the_failure_is_named(on, monkeypatch, capsys):
    on()
    ran = []

    def suite(name, status):
        def task(options):
            ran.append(name)
            return status

        task.__name__ = name
        return task

    for name, status in {"lint": 1, "unit": 0, "notebooks": 5}.items():
        monkeypatch.setattr(bootstrap, name, suite(name, status))
    assert bootstrap.main(["test"]) == 1
    assert ran == ["lint", "unit", "notebooks"]
    assert "failed: lint, notebooks" in capsys.readouterr().out


def test_a_setup_that_cannot_go_on_says_why_without_a_traceback(on, capsys):
    on(report=CUDA_REPORT, failing=["uv"])
    assert bootstrap.main(["setup"]) == 1
    assert "TORCH=cuda" in capsys.readouterr().err


def test_an_old_python_hands_over_to_a_newer_one_or_says_what_is_needed(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (99, 0))
    monkeypatch.setattr(bootstrap, "newer_python", lambda: None)
    assert bootstrap.main(["doctor"]) == 1
    assert "needs Python 99.0" in capsys.readouterr().out
    started = []
    monkeypatch.setattr(bootstrap, "newer_python", lambda: "python99")
    monkeypatch.setattr(
        bootstrap.subprocess,
        "run",
        lambda command: started.append(command) or subprocess.CompletedProcess(command, 7),
    )
    assert bootstrap.main(["doctor"]) == 7
    assert started == [["python99", bootstrap.__file__, "doctor"]]


def test_an_old_python_can_read_the_file_to_say_so():
    ast.parse(Path(bootstrap.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_clean_spares_what_a_link_points_to(on, tmp_path_factory):
    on()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").touch()
    bootstrap.VENV.rmdir()
    bootstrap.VENV.symlink_to(elsewhere)
    assert bootstrap.main(["clean"]) == 0
    assert not bootstrap.VENV.exists() and (elsewhere / "kept").exists()


# One list of dependencies


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in names}


def test_every_dependency_is_pinned_within_its_range(project, pins):
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *(text for extra in extras.values() for text in extra)]:
        wanted = Requirement(text)
        if wanted.name == "encoder-course":  # an extra that holds others
            assert wanted.extras <= set(extras)
            continue
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), text


def test_bootstrap_and_conda_build_on_the_same_torch(project, pins):
    assert f"torch=={pins['torch']}" == bootstrap.TORCH
    conda = (ROOT / "environment.yml").read_text(encoding="utf-8")
    (minor,) = re.findall(r"- pytorch-cpu=([\d.]+)\n", conda)
    assert pins["torch"].startswith(f"{minor}.")
    assert re.search(r"- python=3\.(\d+)", conda).group(1) >= project["requires-python"][-2:]
    listed = re.findall(r"^ +- (.+)$", conda, re.MULTILINE)
    assert listed[-1] == "-e .[course]"
    names = {re.split("[=:]", line)[0] for line in listed[:-1]}
    assert names == {"conda-forge", "python", "pip", "pytorch-cpu"}


def test_extras_of_the_tasks_exist(project):
    for extras in bootstrap.EXTRAS.values():
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    oldest = ".".join(map(str, bootstrap.OLDEST_PYTHON))
    assert project["requires-python"] == f">={oldest}"


def test_make_has_a_target_of_one_line_for_each_task():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^(\w+): +; \$\(RUN\) (\S+)", makefile, re.MULTILINE)
    assert [name for name, _ in targets] == ["help", *bootstrap.TASKS]
    assert all(task == name for name, task in targets[1:])


def test_the_help_lists_every_task():
    done = subprocess.run([sys.executable, bootstrap.__file__, "--help"], capture_output=True)
    assert all(f"\n  {task} " in done.stdout.decode() for task in bootstrap.TASKS)
