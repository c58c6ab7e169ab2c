"""Which doors of the kernel a submission finds shut: seccomp(2), Linux man-pages 6.

A limit on memory counts what processes hold; the kernel lends more through calls that no notebook
needs, and a user namespace would give back the capabilities that were taken away.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from dataclasses import dataclass

from encoder_course.grade.confine import CLONE_NEWUSER, prctl

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # of a filter
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # what a filter returns; beside REFUSE, an errno
NUMBER, PROCESSOR, FIRST_ARGUMENT = 0, 4, 16  # places in what a filter reads
OTHER_TABLE = 0x40000000  # from here on, numbers are of another table of calls (x32)
CLONE3 = 435
# The same everywhere: io_uring_setup, memfd_secret.
YOUNG = (425, 447)


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A processor's name in the kernel, its number of clone, and of what is refused."""

    processor: int
    clone: int
    refused: tuple[int, ...]


# In this order: unshare, memfd_create, shmget, msgget, bpf, userfaultfd, perf_event_open, keyctl,
# add_key, request_key.
TABLES = {
    "x86_64": _Table(
        processor=0xC000003E,
        clone=56,
        refused=(272, 319, 29, 68, 321, 323, 298, 250, 248, 249),
    ),
    "aarch64": _Table(
        processor=0xC00000B7,
        clone=220,
        refused=(97, 279, 194, 186, 280, 282, 241, 219, 217, 218),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_char_p)]


def forbid_calls() -> None:
    """Refuse this process and its children the calls above, for good.

    It needs no privilege, but the promise never to gain one (PR_SET_NO_NEW_PRIVS).
    Raises OSError where the kernel has no such filter, or the processor's numbers are not known.
    """
    lines = _filter()
    program = _Program(len(lines), b"".join(lines))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))


def _filter() -> list[bytes]:
    table = TABLES.get(platform.machine())
    if table is None:
        raise OSError(f"the numbers of system calls on {platform.machine()} are not known here")
    refuse = _line(RETURN, REFUSE | errno.EPERM)
    # A jump counts the lines to leave out: where the condition holds, and where it does not.
    lines = [_line(LOAD, PROCESSOR), _line(IF_EQUAL, table.processor, 1, 0), refuse]
    lines += [_line(LOAD, NUMBER), _line(IF_AT_LEAST, OTHER_TABLE, 0, 1), refuse]
    for number in (*table.refused, *YOUNG):
        lines += [_line(IF_EQUAL, number, 0, 1), refuse]
    # Its arguments lie where a filter cannot look; without it, the C library takes clone.
    lines += [_line(IF_EQUAL, CLONE3, 0, 1), _line(RETURN, REFUSE | errno.ENOSYS)]
    lines += [_line(IF_EQUAL, table.clone, 0, 3), _line(LOAD, FIRST_ARGUMENT)]
    lines += [_line(IF_ANY_BIT, CLONE_NEWUSER, 0, 1), refuse]
    return [*lines, _line(RETURN, ALLOW)]


def _line(code: int, value: int, held: int = 0, not_held: int = 0) -> bytes:
    return struct.pack("=HBBI", code, held, not_held, value)
