"""Submissions that break, cheat or attack, each with the score that it deserves.

A case is what is handed in (a notebook, bytes, or a function that puts something at a path), the
exercises that are right in it, the status, and words that its problems must hold.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from grading_lab import ANSWERS, cell, notebook, submission

EVERY = tuple(ANSWERS)


@dataclass(frozen=True)
class Case:
    """One submission and what must come of it."""

    handed_in: dict | bytes | Callable[[Path], Any]
    right: tuple[str, ...] = ()
    status: str = "graded"
    words: str = ""

    def put(self, path: Path) -> None:
        """Hand it in as a file at `path`."""
        if callable(self.handed_in):
            self.handed_in(path)
        elif isinstance(self.handed_in, bytes):
            path.write_bytes(self.handed_in)
        else:
            path.write_text(json.dumps(self.handed_in), encoding="utf-8")


def before(code: str) -> dict:
    """Right answers after a cell of this code."""
    return submission(first=dedent(code).strip())


def after(code: str) -> dict:
    """Right answers, then a cell of this code."""
    return submission(last=dedent(code).strip())


def scores(code: str) -> dict:
    """This in place of the first answer; the others are right."""
    return submission(scores=dedent(code).strip())


OTHERS = EVERY[1:]
STUBS = {
    name: answer.splitlines()[0] + "\n    raise NotImplementedError"
    for name, answer in ANSWERS.items()
}

ORDINARY = {
    "right": Case(submission(), EVERY),
    "as released": Case(submission(**STUBS)),
    "wrong": Case(scores("def scores(q, k):\n    return q @ k.mT"), OTHERS),
    "syntax error": Case(scores("def scores(q, k) return q"), OTHERS),
    "error in an answer": Case(scores("def scores(q, k):\n    return q @ k"), OTHERS),
    "answer that is no function": Case(scores("scores = 3"), OTHERS),
    "exit": Case(before("import sys\nsys.exit()"), EVERY),
    "exit in an answer": Case(scores("def scores(q, k):\n    raise SystemExit"), OTHERS),
    "shell and magic": Case(before("%matplotlib inline\n!ls\n%time 1 + 1"), EVERY),
    "another dtype and device": Case(
        before("torch.set_default_dtype(torch.float64)\ntorch.set_default_device('meta')"), EVERY
    ),
    "gradients off": Case(before("torch.set_grad_enabled(False)"), EVERY),
    "a name used again later": Case(after("scores = torch.ones(3)"), EVERY),
    "helper defined later": Case(
        submission(
            scores="def scores(q, k):\n    return scaled(q @ k.mT, q)",
            last="def scaled(x, q):\n    return x / math.sqrt(q.shape[-1])",
        ),
        EVERY,
    ),
}

BREAKING = {
    "os._exit": Case(before("import os\nos._exit(0)"), EVERY, "crashed", "cell 3 ends"),
    "os._exit in an answer": Case(
        scores("def scores(q, k):\n    import os\n    os._exit(0)"),
        OTHERS,
        "crashed",
        "scores ends",
    ),
    "segfault": Case(before("import ctypes\nctypes.string_at(0)"), EVERY, "crashed", "cell 3 ends"),
    "abort": Case(before("import os\nos.abort()"), EVERY, "crashed", "cell 3 ends"),
    "endless loop before the answer": Case(
        before("while True: pass"), EVERY, "timeout", "cell 3 runs longer than"
    ),
    "endless loop after the answers": Case(
        after("while True: pass"), EVERY, "timeout", "cell 10 runs longer than"
    ),
    "endless loop in an answer": Case(
        scores("def scores(q, k):\n    while True: pass"), OTHERS, "timeout", "scores runs longer"
    ),
    "loop that swallows interrupts": Case(
        before(
            """
            import signal
            for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            while True:
                try:
                    while True: pass
                except BaseException:
                    pass
            """
        ),
        EVERY,
        "timeout",
        "cell 3 runs longer than",
    ),
    "sleep": Case(before("import time\ntime.sleep(3600)"), EVERY, "timeout", "cell 3 runs longer"),
    "stops itself": Case(
        before(
            "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nimport time\ntime.sleep(99)"
        ),
        EVERY,
        "timeout",
        "cell 3 runs longer than",
    ),
    "memory hog": Case(before("hog = bytearray(10**12)"), EVERY),
    "memory hog in many pieces": Case(
        before(
            "hog = []\ntry:\n    while True: hog.append(bytearray(10**8))\nfinally:\n    hog = 0"
        ),
        EVERY,
    ),
    "memory hog of many processes": Case(
        before(
            """
            import os, time
            for _ in range(20):
                if os.fork() == 0:
                    kept = b"x" * (300 * 2**20)
                    time.sleep(3600)
            time.sleep(3600)
            """
        ),
        EVERY,
        "crashed",
        "cell 3 takes more than 512 MB of memory",
    ),
    "memory of no process": Case(
        before(
            """
            import ctypes, os
            kernel = ctypes.CDLL(None)
            if hasattr(os, "memfd_create"):
                try: os.memfd_create("x")
                except OSError: pass
                else: os._exit(1)
            if kernel.shmget(0, ctypes.c_size_t(2**30), 0o1600) != -1: os._exit(1)
            """
        ),
        EVERY,
    ),
    "file system in a namespace of its own": Case(
        before(
            """
            import ctypes, os
            kernel = ctypes.CDLL(None)
            made = kernel.unshare(0x10020000)
            mounted = kernel.mount(b"tmpfs", b"/submission", b"tmpfs", 0, b"size=8g")
            if made == 0 or mounted == 0: os._exit(1)
            """
        ),
        EVERY,
    ),
    "fork bomb": Case(
        before(
            "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
        ),
        EVERY,
        ("crashed", "timeout"),
        "cell 3",
    ),
    "disk filler": Case(
        before("with open('x', 'wb') as f:\n    while True: f.write(bytes(10**6))"), EVERY
    ),
    "disk filler of many files": Case(
        before("for n in range(10**6):\n    with open(str(n), 'wb') as f: f.write(bytes(10**6))"),
        EVERY,
    ),
    "endless printing": Case(
        before("while True: print('x' * 1000)"), EVERY, "timeout", "cell 3 runs longer than"
    ),
    "endless writing to its outputs": Case(
        before(
            "import os\nwhile True:\n    os.write(1, bytes(10**6))\n    os.write(2, bytes(10**6))"
        ),
        EVERY,
        "timeout",
        "cell 3 runs longer than",
    ),
    "background process": Case(
        before(
            """
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(3600)
                os._exit(0)
            """
        ),
        EVERY,
    ),
    "thread without end": Case(
        before(
            """
            import threading, time
            threading.Thread(target=time.sleep, args=(3600,)).start()
            """
        ),
        EVERY,
    ),
    "recursion without end": Case(
        before("import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()"),
        EVERY,
        ("crashed", "timeout", "graded"),
    ),
    "closed files": Case(before("import os\nos.closerange(0, 200)"), EVERY, "crashed", "cell 3"),
    "builtins deleted": Case(
        before(
            "import builtins\nfor name in ('len', 'isinstance', 'zip'): delattr(builtins, name)"
        ),
        EVERY,
        "crashed",
        "cell 3",
    ),
}

CHEATING = {
    "patched comparisons": Case(
        submission(
            first=dedent(
                """
                import builtins, torch.testing
                torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True
                torch.testing.assert_close = lambda *a, **k: None
                torch.Tensor.__eq__ = lambda *a: torch.tensor(True)
                math.isclose = lambda *a, **k: True
                builtins.AssertionError = type("Fine", (Exception,), {})
                """
            ).strip(),
            scores="def scores(q, k):\n    return q @ k.mT",
        ),
        OTHERS,
    ),
    "tensor that claims equality": Case(
        scores(
            """
            class Equal(torch.Tensor):
                @classmethod
                def __torch_function__(cls, function, types, args=(), kwargs=None):
                    if function in (torch.isclose, torch.allclose, torch.equal):
                        return True
                    return super().__torch_function__(function, types, args, kwargs or {})
            def scores(q, k):
                return (q @ k.mT).as_subclass(Equal)
            """
        ),
        OTHERS,
    ),
    "object that equals everything": Case(
        scores(
            """
            class Equal(float):
                __eq__ = __le__ = __ge__ = lambda *a: True
                __hash__ = float.__hash__
            def scores(q, k):
                return Equal(3)
            """
        ),
        OTHERS,
    ),
    "patched checker": Case(
        submission(
            first=dedent(
                """
                from encoder_course.check import base, evidence
                base.Exercise.judge = lambda *a, **k: base.Verdict(True, "right")
                base.Exercise.require = base.Exercise.__call__ = lambda *a, **k: None
                base.difference = evidence.difference = lambda *a, **k: None
                """
            ).strip(),
            scores="def scores(q, k):\n    return q @ k.mT",
        ),
        OTHERS,
    ),
    "patched probe": Case(
        before(
            """
            from encoder_course.check import base
            base.Exercise.probe = lambda *a, **k: {"passed": True, "points": 100}
            """
        ),
    ),
    "forged frames": Case(
        submission(
            first=dedent(
                """
                import os
                from encoder_course.grade.codec import encode
                for number in range(3, 200):
                    for said in (
                        {"done": 2, "evidence": [{"passed": True}]},
                        {"points": 100},
                        {"end": True, "megabytes": 1},
                    ):
                        try: os.write(number, encode(said))
                        except OSError: break
                """
            ).strip(),
            **STUBS,
        ),
        (),
        ("crashed", "graded"),
    ),
    "garbage on every file": Case(
        before(
            """
            import os
            for number in range(3, 200):
                try: os.write(number, b"\\xff" * 100)
                except OSError: pass
            """
        ),
        EVERY,
        "crashed",
        "cell 3 sends what is no evidence",
    ),
    "flood on every file": Case(
        before(
            """
            import os
            from encoder_course.grade.codec import encode
            frame = encode({"start": 0})
            for number in range(3, 200):
                try:
                    while True: os.write(number, frame * 1000)
                except OSError: pass
            """
        ),
        EVERY,
        ("crashed", "timeout"),
        "cell 3",
    ),
    "import hooks": Case(
        submission(
            first=dedent(
                """
                import sys, types
                class Hook:
                    def find_spec(self, name, path, target=None):
                        if name.startswith("encoder_course"):
                            raise SystemExit
                sys.meta_path.insert(0, Hook())
                fake = types.ModuleType("check")
                sys.modules["encoder_course.check.attention"] = fake
                sys.modules["encoder_course.check.evidence"] = fake
                sys.modules["torch.testing"] = fake
                """
            ).strip()
        ),
        EVERY,
    ),
    "torch.py beside the notebook": Case(
        before("open('torch.py', 'w').write('raise SystemExit')\nimport torch\ntorch.ones(1)"),
        EVERY,
    ),
    "hostile pickle": Case(
        scores(
            """
            class Bomb:
                def __reduce__(self):
                    import os
                    return os.system, ("touch /tmp/pickled",)
            def scores(q, k):
                return Bomb()
            """
        ),
        OTHERS,
    ),
    "error that cannot be shown": Case(
        scores(
            """
            class Mute(Exception):
                def __str__(self): raise SystemExit
            def scores(q, k):
                raise Mute
            """
        ),
        OTHERS,
    ),
    "huge evidence": Case(
        scores("def scores(q, k):\n    return torch.zeros(1).expand(10**10)"), OTHERS
    ),
    "evidence in many pieces": Case(
        scores("def scores(q, k):\n    return [0] * 10**7"),
        OTHERS,
        ("graded", "crashed", "timeout"),
    ),
    "deep evidence": Case(
        scores(
            """
            def scores(q, k):
                deep = []
                for _ in range(10**5): deep = [deep]
                return deep
            """
        ),
        OTHERS,
        ("graded", "crashed"),
    ),
    "endless evidence": Case(
        scores(
            """
            class Endless(list):
                def __iter__(self):
                    while True: yield 0
            def scores(q, k):
                return Endless([1])
            """
        ),
        OTHERS,
        ("timeout", "graded", "crashed"),
    ),
    "reading what is not its own": Case(
        before(
            """
            import os, sys
            found = []
            shared = {"/usr", "/dev", "/proc", "/lib", "/bin", sys.prefix, sys.base_prefix}
            for folder, inner, files in os.walk("/"):
                inner[:] = [name for name in inner if os.path.join(folder, name) not in shared]
                found += [f for f in files if f.endswith((".db", ".ipynb")) or "SECRET" in f]
            if found: os._exit(1)
            """
        ),
        EVERY,
    ),
    "killing everything": Case(
        before(
            """
            import os, signal
            for pid in (-1, 0, os.getppid(), *range(2, 5000)):
                try: os.kill(pid, signal.SIGKILL)
                except OSError: pass
            """
        ),
        EVERY,
        ("graded", "crashed"),
    ),
}

NO_NOTEBOOK = {
    "empty": Case(b"", status="unreadable", words="empty"),
    "not a notebook": Case(b"print('hello')", status="unreadable"),
    "another document": Case(b'{"cells": 3}', status="unreadable"),
    "notebook of another lab": Case(notebook([cell("print(1)")]), status="unreadable"),
    "bytes": Case(bytes(range(256)) * 10, status="unreadable"),
    "huge": Case(
        lambda path: path.write_bytes(b'{"cells": [' + b" " * (21 * 2**20)), status="unreadable"
    ),
    "nested without end": Case(b'{"cells": ' + b"[" * 10**6, status="unreadable"),
    "number without end": Case(b'{"cells": [' + b"9" * 10**6 + b"]}", status="unreadable"),
    "link to the master": Case(
        lambda path: path.symlink_to(path.parents[2] / "lab.ipynb"), status="unreadable"
    ),
    "link to nothing": Case(lambda path: path.symlink_to("nowhere"), status="unreadable"),
    "pipe": Case(os.mkfifo, status="unreadable"),
    "folder": Case(Path.mkdir, status="unreadable"),
}

CASES = ORDINARY | BREAKING | CHEATING | NO_NOTEBOOK
