"""The trusted end of a run: hand steps to a zygote, take evidence back, stop what goes too far."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from encoder_course.check.base import STOPPED
from encoder_course.grade import sandbox
from encoder_course.grade.codec import HEAD, Malformed, decode, encode, frame_length
from encoder_course.grade.limits import Limits
from encoder_course.grade.sandbox import SandboxError

START_SECONDS = 60
LAST_SECONDS = 10  # for a killed child to be gone
MEMORY_CHECK_SECONDS = 0.25
MOST_BYTES = 128 * 2**20  # that one attempt may send


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Why an attempt ended early: at which step, "timeout" or "crashed", and words for it."""

    step: int | None
    status: str
    words: str


@dataclass(kw_only=True)
class Outcome:
    """What came of one submission's steps, by the step's number.

    evidence: of each probe of a step. errors: what a code cell stopped with. stops: in order.
    """

    evidence: dict[int, list[Any]] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    seconds: float | int = 0.0
    megabytes: float | int = 0.0


class Runner:
    """Runs submissions one after another in children of one zygote; a context manager.

    modules: what submissions are going to import, such as "encoder_course.check.lab03".
    isolation: "sandbox", or "process": limits of time and memory only, for code that is trusted.
    Raises SandboxError where the sandbox cannot be made.
    """

    def __init__(
        self, modules: Iterable[str], *, isolation: str = "sandbox", limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.isolation = isolation
        self._command = sandbox.command(isolation, modules, self.limits)
        self._home = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._baseline = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote, which ends what it has started."""
        if self._process is not None:
            self._control.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LAST_SECONDS)
            self._kill()
        self._home.cleanup()

    def _kill(self) -> None:
        for process in self.processes():
            with contextlib.suppress(Exception):  # it may have gone by itself
                process.kill()
        self._control.close()
        self._process.wait()
        self._process = None

    def run(
        self, steps: Sequence[Mapping[str, Any]], passes: Callable[[int, list[Any]], bool]
    ) -> Outcome:
        """Run the steps of one submission, and again without those that break the run.

        steps: {"kind": "code", "cell", "source"} or {"kind": "probe", "probes": [...]}.
        passes: whether the evidence of a probe step is all right. What is not, when its turn
            comes, is asked for once more at the end: cells may stand in any order.
        """
        outcome, left_out = Outcome(), set()
        self._started()
        started = time.monotonic()
        deadline = started + self.limits.total_seconds
        for _ in range(self.limits.attempts):
            wanted = [n for n in range(len(steps)) if n not in left_out]
            attempt = _Attempt(self.limits, steps, wanted, passes, outcome, deadline)
            stop = self._attempt(attempt)
            if stop is None:
                break
            outcome.stops.append(stop)
            if stop.step is None:
                break
            left_out.add(stop.step)
            if steps[stop.step]["kind"] == "probe":
                said = {STOPPED: f"it {stop.words}"}
                outcome.evidence.setdefault(stop.step, [said] * len(steps[stop.step]["probes"]))
        outcome.seconds = time.monotonic() - started
        return outcome

    def processes(self) -> list[Any]:
        """The zygote with its walls, and what it has started: a submission's, while one runs."""
        import psutil

        if self._process is None:
            return []
        try:
            first = psutil.Process(self._process.pid)
            return [*first.children(recursive=True), first]
        except psutil.NoSuchProcess:
            return []

    def _attempt(self, attempt: _Attempt) -> Stop | None:
        """Fork a child, talk with it until it ends, and make sure that nothing of it is left."""
        control = self._started()
        attempt.hurry(self.limits.cell_seconds)
        ours, theirs = socket.socketpair()
        with ours:
            socket.send_fds(control, [b"run"], [theirs.fileno()])
            theirs.close()
            ours.settimeout(LAST_SECONDS)
            stop = self._talk(attempt, ours, control)
        if attempt.broken:
            raise SandboxError(f"the sandbox cannot be made here: {attempt.broken}")
        return stop

    def _talk(self, attempt: _Attempt, ours: socket.socket, control: socket.socket) -> Stop | None:
        stop, over = attempt.begin(ours), False
        next_check = time.monotonic() + 2 * MEMORY_CHECK_SECONDS
        while stop is None and not over:
            until = max(0.0, min(attempt.deadline, next_check) - time.monotonic())
            ready, _, _ = select.select([ours, control], [], [], until)
            if ours in ready:
                stop, over = attempt.hear(ours)
            elif control in ready:
                stop = attempt.crashed("ends the process that runs it")
            elif time.monotonic() >= attempt.deadline:
                stop = attempt.timed_out()
            if stop is None and time.monotonic() >= next_check:
                next_check = time.monotonic() + MEMORY_CHECK_SECONDS
                if self._memory() > self.limits.megabytes * 2**20 + self._baseline:
                    stop = attempt.crashed(f"takes more than {self.limits.megabytes} MB of memory")
        self._end_child(control)
        return stop

    def _end_child(self, control: socket.socket) -> None:
        """Wait for the zygote to say that the child is gone; if need be, end the zygote."""
        deadline = time.monotonic() + LAST_SECONDS
        with contextlib.suppress(OSError):
            control.sendall(b"kill")
            while (left := deadline - time.monotonic()) > 0:
                control.settimeout(left)
                if (said := control.recv(5)) in (b"ended", b""):
                    if said:
                        return
                    break
        self._kill()

    def _started(self) -> socket.socket:
        """The control socket of a zygote that is ready."""
        if self._process is None:
            self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
            with theirs, tempfile.TemporaryFile() as errors:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=theirs,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    cwd="/",
                    env=sandbox.environment(self.isolation, Path(self._home.name)),
                )
                theirs.close()
                self._control.settimeout(START_SECONDS)
                with contextlib.suppress(OSError):
                    if self._control.recv(5) == b"ready":
                        self._baseline = self._memory()
                        return self._control
                errors.seek(0)
                last = errors.read()[-500:].decode(errors="replace").strip().splitlines()
            self._kill()
            raise SandboxError(f"no sandbox: {last[-1] if last else 'it does not start'}")
        return self._control

    def _memory(self) -> int:
        """Bytes that all processes of the zygote hold, each shared page counted once."""
        return sum(proportional(process) for process in self.processes())


def proportional(process: Any) -> int:
    """Bytes of memory of a psutil process, its shared pages divided among those who share them.

    Where the kernel does not tell, all that is resident; 0 for a process that has ended.
    """
    import psutil

    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    except OSError:
        with contextlib.suppress(psutil.Error):
            return process.memory_info().rss
    return 0


class _Attempt:
    """One conversation with a child that may say anything."""

    def __init__(
        self,
        limits: Limits,
        steps: Sequence[Mapping[str, Any]],
        wanted: list[int],
        passes: Callable[[int, list[Any]], bool],
        outcome: Outcome,
        total_deadline: float,
    ) -> None:
        self.limits, self.steps, self.passes, self.outcome = limits, steps, passes, outcome
        self.sent = [n for n in wanted if steps[n]["kind"] == "code" or not self._is_right(n)]
        self.deadline = self.total_deadline = total_deadline
        self.current: int | None = None
        self.data, self.heard, self.broken, self.ended = bytearray(), 0, "", False

    def hurry(self, seconds: float | int) -> None:
        """Give the child so long until it must have said something more."""
        self.deadline = min(self.total_deadline, time.monotonic() + seconds)

    def begin(self, ours: socket.socket) -> Stop | None:
        """Send the steps."""
        try:
            ours.sendall(encode({"steps": [dict(self.steps[n]) for n in self.sent]}))
        except OSError:
            return self.crashed("ends the process that runs it")
        return None

    def hear(self, ours: socket.socket) -> tuple[Stop | None, bool]:
        """Take what has come; a reason to stop, and whether the child has said all it will."""
        try:
            news = ours.recv(2**18)
        except OSError:
            news = b""
        if not news:
            return (None, True) if self._has_all() else (self.crashed("ends the process"), False)
        self.heard += len(news)
        self.data += news
        try:
            if self.heard > MOST_BYTES:
                raise Malformed("too much")
            while (length := frame_length(bytes(self.data[:HEAD]))) and len(self.data) >= length:
                frame = bytes(self.data[:length])
                del self.data[:length]
                self._take(decode(frame), ours)
        except (Malformed, OSError):
            return self.crashed("sends what is no evidence"), False
        return None, self._has_all()

    def _take(self, said: Any, ours: socket.socket) -> None:
        match said:
            case {"broken": str(why)} if self.current is None:
                self.broken = why
            case {"start": int(place)} if 0 <= place < len(self.sent):
                self.current = self.sent[place]
                self.hurry(self._seconds())
            case {"done": int(place), "error": None | str()} if 0 <= place < len(self.sent):
                if said["error"] is not None:
                    self.outcome.errors[self.sent[place]] = said["error"]
            case {"done": int(place), "evidence": list(found)} if 0 <= place < len(self.sent):
                self._keep(self.sent[place], found)
            case {"end": True, "megabytes": int() | float()} if not self.ended:
                self._finish(said["megabytes"], ours)
            case _:
                raise Malformed("an unknown message")

    def _keep(self, number: int, found: list[Any]) -> None:
        step = self.steps[number]
        if step["kind"] != "probe" or len(found) != len(step["probes"]):
            raise Malformed("evidence that nobody asked for")
        if number not in self.outcome.evidence or self.passes(number, found):
            self.outcome.evidence[number] = found
        if self.ended:
            self.again.discard(number)

    def _finish(self, megabytes: int | float, ours: socket.socket) -> None:
        """All steps have run: ask once more for what is not right, now that all cells have."""
        self.ended, self.current = True, None
        self.outcome.megabytes = max(self.outcome.megabytes, megabytes)
        places = [
            place
            for place, number in enumerate(self.sent)
            if self.steps[number]["kind"] == "probe" and not self._is_right(number)
        ]
        self.again = {self.sent[place] for place in places}
        ours.sendall(encode({"again": places}))

    def _has_all(self) -> bool:
        return self.ended and not self.again

    def _is_right(self, number: int) -> bool:
        found = self.outcome.evidence.get(number)
        return found is not None and self.passes(number, found)

    def _seconds(self) -> float | int:
        is_probe = self.steps[self.current]["kind"] == "probe"
        return self.limits.probe_seconds if is_probe else self.limits.cell_seconds

    def timed_out(self) -> Stop:
        """The stop for a deadline that has passed."""
        if time.monotonic() >= self.total_deadline:
            words = f"everything together runs longer than {self.limits.total_seconds:g} s"
            return Stop(step=None, status="timeout", words=words)
        if self.current is None:
            return self.crashed("stops talking")
        words = f"runs longer than {self._seconds():g} s"
        return Stop(step=self.current, status="timeout", words=words)

    def crashed(self, words: str) -> Stop:
        """The stop for a child that ended, or had to be ended, at the current step."""
        return Stop(step=self.current, status="crashed", words=words)
