"""The command that starts a zygote with walls around it, or, asked for by name, with few."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import encoder_course
from encoder_course.grade.confine import HERE
from encoder_course.grade.limits import Limits

ISOLATIONS = ("sandbox", "process")
PACKAGE = Path(encoder_course.__file__).parent
PROCESSOR = "/sys/devices/system/cpu"
# Nothing of what it imports is garbage: looking for some is a seventh of its start.
START = "import gc; gc.disable(); from encoder_course.grade import zygote; zygote.start()"
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "LANG": "C.UTF-8",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "OMP_NUM_THREADS": "1",
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "TQDM_DISABLE": "1",
}


class SandboxError(RuntimeError):
    """The sandbox cannot be made here; the text says what is missing and what brings it."""


def command(isolation: str, modules: Iterable[str], limits: Limits) -> list[str]:
    """The command that starts a zygote which has imported `modules` already, where there are such.

    Raises ValueError for an unknown isolation, SandboxError where bubblewrap is not installed.
    """
    if isolation not in ISOLATIONS:
        raise ValueError(f"isolation is {isolation!r}, and has to be one of {ISOLATIONS}")
    zygote = [sys.executable, "-I", "-c", START, isolation]
    zygote += [json.dumps(asdict(limits)), *modules]
    return [*_bubblewrap(), *zygote] if isolation == "sandbox" else zygote


def environment(isolation: str, home: Path) -> dict[str, str]:
    """All that a zygote's environment holds."""
    here = HERE if isolation == "sandbox" else str(home)
    return SETTINGS | {"HOME": here, "TMPDIR": here, "XDG_CACHE_HOME": here, "IPYTHONDIR": here}


def _bubblewrap() -> list[str]:
    """Bubblewrap's own arguments: no network, Python and the package read-only, nothing else.

    Root keeps the right to become nobody, which the zygote does first; anybody else is mapped to
    themselves in a user namespace.
    """
    found = shutil.which("bwrap")
    if not found:
        raise SandboxError("bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)")
    words = [found, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--die-with-parent", "--new-session"]
    if os.getuid() == 0:
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user"]
    system = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"]
    python = dict.fromkeys([sys.prefix, sys.base_prefix, str(PACKAGE)])
    above = {str(parent) for path in (*python, *system, PROCESSOR) for parent in Path(path).parents}
    for path in sorted(above - {"/"}):  # shorter ones first; readable for nobody
        words += ["--perms", "0755", "--dir", path]
    for path in system:
        words += ["--ro-bind-try", path, path]
    for path in python:
        words += ["--ro-bind", path, path]
    # Without it, torch does not see what the processor can do, and rounds in other ways.
    words += ["--ro-bind-try", PROCESSOR, PROCESSOR]
    words += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", HERE]
    return [*words, "--remount-ro", "/"]
