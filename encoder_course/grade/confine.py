"""How a forked child shuts itself in, before it runs a line of a student's.

Linux only. Each submission gets namespaces of its own (user, process, mount, IPC), so that it
sees no process but its own, and the kernel ends all of them with the first; a working directory
in memory that nobody shares; limits on memory, processes and files; and no capability at all.
namespaces(7), user_namespaces(7), capabilities(7), Linux man-pages 6.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Any

from encoder_course.grade.limits import Limits

CLONE_NEWNS, CLONE_NEWIPC = 0x00020000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
CAPABILITY_VERSION_3 = 0x20080522
NOBODY = 65534
HERE = "/submission"  # its working directory, where no Python can be installed

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option: int, value: int, more: Any = 0) -> None:
    """Change how the kernel treats this process. Raises OSError where it refuses."""
    _checked(_libc.prctl(option, ctypes.c_ulong(value), more, 0, 0), f"prctl {option}")


def become_nobody() -> None:
    """Give up being root for good; does nothing for anybody else."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        prctl(PR_SET_DUMPABLE, 1)  # or this process may not write its own user map
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def leave_namespaces() -> None:
    """Enter new namespaces; the next fork makes the first process there.

    Raises OSError where the kernel does not let an ordinary user do so.
    """
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC
    _checked(_libc.unshare(flags), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def mount_own(limits: Limits) -> None:
    """Put fresh, small file systems in memory where a submission may write; hide the old /proc."""
    safe = MS_NOSUID | MS_NODEV
    size = f"size={limits.disk_megabytes}m,nr_inodes=10000,mode=700"
    _mount("tmpfs", HERE, safe, size)
    _mount("tmpfs", "/dev/shm", safe | MS_NOEXEC, "size=16m,nr_inodes=1000")
    try:
        _mount("proc", "/proc", safe | MS_NOEXEC, "")
    except OSError:  # parts of the old one are covered: then none at all
        _mount("tmpfs", "/proc", safe | MS_NOEXEC | MS_RDONLY, "size=0")


def _mount(kind: str, target: str, flags: int, options: str) -> None:
    names = kind.encode(), target.encode(), kind.encode()
    _checked(_libc.mount(*names, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def drop_capabilities() -> None:
    """Give up what being first in a user namespace brings: from here on, mounts are fixed."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


def limit_resources(limits: Limits) -> None:
    """Set the limits that the kernel keeps for each process; memory counts from what is used."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + limits.megabytes * 2**20
    for name, most in {
        "RLIMIT_AS": memory,
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_FSIZE": limits.disk_megabytes * 2**20,
        "RLIMIT_CPU": int(limits.total_seconds) + 10,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
    }.items():
        resource.setrlimit(getattr(resource, name), (most, most))


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
