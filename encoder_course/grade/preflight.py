"""Say which protections hold on this machine, by trying in a sandbox what they forbid."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from textwrap import dedent

from encoder_course.grade.limits import Limits
from encoder_course.grade.runner import Outcome, Runner
from encoder_course.grade.sandbox import SandboxError

LIMITS = Limits(
    cell_seconds=5, total_seconds=60, megabytes=512, processes=6, disk_megabytes=8, attempts=8
)


@dataclass(frozen=True, kw_only=True)
class Protection:
    """One thing that a student's code cannot do, whether that holds here, and what was seen."""

    name: str
    holds: bool
    seen: str = ""


# Each cell passes only where its protection holds.
ATTEMPTS = {
    "no network": """
        import socket
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
    """,
    "no root, and no capability": """
        import ctypes, os
        assert os.getuid() != 0
        data = (ctypes.c_uint32 * 6)()
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        kernel = ctypes.CDLL(None)
        assert kernel.capget(ctypes.byref(header), ctypes.byref(data)) == 0
        assert not any(data)
        assert kernel.unshare(0x10000000) != 0, "a user namespace brings capabilities"
    """,
    "no process of others": """
        import os
        assert os.getpid() == 1 and not [pid for pid in os.listdir("/proc") if pid.isdecimal()][1:]
    """,
    "no file of this machine": """
        import os
        assert not os.path.exists(HIDDEN), HIDDEN
    """,
    "Python and the course cannot be changed": """
        import encoder_course, sys
        for folder in (sys.prefix, *encoder_course.__path__, "/", "/usr"):
            try:
                open(folder + "/changed", "w")
            except OSError:
                continue
            raise AssertionError(folder)
    """,
    "an empty working directory": """
        import os
        assert os.listdir() == []
        open("kept", "w").write("no longer than this submission")
    """,
    "a limit on disk": """
        import shutil
        assert shutil.disk_usage(".").total <= 8 * 2**20
    """,
    "a limit on memory": """
        try:
            bytearray(2**30)
        except MemoryError:
            pass
        else:
            raise AssertionError
    """,
    "no memory that belongs to no process": """
        import ctypes, os
        assert ctypes.CDLL(None).shmget(0, ctypes.c_size_t(2**30), 0o1600) == -1
        try:
            os.memfd_create("kept by a file that is nowhere")
        except OSError:
            pass
        else:
            raise AssertionError
    """,
    "a limit on processes": """
        import os, time
        started = 0
        try:
            while started < 10:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                started += 1
        except BlockingIOError:
            pass
        assert started < 10
    """,
}
TIME = "a limit on time"
REMAINS = "no process or file outlives its submission"


def protections(isolation: str = "sandbox") -> list[Protection]:
    """Try all that a submission must not do, and return what holds.

    With no way to make the sandbox, every protection is missing, and `seen` says why.
    """
    with tempfile.NamedTemporaryFile() as hidden:
        sources = [f"HIDDEN = {hidden.name!r}\n{dedent(code)}" for code in ATTEMPTS.values()]
        try:
            with Runner([], isolation=isolation, limits=LIMITS) as runner:
                _run(runner, "pass")
                before = len(runner.processes())
                outcome = _run(runner, *sources, "while True: pass")
                after = len(runner.processes())
                again = _run(runner, ATTEMPTS["an empty working directory"])
        except SandboxError as problem:
            names = [*ATTEMPTS, TIME, REMAINS]
            return [Protection(name=name, holds=False, seen=str(problem)) for name in names]
    failures = outcome.errors | {stop.step: stop.words for stop in outcome.stops}
    stopped = failures.pop(len(sources), "")
    found = [
        Protection(name=name, holds=number not in failures, seen=failures.get(number, ""))
        for number, name in enumerate(ATTEMPTS)
    ]
    found.append(Protection(name=TIME, holds="longer" in stopped, seen=stopped))
    remains = "a process is left" if after > before else again.errors.get(0, "")
    return [*found, Protection(name=REMAINS, holds=not remains, seen=remains)]


def _run(runner: Runner, *sources: str) -> Outcome:
    steps = [
        {"kind": "code", "cell": cell, "source": dedent(source)}
        for cell, source in enumerate(sources)
    ]
    return runner.run(steps, lambda *_: True)
