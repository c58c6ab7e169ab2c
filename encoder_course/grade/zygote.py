"""Run students' code, each submission in a child of its own. Nothing here is trusted.

This process starts inside the sandbox, imports torch once, and forks a child for each submission:
milliseconds instead of seconds. Its standard input is the control socket:

    in    b"run" with one socket attached, over which that submission's steps and evidence go
          b"kill"
    out   b"ready" once, then b"ended" after each run

The child reads one frame {"steps": [...]}, and for each step answers with frames {"start": number}
and {"done": number, ...}. It then runs those probes again that {"again": [...]} asks for.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import resource
import select
import signal
import socket
import struct
import sys
from typing import Any

import numpy as np
import torch

from encoder_course.check.base import STOPPED, Exercise
from encoder_course.check.running import explain
from encoder_course.grade import confine
from encoder_course.grade.codec import HEAD, Malformed, decode, encode, frame_length
from encoder_course.grade.forbidden import forbid_calls
from encoder_course.grade.limits import Limits
from encoder_course.repro import seed_everything

LONGEST = 2000  # characters of an error's text
_PID = struct.Struct("<i")


def main(needed: list[str], isolation: str, limits: Limits) -> None:
    """Prepare all that submissions share, then serve until the control socket closes."""
    control = socket.socket(fileno=os.dup(0))
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    own_namespaces = isolation == "sandbox"
    if own_namespaces:
        confine.become_nobody()
    else:
        confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
    torch.set_num_threads(1)
    for module in needed:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    shell = make_shell()
    warm_up(shell)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    gc.collect()
    gc.freeze()
    gc.enable()
    control.sendall(b"ready")
    while True:
        order, sockets, _, _ = socket.recv_fds(control, 16, 1)
        if not order:
            return
        if order == b"run":
            run_one(control, socket.socket(fileno=sockets[0]), shell, own_namespaces, limits)
            control.sendall(b"ended")


def run_one(
    control: socket.socket, job: socket.socket, shell: Any, own_namespaces: bool, limits: Limits
) -> None:
    """Fork a child for one submission and wait until nothing of it is left."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        control.close()
        _in_child(job, shell, own_namespaces, limits, writing)
    job.close()
    os.close(writing)
    inner = b""
    while True:
        ready, _, _ = select.select([control, reading], [], [])
        if reading in ready:
            inner += (news := os.read(reading, _PID.size))
            if not news:
                break
        if control in ready and control.recv(16) in (b"kill", b""):
            _kill(*_PID.unpack(inner or _PID.pack(child)))
    os.close(reading)
    os.waitpid(child, 0)
    if not own_namespaces:
        kill_descendants()


def _in_child(job: socket.socket, shell: Any, own: bool, limits: Limits, report: int) -> None:
    """Shut this process in and run the steps; never returns.

    With namespaces of its own, the first process in them runs the steps: this one says its number
    on `report`, which stays open for as long as it lives.
    """
    try:
        _shut_in(own, limits, report)
    except OSError as problem:
        job.sendall(encode({"broken": str(problem)}))
        os._exit(1)
    try:
        run_steps(job, shell)
    finally:
        os._exit(0)


def _shut_in(own: bool, limits: Limits, report: int) -> None:
    os.setsid()
    confine.die_with_parent()
    if own:
        confine.leave_namespaces()
        first = os.fork()
        if first:
            os.write(report, _PID.pack(first))
            os.waitpid(first, 0)
            os._exit(0)
        confine.die_with_parent()
        os.setsid()
        os.close(report)
    confine.limit_resources(limits)
    if own:
        confine.mount_own(limits)
        confine.drop_capabilities()
        forbid_calls()
    os.chdir(os.environ["HOME"])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def kill_descendants() -> None:
    """End every process that a submission left behind; this one adopts their orphans."""
    import psutil

    while left := psutil.Process().children(recursive=True):
        for process in left:
            _kill(process.pid)
        psutil.wait_procs(left, timeout=1)


def warm_up(shell: Any) -> None:
    """Do once what every child would: have torch look at the processor while /proc is there.

    On one thread: a parent that has used more would leave its children waiting for them.
    """
    seed_everything(0)
    shell.run_cell("def warm():\n    return 1\nwarm()")
    shell.reset()
    torch.backends.cpu.get_cpu_capability()
    for dtype in (torch.float32, torch.float64):
        square = torch.randn(32, 32, dtype=dtype, generator=torch.Generator().manual_seed(0))
        torch.nn.functional.gelu(square @ square).softmax(dim=-1).sum()
    with contextlib.suppress(AssertionError):
        torch.testing.assert_close(torch.zeros(1), torch.ones(1))


def make_shell() -> Any:
    """The IPython shell that runs cells as a notebook does, magics and all, printing no errors."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    quiet = Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": "NoColor"})
    shell = InteractiveShell.instance(config=quiet)
    shell.showtraceback = shell.showsyntaxerror = shell.enable_gui = lambda *_, **__: None
    return shell


def run_steps(job: socket.socket, shell: Any) -> None:
    """Run one submission's steps in order; what goes wrong in one is data, and the next follows."""
    steps = receive(job)["steps"]
    named = {probe["exercise"] for step in steps for probe in step.get("probes", ())}
    exercises = {name: find_exercise(name) for name in named}  # before a cell can get at them
    for number, step in enumerate(steps):
        _run_step(job, shell, exercises, number, step)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    job.sendall(encode({"end": True, "megabytes": peak}))
    for number in receive(job)["again"]:
        _run_step(job, shell, exercises, number, steps[number])


def find_exercise(name: str) -> Exercise:
    """The exercise called "module.name"."""
    module, _, attribute = name.partition(".")
    return getattr(importlib.import_module(f"encoder_course.check.{module}"), attribute)


def _run_step(
    job: socket.socket,
    shell: Any,
    exercises: dict[str, Exercise],
    number: int,
    step: dict[str, Any],
) -> None:
    job.sendall(encode({"start": number}))
    if step["kind"] == "code":
        shell.execution_count = step["cell"] + 1
        outcome = shell.run_cell(step["source"])
        error = outcome.error_before_exec or outcome.error_in_exec
        job.sendall(encode({"done": number, "error": error and _said(error)}))
    else:
        found = [
            _evidence(shell.user_ns, exercises[probe["exercise"]], probe)
            for probe in step["probes"]
        ]
        try:
            frame = encode({"done": number, "evidence": found})
        except (Malformed, ValueError, TypeError) as problem:
            stopped = {STOPPED: str(problem)[:LONGEST]}
            frame = encode({"done": number, "evidence": [stopped] * len(found)})
        job.sendall(frame)


def _evidence(names: dict[str, Any], exercise: Exercise, probe: dict[str, Any]) -> dict[str, Any]:
    """Probe one answer under torch's usual settings; whatever goes wrong is data."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    try:
        answer = eval(probe["answer"], names)
    except NameError:
        return {STOPPED: f"there is no `{probe['answer']}`: run to here, no cell defines it"}
    except BaseException as error:
        return {STOPPED: _said(error)}
    try:
        return exercise.probe(answer, probe["hidden"])
    except BaseException as error:  # SystemExit and the like, which a check lets through
        return {STOPPED: _said(error)}


def _said(error: BaseException) -> str:
    try:
        return explain(error)[:LONGEST]
    except BaseException:  # its own text raises something
        return "it stops with an error that cannot be shown"


def receive(job: socket.socket) -> Any:
    """Read one frame from a socket. Raises EOFError where it closes before."""
    head = _exactly(job, HEAD)
    return decode(head + _exactly(job, frame_length(head) - HEAD))


def _exactly(job: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (news := job.recv(count - len(data))):
            raise EOFError("the grader has gone")
        data += news
    return data


def start() -> None:
    """Serve as the command line says; never returns, and leaves without taking torch down."""
    main(sys.argv[3:], sys.argv[1], Limits(**json.loads(sys.argv[2])))
    os._exit(0)
